"""`mesm traces`: write attention, kept sites and scores of many clips as one NPZ file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from mesm.cli import measuring
from mesm.estimate import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mesm.data.store import Corpus, IndexRow


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mesm traces`."""
    from mesm.studies.case.trace_layout import LAYOUT

    parser.epilog = (
        f"{LAYOUT}\n"
        "The file is written whole or not at all; a stopped command leaves none.\n"
        "examples:\n"
        "  mesm traces marionette-mesm --corpus marionette --emotion anger --split test --out anger.npz\n"
        "  python -c \"import numpy; print(numpy.load('anger.npz')['00000/visual/L1/kept'].mean())\""
    )
    parser.add_argument("checkpoint", help="name or folder")
    parser.add_argument("--corpus", required=True, help="name or folder of a corpus")
    parser.add_argument("--out", required=True, help="file to write, ending in .npz")
    parser.add_argument("--split", help="only clips of this split")
    parser.add_argument("--emotion", help="only clips with this label")
    parser.add_argument("--clip", action="append", metavar="ID", help="only this clip; can be repeated")
    parser.add_argument("--top-p", type=float, help="nucleus mass in (0, 1]; default: the checkpoint's")


def run(arguments: argparse.Namespace) -> int:
    """Trace every clip and write the file."""
    from functools import partial

    from mesm.analysis.predictor import load
    from mesm.analysis.provenance import clip_origin
    from mesm.config import check_top_p
    from mesm.errors import ConfigError
    from mesm.files import atomic_file
    from mesm.studies.case.traces import write_traces

    out = Path(arguments.out)
    if out.suffix != ".npz":
        raise ConfigError(f"--out {arguments.out!r} must end in .npz, the one format of traces")
    predictor, corpus = load(arguments.checkpoint), measuring.corpus_to_score(arguments.corpus)
    top_p = check_top_p(predictor.config.top_p if arguments.top_p is None else arguments.top_p)
    rows = _choose(corpus, arguments, predictor.config.modalities)
    origin = clip_origin(predictor, corpus.id, str(corpus.manifest.meta.get("licence", "")))
    with measuring.bar() as report, atomic_file(out) as file:
        write_traces(
            file,
            rows,
            lambda clip_id: (
                sample := corpus.read(clip_id, full=False),
                predictor.run(predictor.prepare(sample), top_p),
            ),
            origin | {"top_p": top_p if predictor.has_attention else None},
            partial(report, "traces"),
        )
    print(f"{out}: {counted(len(rows), 'clip')}, {out.stat().st_size / 1e6:.1f} MB")
    return 0


def _choose(corpus: Corpus, arguments: argparse.Namespace, modalities: Sequence[str]) -> list[IndexRow]:
    """Return the clips that pass the options and that the model can score.

    Raises:
        DataError: there is none, or a named clip does not exist.
    """
    from mesm.errors import DataError

    if arguments.emotion and arguments.emotion not in corpus.labels:
        known = ", ".join(corpus.labels) or "no labels"
        raise DataError(f"--emotion {arguments.emotion!r} is no label of corpus {corpus.name!r}; it has {known}")
    rows = [corpus.row(clip) for clip in dict.fromkeys(arguments.clip)] if arguments.clip else list(corpus.index)
    rows = [row for row in rows if arguments.split in (None, row.split)]
    rows = [row for row in rows if not arguments.emotion or arguments.emotion in row.present]
    scored = [row for row in rows if set(row.modalities) & set(modalities)]
    if not scored:
        raise DataError(
            f"no clip of corpus {corpus.name!r} passes these options; leave out --split, --emotion or --clip"
        )
    if len(scored) < len(rows):
        print(f"{len(rows) - len(scored)} clips have no {' or '.join(modalities)}: left out")
    return scored
