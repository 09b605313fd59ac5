"""`mesm time`: time checkpoints on this machine, one clip at a time."""

from __future__ import annotations

import argparse
from shlex import quote

from mesm.cli import measuring


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mesm time`."""
    parser.epilog = (
        "Median of 16 clips, each scored alone by all checkpoints in turn; on a CPU the processor time of all threads.\n"
        "Efficiency and Results show these times in place of those of an older sweep of the same weights.\n"
        "example:\n  mesm time marionette-mesm marionette-fe2e --corpus marionette"
    )
    parser.add_argument("checkpoints", nargs="+", metavar="checkpoint", help="names or folders")
    parser.add_argument("--corpus", required=True, help="name or folder of the corpus that the clips are of")
    parser.add_argument(
        "--top-p", default="0.1:1.0:0.1", help="of each MESM: low:high:step or a list (default: %(default)s)"
    )
    parser.add_argument("--split", default="test", help="split that the clips are of (default: test)")
    parser.add_argument("--out", help="folder of the record; default: the workspace's records/")
    parser.add_argument("--progress", metavar="FILE", help="JSON file for the clips done and the clips in total")


def run(arguments: argparse.Namespace) -> int:
    """Time the checkpoints, print the table and write the record, which is named by the first of them."""
    from mesm.analysis.predictor import load
    from mesm.records.base import Record, new_provenance, write_record
    from mesm.studies.evaluation.tables import times_table
    from mesm.studies.evaluation.timing import time_models
    from mesm.studies.sweep.top_ps import parse_top_ps

    top_ps = parse_top_ps(arguments.top_p)
    predictors = [load(name) for name in dict.fromkeys(arguments.checkpoints)]
    corpus, write_share = measuring.corpus_to_score(arguments.corpus), measuring.reporter(arguments.progress)
    with measuring.bar() as show:

        def report(done: int, total: int) -> None:
            show("", done, total)
            write_share(done, total)

        timing = time_models(predictors, top_ps, corpus, arguments.split, report)
    names = " ".join(quote(predictor.name) for predictor in predictors)
    options = f" --split {quote(arguments.split)}" if arguments.split != "test" else ""
    command = f"mesm time {names} --corpus {quote(corpus.id.key)} --top-p {quote(arguments.top_p)}{options}"
    digests = [predictor.sha256 for predictor in predictors]
    provenance = new_provenance(corpus.id, predictors[0].name, digests, command)
    path = write_record(measuring.records_folder(arguments.out), Record("time", provenance, timing))
    print(f"{times_table(timing).to_text()}\n{timing.timed_on.words()}\n{path}")
    return 0
