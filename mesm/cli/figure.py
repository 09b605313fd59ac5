"""`mesm figure`: the figures and tables of the app's pages as files for paper, the same bytes."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mesm.errors import ConfigError, DataError

if TYPE_CHECKING:
    from mesm.figures.bundle import Exhibit

Record = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `mesm figure`."""
    parser.epilog = (
        "examples:\n"
        "  mesm figure case marionette-mesm@marionette --clip m0-00029 --top-p 0.5 --width acl-text\n"
        "  mesm figure sweep marionette-mesm@marionette --metric f1 --axis ms --format svg\n"
        "  mesm figure table 4 --corpus marionette --format tex\n"
        "A target is CHECKPOINT@CORPUS, names as the app's pickers have them. The provenance is written beside."
    )
    kinds = parser.add_subparsers(dest="figure", metavar="KIND", required=True)
    for kind, (_, line, options) in KINDS.items():
        part = kinds.add_parser(kind, help=line, description=line)
        for option in options:
            _OPTIONS[option](part)
        part.add_argument("--format", default="pdf", help="pdf (default), svg, png, csv, tex or json")
        part.add_argument(
            "--width",
            default="acl-column",
            help="acl-column (default), acl-text, ieee-column, ieee-text, neurips-text, or inches",
        )
        part.add_argument("--out", help="file or folder to write; default: here, under the figure's own name")


def run(arguments: argparse.Namespace) -> int:
    """Make the figure, write it and its provenance, print their names."""
    from mesm.figures.bundle import render
    from mesm.records import write_atomic

    exhibit = KINDS[arguments.figure][0](arguments)
    name = f"{exhibit.name}.{arguments.format}"
    path = Path(arguments.out) if arguments.out else Path(name)
    if path.is_dir():
        path = path / name
    print(write_atomic(path, render(exhibit, arguments.format, arguments.width)))
    if arguments.format != "json":
        from mesm.figures.bundle import provenance_json

        beside = provenance_json(exhibit, arguments.format, arguments.width)
        print(write_atomic(path.with_name(f"{path.name}.json"), beside))
    return 0


def _target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", help="CHECKPOINT@CORPUS")


def _targets(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("targets", nargs="+", help="CHECKPOINT@CORPUS; several on one figure")


def _clip(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--clip", required=True, help="id of the clip in the corpus")
    parser.add_argument("--top-p", type=float, help="nucleus mass in (0, 1]; default: the checkpoint's")


def _look(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--look", default="mask", help="mask (default), heat-map, contours or points")
    parser.add_argument("--opacity", type=float, default=0.8, help="of what is laid over, 0 to 1 (default: 0.8)")
    parser.add_argument("--layers", default="1,2,3", help="attention layers, a row each (default: all)")
    parser.add_argument("--loudest", action="store_true", help="only the highest tenth of the mel values")
    parser.add_argument("--from", dest="start", type=float, default=0.0, help="first second of a long clip")
    parser.add_argument("--privacy", help="none, blur or sketch; default: blur unless the corpus is CC0")


def _view(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--metric", default="wacc", help="wacc (default), f1 or accuracy")
    parser.add_argument("--axis", default="share", help="share (default), gmac, gflop or ms")
    parser.add_argument("--relative", action="store_true", help="as a share of what FE2E scores")
    parser.add_argument("--log", action="store_true", help="logarithmic work")


def _unit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--axis", default="gmac", choices=("gmac", "gflop"), help="unit of the work")


def _number(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("number", type=int, choices=range(1, 6), help="of the paper's table")
    parser.add_argument("--corpus", help="name or folder; table 5 as reported needs none")


def _corpus(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--corpus", required=True, help="name of the corpus")


def _runs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folders of mesm train; several on one figure")


def _emotion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--emotion", default="", help="one emotion; default: all pooled")


_OPTIONS: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "target": _target,
    "targets": _targets,
    "clip": _clip,
    "look": _look,
    "view": _view,
    "unit": _unit,
    "number": _number,
    "corpus": _corpus,
    "emotion": _emotion,
    "runs": _runs,
}


def _open_clip(arguments: argparse.Namespace) -> tuple[Any, Any, dict[str, Any]]:
    """Sample with close-ups, prediction with its trace, origin."""
    from mesm.analysis.origin import clip_origin
    from mesm.analysis.predictor import load
    from mesm.data.corpora import open_corpus
    from mesm.data.ingest.closeups import with_closeups

    checkpoint, name = _split(arguments.target)
    predictor, corpus = load(checkpoint), open_corpus(name)
    sample = with_closeups(corpus[arguments.clip], corpus.media_path(arguments.clip))
    licence = str(corpus.manifest.meta.get("licence", ""))
    prediction = predictor.run(predictor.prepare(sample), arguments.top_p)
    return sample, prediction, clip_origin(predictor, corpus.name, licence)


def _case(arguments: argparse.Namespace) -> Exhibit:
    from mesm.figures.exhibits.case import case
    from mesm.figures.mosaic import OVERLAYS, Look, fit_strip
    from mesm.figures.privacy import default_privacy

    overlay = arguments.look.replace("-", " ")
    try:
        layers = tuple(int(number) - 1 for number in arguments.layers.split(","))
    except ValueError as error:
        raise ConfigError(f"--layers {arguments.layers!r} must look like 1,2,3") from error
    if overlay not in OVERLAYS or not set(layers) <= {0, 1, 2} or not 0 <= arguments.opacity <= 1:
        raise ConfigError(
            f"--look {arguments.look!r} must be one of {', '.join(o.replace(' ', '-') for o in OVERLAYS)}, --layers of "
            "1,2,3 and --opacity from 0 to 1"
        )
    sample, prediction, origin = _open_clip(arguments)
    look = Look(overlay, arguments.opacity, layers, arguments.loudest)
    strip = fit_strip(sample.duration_s, arguments.start)
    return case(sample, prediction, strip, look, origin, arguments.privacy or default_privacy(origin["licence"]))


def _scores(arguments: argparse.Namespace) -> Exhibit:
    from mesm.figures.exhibits.case import scores

    return scores(*_open_clip(arguments))


def _cost(arguments: argparse.Namespace) -> Exhibit:
    from mesm.figures.exhibits.case import work

    return work(*_open_clip(arguments))


def _sweep(arguments: argparse.Namespace) -> Exhibit:
    from mesm.analysis.reported import figure_5_shares
    from mesm.figures.exhibits.sweep import frontier
    from mesm.figures.frontier import View, dense_by_corpus

    view = View(arguments.metric, arguments.axis, arguments.relative, arguments.log)
    records = [_record("sweep", target) for target in arguments.targets]
    return frontier(records, view, dense_by_corpus(_all("evaluate")), figure_5_shares())


def _work(arguments: argparse.Namespace) -> Exhibit:
    from mesm.figures.exhibits.sweep import layers

    return layers(_record("sweep", arguments.target), arguments.axis)


def _spread(arguments: argparse.Namespace) -> Exhibit:
    from mesm.figures.exhibits.sweep import spread

    return spread(_record("sweep", arguments.target))


def _table(arguments: argparse.Namespace) -> Exhibit:
    from mesm.analysis import reported
    from mesm.analysis.breakdown import split_counts
    from mesm.data.corpora import open_corpus
    from mesm.figures.exhibits import results

    number = arguments.number
    if number == 5:
        found = _all("ablation", corpus=arguments.corpus) if arguments.corpus else []
        if arguments.corpus and not found:
            raise DataError(f"there is no ablation of {arguments.corpus}; make one with: mesm ablate --corpus ...")
        return (
            results.ablation_table(found[0], reported.TABLE_5) if found else results.reported_ablation(reported.TABLE_5)
        )
    if not arguments.corpus:
        raise ConfigError(f"table {number} needs --corpus NAME")
    if number in (1, 2):
        corpus = open_corpus(arguments.corpus)
        counts = split_counts(corpus.index, corpus.labels)
        return results.splits_table(corpus.name, counts, number, reported.split_counts(number))
    records = _all("evaluate", corpus=Path(arguments.corpus).name)
    if not records:
        raise DataError(
            f"no checkpoint was evaluated on {arguments.corpus}; run: mesm evaluate CHECKPOINT --corpus {arguments.corpus}"
        )
    return results.scores_table(records, number, *reported.rows_for(number))


def _ablation(arguments: argparse.Namespace) -> Exhibit:
    from mesm.figures.exhibits.results import ablation

    found = _all("ablation", corpus=arguments.corpus)
    if not found:
        raise DataError(f"there is no ablation of {arguments.corpus}; make one with: mesm ablate --corpus ...")
    return ablation(found[0])


def _learning(arguments: argparse.Namespace) -> Exhibit:
    from mesm.figures.exhibits.learning import learning
    from mesm.training.trainer import read_log

    runs = {Path(run).name: list(read_log(run)) for run in arguments.runs}
    empty = [name for name, rows in runs.items() if not rows]
    if empty:
        raise DataError(f"run {empty[0]!r} has no epoch yet (no metrics.jsonl); give a folder of mesm train")
    return learning(runs)


def _classes(arguments: argparse.Namespace) -> Exhibit:
    from mesm.figures.exhibits.results import classes_table

    return classes_table(_record("evaluate", arguments.target))


def _slices(arguments: argparse.Namespace) -> Exhibit:
    from mesm.analysis.breakdown import scored, slices
    from mesm.data.corpora import open_corpus
    from mesm.figures.exhibits.results import slices_table

    record = _record("evaluate", arguments.target)
    corpus = open_corpus(_split(arguments.target)[1])
    return slices_table(record, slices(scored(record["data"]), {row.clip_id: row for row in corpus.index}))


def _confusion(arguments: argparse.Namespace) -> Exhibit:
    from mesm.analysis.breakdown import confusion, scored
    from mesm.figures.exhibits.results import matrix

    record = _record("evaluate", arguments.target)
    return matrix(record, "confusion", *confusion(scored(record["data"])))


def _cooccurrence(arguments: argparse.Namespace) -> Exhibit:
    from mesm.analysis.breakdown import cooccurrence, scored
    from mesm.figures.exhibits.results import matrix

    record = _record("evaluate", arguments.target)
    found = scored(record["data"])
    pairs = cooccurrence(found.truth_NE), cooccurrence(found.decided_NE)
    return matrix(record, "cooccurrence", found.labels, *pairs)


def _reliability(arguments: argparse.Namespace) -> Exhibit:
    from mesm.analysis.breakdown import reliability, scored
    from mesm.figures.exhibits.results import calibration

    record = _record("evaluate", arguments.target)
    if arguments.emotion and arguments.emotion not in record["data"]["labels"]:
        raise ConfigError(f"--emotion {arguments.emotion!r} must be one of {', '.join(record['data']['labels'])}")
    return calibration(record, arguments.emotion, reliability(scored(record["data"]), arguments.emotion))


def _split(target: str) -> tuple[str, str]:
    checkpoint, at, corpus = target.rpartition("@")
    if not at:
        raise ConfigError(f"{target!r} must be CHECKPOINT@CORPUS, such as marionette-mesm@marionette")
    return checkpoint, corpus


def _record(kind: str, target: str) -> Record:
    """The record of a target; of the workspace before a bundled one.

    Raises:
        DataError: there is none.
    """
    checkpoint, corpus = _split(target)
    found = _all(kind, checkpoint, corpus)
    if not found:
        raise DataError(f"there is no {kind} of {target}; make one with: mesm {kind} {checkpoint} --corpus {corpus}")
    return found[0]


def _all(kind: str, checkpoint: str = "*", corpus: str = "*") -> list[Record]:
    from mesm.records import find_records, read_record

    return [read_record(path) for path in find_records(kind, checkpoint, corpus)]


#: Kind -> what makes it, one line, its options.
KINDS: dict[str, tuple[Callable[[argparse.Namespace], Exhibit], str, tuple[str, ...]]] = {
    "case": (_case, "one clip: faces, spectrogram and what each layer kept", ("target", "clip", "look")),
    "scores": (_scores, "one clip's scores", ("target", "clip")),
    "cost": (_cost, "what one clip costs, stage by stage", ("target", "clip")),
    "sweep": (_sweep, "scores against work over top-p", ("targets", "view")),
    "work": (_work, "where the work goes, layer by layer", ("target", "unit")),
    "spread": (_spread, "work of every utterance", ("target",)),
    "table": (_table, "table 1 to 5 of the paper for a corpus", ("number",)),
    "ablation": (_ablation, "what each part of the model is worth", ("corpus",)),
    "learning": (_learning, "loss and validation scores over the epochs of runs", ("runs",)),
    "classes": (_classes, "scores per emotion", ("target",)),
    "slices": (_slices, "scores of parts of the split", ("target",)),
    "confusion": (_confusion, "which score is strongest", ("target",)),
    "cooccurrence": (_cooccurrence, "which emotions come together", ("target",)),
    "reliability": (_reliability, "can scores be read as probabilities", ("target", "emotion")),
}
