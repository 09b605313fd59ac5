"""`mesm canonical`: masks of every face, averaged on one template face."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `mesm canonical`."""
    parser.epilog = "example:\n  mesm canonical marionette-mesm --corpus marionette --against another-mesm"
    parser.add_argument("checkpoint", help="name or folder of a MESM checkpoint")
    parser.add_argument("--corpus", required=True, help="name or folder of a corpus")
    parser.add_argument("--against", help="a second MESM checkpoint, for the difference of the maps")
    parser.add_argument("--split", default="test", help="train, valid or test (default)")
    parser.add_argument("--top-p", type=float, help="nucleus mass in (0, 1]; default: the checkpoint's")
    parser.add_argument("--clips", type=int, help="use no more than this many clips, the speakers in turn")
    parser.add_argument("--out", help="folder of the record; default: the workspace's records/")


def run(arguments: argparse.Namespace) -> int:
    """Average the maps and write the record."""
    from tqdm import tqdm

    from mesm.analysis.canonical import canonical
    from mesm.analysis.predictor import load
    from mesm.data.corpora import open_corpus
    from mesm.errors import ConfigError
    from mesm.records import write_record
    from mesm.runtime import workspace

    if arguments.clips is not None and arguments.clips < 1:
        raise ConfigError(f"--clips is {arguments.clips}; it must be at least 1")
    predictor, corpus = load(arguments.checkpoint), open_corpus(arguments.corpus)
    against = load(arguments.against) if arguments.against else None
    with tqdm(unit="clip", leave=False) as bar:

        def show(done: int, total: int) -> None:
            bar.total, bar.n = total, done
            bar.refresh()

        data = canonical(
            predictor,
            corpus,
            arguments.split,
            arguments.top_p,
            against=against,
            clips=arguments.clips,
            progress=show,
        )
    path = write_record(
        Path(arguments.out) if arguments.out else workspace() / "records",
        "canonical",
        predictor.name,
        corpus.name,
        data,
        checkpoint_sha256=predictor.sha256,
        command=f"mesm canonical {predictor.name} --corpus {corpus.name} --split {arguments.split}"
        + (f" --against {against.name}" if against is not None else "")
        + (f" --top-p {arguments.top_p}" if arguments.top_p else "")
        + (f" --clips {arguments.clips}" if arguments.clips else ""),
    )
    print(
        f"{data['frames']} faces of {data['speakers']} speakers; {data['without_face']} frames without a face left out"
    )
    print(path)
    return 0
