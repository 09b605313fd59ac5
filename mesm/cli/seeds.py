"""`mesm seeds`: average one model over its training seeds: mean, spread and interval over speakers."""

from __future__ import annotations

import argparse
from shlex import quote

from mesm.cli import measuring
from mesm.estimate import counted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mesm seeds`."""
    parser.epilog = "example:\n  mesm seeds runs/fe2e-0 runs/fe2e-1 runs/fe2e-2 --corpus corpora/marionette --name fe2e"
    parser.add_argument("runs", nargs="+", metavar="RUN", help="run folders or checkpoints that differ in their seed")
    parser.add_argument("--corpus", required=True, help="name or folder of a corpus")
    parser.add_argument("--split", default="test", help="train, valid or test (default)")
    parser.add_argument("--top-p", type=float, help="nucleus mass in (0, 1]; default: the checkpoint's")
    parser.add_argument("--name", help="name of the model in the record; default: the first run's")
    parser.add_argument("--out", help="folder of the record; default: the workspace's records/")


def run(arguments: argparse.Namespace) -> int:
    """Evaluate every run, print the table, write the record."""
    from mesm.analysis.predictor import load
    from mesm.records.base import Record, new_provenance, write_record
    from mesm.studies.evaluation.tables import undefined_in
    from mesm.studies.seeds.measure import evaluate_seeds
    from mesm.studies.seeds.tables import seeds_table

    corpus = measuring.corpus_to_score(arguments.corpus)
    predictors = {name: load(name) for name in arguments.runs}
    with measuring.bar() as report:
        data = evaluate_seeds(predictors, corpus, arguments.split, arguments.top_p, report)
    runs = list(predictors.values())
    command = (
        f"mesm seeds {' '.join(quote(run.name) for run in runs)} "
        f"--corpus {quote(measuring.corpus_argument(corpus, arguments.corpus))} --split {quote(arguments.split)}"
        + (f" --top-p {arguments.top_p}" if arguments.top_p else "")
    )
    name = arguments.name or runs[0].name
    provenance = new_provenance(corpus.id, name, [run.sha256 for run in runs], command)
    path = write_record(measuring.records_folder(arguments.out), Record("seeds", provenance, data))
    print(seeds_table(data).to_text())
    if "wacc" in data.interval:
        ends = data.interval["wacc"]
        print(f"mean WAcc, 95 % interval {ends.low} to {ends.high} over {counted(data.speakers, 'speaker')}")
    print("".join(f"{line}\n" for line in undefined_in(data)), end="")
    print(path)
    return 0
