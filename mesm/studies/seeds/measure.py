"""Score one model's runs that differ in their seed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from mesm.analysis.predictor import Predictor
from mesm.config import TrainConfig
from mesm.data.store import Corpus
from mesm.records.seeds import SeedsSummary
from mesm.studies.evaluation.measure import evaluate
from mesm.studies.seeds.comparison import average_over_seeds, check_only_seeds_differ

#: Gets a run's name, the clips scored and their number.
Progress = Callable[[str, int, int], None]


def evaluate_seeds(
    predictors: dict[str, Predictor],
    corpus: Corpus,
    split: str = "test",
    top_p: float | None = None,
    progress: Progress | None = None,
) -> SeedsSummary:
    """Score every run and average over them.

    Raises:
        ConfigError: two runs differ in a setting other than the seed.
        DataError: the corpus has no such split.
    """
    settings = {
        name: p.config.to_dict() | TrainConfig.from_dict(p.metrics.train).flat() for name, p in predictors.items()
    }
    check_only_seeds_differ(settings)
    runs = list(predictors.values())
    evaluations = [
        evaluate(run, corpus, split, top_p, progress=partial(progress, run.name) if progress else None) for run in runs
    ]
    seeds = [run.metrics.seed or 0 for run in runs]
    return average_over_seeds(evaluations, [run.name for run in runs], seeds)
