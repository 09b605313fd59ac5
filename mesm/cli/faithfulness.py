"""`mesm faithfulness`: test whether the kept sites explain the scores."""

from __future__ import annotations

import argparse

from mesm.cli import measuring


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mesm faithfulness`."""
    parser.epilog = "example:\n  mesm faithfulness marionette-mesm --corpus marionette"
    measuring.add_study_arguments(parser)
    parser.add_argument("--seed", type=int, default=0, help="seed of the shuffles and draws (default: %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Run the tests, print the main result of each, write the record."""
    from mesm.analysis.predictor import load
    from mesm.statistics import few_speakers
    from mesm.studies.faithfulness.measure import measure_faithfulness
    from mesm.studies.faithfulness.tables import summary_table

    measuring.positive(arguments, "clips")
    predictor, corpus = load(arguments.checkpoint), measuring.corpus_to_score(arguments.corpus)
    with measuring.bar() as progress:
        record = measure_faithfulness(
            predictor,
            corpus,
            arguments.split,
            arguments.top_p,
            clips=arguments.clips,
            seed=arguments.seed,
            progress=progress,
        )
    options = {"split": arguments.split, "top-p": arguments.top_p, "clips": arguments.clips}
    path = measuring.write(arguments, "faithfulness", predictor, corpus, record, options)
    print("\n".join((summary_table(record).to_text(), *few_speakers(record.shuffled_text.speakers))))
    print(path)
    return 0
