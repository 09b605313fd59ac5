"""Measure how much of a branch's scores comes from the text, by giving the attention other clips' texts.

The pattern of kept sites depends on the text and can carry it into the branches of face and voice: their scores would
then depend on the words and not on what is seen and heard.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mesm.estimate import Estimate
from mesm.records.faithfulness import BranchShuffleCost, ShuffleCost, ShuffledTexts
from mesm.statistics import PERCENT_DIGITS, Speakers
from mesm.studies.faithfulness.evaluation_clips import EvaluationClips, Progress, concatenate_batches, strongest_is_true
from mesm.training import metrics


def shuffled_texts(
    clips: EvaluationClips, shuffles: int = 5, *, seed: int = 0, progress: Progress | None = None
) -> ShuffledTexts:
    """Measure the cost of shuffled texts for each branch."""
    rng = np.random.default_rng(seed)
    texts = [row.text for row in clips.rows]
    texts_per_run = [texts, *([texts[i] for i in draw_derangement(len(texts), rng)] for _ in range(shuffles))]
    parts: list[list[dict[str, np.ndarray]]] = [[] for _ in texts_per_run]
    for part, _, prepared in clips.batches(progress):
        for batches, run_texts in zip(parts, texts_per_run, strict=True):
            output = clips.predictor.attention_model.finish(
                prepared, clips.top_p, query_BD=clips.queries(run_texts[part])
            )
            batches.append(clips.branch_scores(output))
    runs = [concatenate_batches(batches) for batches in parts]
    costs = {name: _branch_cost(clips, [run[name] for run in runs]) for name in clips.branches}
    size = clips.size
    return ShuffledTexts(
        size.clips, size.speakers, shuffles, {name: cost for name, cost in costs.items() if cost is not None}
    )


def draw_derangement(count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw another clip for each clip: a cycle through a random order; with one clip, itself."""
    order = rng.permutation(count)
    other = np.empty(count, int)
    other[order] = np.roll(order, 1)
    return other


def _branch_cost(clips: EvaluationClips, runs: Sequence[np.ndarray]) -> BranchShuffleCost | None:
    """Compare the (N, E) scores of the first run, with the own texts, with those of the others."""
    known = np.isfinite(runs[0]).all(1)
    truth, groups = clips.truth[known], clips.groups[known]
    runs = [run[known] for run in runs]
    if not len(truth):
        return None
    right_RN = 100 * np.stack([strongest_is_true(run, truth) for run in runs])
    thresholds = metrics.choose_thresholds(runs[0], truth)

    def wacc(run: np.ndarray) -> float:
        return _mean(metrics.weighted_accuracy(metrics.count(metrics.decide(run, thresholds), truth)))

    cost = Speakers(groups).mean(right_RN[0] - right_RN[1:].mean(0), PERCENT_DIGITS)
    return BranchShuffleCost(
        _shuffle_cost([_mean(row) for row in right_RN], cost),
        _shuffle_cost([wacc(run) for run in runs]),
        _shuffle_cost([_mean(metrics.auc(run, truth)) for run in runs]),
    )


def _mean(values: np.ndarray) -> float:
    values = values[np.isfinite(values)]
    return float(values.mean()) if len(values) else np.nan


def _shuffle_cost(values: Sequence[float], interval: Estimate | None = None) -> ShuffleCost:
    own, shuffled = values[0], float(np.mean(values[1:]))
    low, high = (interval.low, interval.high) if interval is not None else (None, None)
    return ShuffleCost(
        metrics.to_json(own), metrics.to_json(shuffled), Estimate(metrics.to_json(own - shuffled), low, high)
    )
