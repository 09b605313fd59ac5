"""`mesm evaluate`: score a checkpoint on a corpus and write the record."""

from __future__ import annotations

import argparse

from mesm.cli import measuring


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mesm evaluate`."""
    parser.epilog = "example:\n  mesm evaluate marionette-mesm --corpus marionette --top-p 0.5"
    parser.add_argument("checkpoint", help="name or folder of a checkpoint")
    parser.add_argument("--corpus", required=True, help="name or folder of a corpus")
    parser.add_argument("--split", default="test", help="train, valid or test (default)")
    parser.add_argument("--top-p", type=float, help="nucleus mass in (0, 1]; default: the checkpoint's")
    parser.add_argument(
        "--update", action="store_true", help="also write the result into the checkpoint's metrics.json and model card"
    )
    parser.add_argument("--out", help="folder of the record; default: the workspace's records/")


def run(arguments: argparse.Namespace) -> int:
    """Evaluate, print the table, write the record."""
    from functools import partial

    from mesm.analysis.predictor import load
    from mesm.models.checkpoint import update_checkpoint
    from mesm.studies.evaluation.bayes_ceiling import ceiling_wacc, share_of_bayes_wacc
    from mesm.studies.evaluation.measure import evaluate
    from mesm.studies.evaluation.tables import classes_table, summary_lines

    predictor, corpus = load(arguments.checkpoint), measuring.corpus_to_score(arguments.corpus)
    with measuring.bar() as report:
        data = evaluate(predictor, corpus, arguments.split, arguments.top_p, progress=partial(report, arguments.split))
    options = {"split": arguments.split, "top-p": arguments.top_p}
    path = measuring.write(arguments, "evaluate", predictor, corpus, data, options)
    if arguments.update:
        ceiling, wacc = ceiling_wacc(corpus, predictor.config.modalities, data.labels), data.average.wacc
        share = None if ceiling is None or wacc is None else share_of_bayes_wacc(wacc, ceiling)
        update_checkpoint(predictor.folder, data, ceiling, share)
    print(classes_table(data).to_text())
    print("\n".join(summary_lines(data)))
    print(path)
    return 0
