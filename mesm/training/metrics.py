"""Compute metrics of multi-label scores, with their formulas. Numpy only; every function takes (N, E) arrays.

With TP, FP, TN, FN counted per class at its threshold, P = TP + FN positives and Q = TN + FP negatives:
    accuracy  = (TP + TN) / (P + Q)
    WAcc      = (TP * Q / P + TN) / (2 Q) = (TP / P + TN / Q) / 2       chance and both trivial answers: 50 %
    binary F1 = 2 TP / (2 TP + FP + FN)                                 of the positive class, not weighted
    weighted F1 = (P * F1(positive) + Q * F1(negative)) / (P + Q)
    AUC       = probability that a random positive scores above a random negative (ties count half)
A class without positives has no WAcc, no F1 and no AUC, one without negatives no WAcc and no AUC, one without a decision
(`choose_thresholds`) none but the AUC: NaN in arrays, None in results, left out of averages. All in percent.
Source: Dai et al. 2021, section 5.2 (their WAcc with its denominator printed as TN is a slip).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mesm import statistics
from mesm.estimate import Estimate
from mesm.statistics import PERCENT_DIGITS, Speakers, percentile_estimate, rounded

#: The paper's candidates for a class's decision threshold.
THRESHOLDS = np.arange(0.05, 0.951, 0.05).round(2)
#: (N, E) scores of one trained model and its (E,) thresholds, NaN for a class without a decision.
Answers = tuple[np.ndarray, np.ndarray]
#: Decimals of a percentage without an interval, and of a difference.
_DIGITS = 3


@dataclass(frozen=True)
class Counts:
    """Hold TP, FP, TN, FN of each class, (E,) each; (R, E) of R resamples; NaN for a class without a decision."""

    tp: np.ndarray
    fp: np.ndarray
    tn: np.ndarray
    fn: np.ndarray


def decide(scores_NE: np.ndarray, thresholds_E: np.ndarray) -> np.ndarray:
    """Return the decisions: (N, E) 1 where a score reaches its threshold, else 0; NaN for a class without a threshold."""
    return np.where(np.isnan(thresholds_E), np.nan, scores_NE >= thresholds_E)


def _outcomes(decided_NE: np.ndarray, truth_NE: np.ndarray) -> tuple[np.ndarray, ...]:
    """(N, E) whether each answer is a true positive, false positive, true negative, false negative: 0, 1 or NaN."""
    d, t = np.asarray(decided_NE, float), truth_NE.astype(bool)
    return d * t, d * ~t, (1 - d) * ~t, (1 - d) * t


def count(decided_NE: np.ndarray, truth_NE: np.ndarray) -> Counts:
    """Return the confusion counts per class.

    Args:
        decided_NE: bool, or 0, 1 and NaN (`decide`).
    """
    return Counts(*(outcome.sum(0) for outcome in _outcomes(decided_NE, truth_NE)))


def _ratio(a: np.ndarray, b: np.ndarray, empty: float) -> np.ndarray:
    return np.divide(a, b, out=np.full(np.shape(a), empty, float), where=np.asarray(b) > 0)


def accuracy(c: Counts) -> np.ndarray:
    """Compute accuracy per class: (E,) percent."""
    return 100 * _ratio(c.tp + c.tn, c.tp + c.tn + c.fp + c.fn, np.nan)


def weighted_accuracy(c: Counts) -> np.ndarray:
    """Compute weighted accuracy per class: (E,) percent; the mean of sensitivity and specificity.

    Examples:
        >>> decided, truth = np.array([[1], [1], [0], [0]], bool), np.array([[1], [0], [0], [0]], bool)
        >>> weighted_accuracy(count(decided, truth)).round(1).tolist()  # (1/1 + 2/3) / 2
        [83.3]
    """
    return 50 * (_ratio(c.tp, c.tp + c.fn, np.nan) + _ratio(c.tn, c.tn + c.fp, np.nan))


def binary_f1(c: Counts) -> np.ndarray:
    """Compute F1 per class: (E,) percent; 0 where no positive is decided, NaN where nothing is positive in truth."""
    return np.where(c.tp + c.fn > 0, _f1(c.tp, c.fp + c.fn), np.nan)


def _f1(right: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    return 100 * _ratio(2 * right, 2 * right + wrong, 0.0)


def weighted_f1(c: Counts) -> np.ndarray:
    """Compute weighted F1 per class: (E,) percent; F1 of both answers weighted by their support."""
    p, q = c.tp + c.fn, c.tn + c.fp
    wrong = c.fp + c.fn
    return _ratio(p * _f1(c.tp, wrong) + q * _f1(c.tn, wrong), p + q, np.nan)


def auc(scores_NE: np.ndarray, truth_NE: np.ndarray) -> np.ndarray:
    """Compute the area under the ROC curve per class: (E,) percent, by ranks (Mann-Whitney)."""
    return 100 * statistics.auc(scores_NE.T, truth_NE.T.astype(bool))


def choose_thresholds(scores_NE: np.ndarray, truth_NE: np.ndarray) -> np.ndarray:
    """Choose each class's threshold of `THRESHOLDS` with the best binary F1; the lowest such if several tie.

    Returns:
        (E,) thresholds; NaN, which is no decision, for a class that these clips cannot decide: without positives, without
        negatives, with the same score for all clips, or whose positives all score below every threshold.
    """
    f1 = np.stack([binary_f1(count(scores_NE >= t, truth_NE)) for t in THRESHOLDS])
    negatives_E = len(truth_NE) - truth_NE.sum(0)
    decidable_E = (f1.max(0) > 0) & (negatives_E > 0) & (scores_NE != scores_NE[:1]).any(0)
    return np.where(decidable_E, THRESHOLDS[f1.argmax(0)], np.nan)


def summarise(scores_NE: np.ndarray, truth_NE: np.ndarray, thresholds_E: np.ndarray, labels: tuple[str, ...]) -> dict:
    """Compute all metrics per class and averaged over the classes, in percent, JSON-ready (NaN becomes None)."""
    c = count(decide(scores_NE, thresholds_E), truth_NE)
    table = {
        "accuracy": accuracy(c),
        "wacc": weighted_accuracy(c),
        "f1": binary_f1(c),
        "weighted_f1": weighted_f1(c),
        "auc": auc(scores_NE, truth_NE),
    }
    result: dict = {name: _mean(values) for name, values in table.items()}
    result["per_class"] = {
        label: {name: to_json(values[e]) for name, values in table.items()} | {"positives": int(truth_NE[:, e].sum())}
        for e, label in enumerate(labels)
    }
    result["n"] = len(truth_NE)
    return result


def trivial_rows(truth_NE: np.ndarray, labels: tuple[str, ...]) -> dict[str, dict]:
    """Score the trivial predictors: never, always, and at random with each class's frequency (its expectation)."""
    n = len(truth_NE)
    rate_E = truth_NE.sum(0) / max(n, 1)
    never = summarise(np.zeros_like(truth_NE, float), truth_NE, np.ones(len(labels)), labels)
    always = summarise(np.ones_like(truth_NE, float), truth_NE, np.zeros(len(labels)), labels)
    positives = rate_E * n
    expected = Counts(
        positives * rate_E, (n - positives) * rate_E, (n - positives) * (1 - rate_E), positives * (1 - rate_E)
    )
    chance = {
        "accuracy": _mean(accuracy(expected)),
        "wacc": _mean(weighted_accuracy(expected)),
        "f1": _mean(binary_f1(expected)),
    }
    keep = ("accuracy", "wacc", "f1")
    return {"never": {k: never[k] for k in keep}, "always": {k: always[k] for k in keep}, "chance": chance}


def _count_per_speaker(decided_NE: np.ndarray, truth_NE: np.ndarray, speakers: Speakers) -> Counts:
    """Return the confusion counts of each speaker, (G, E) each."""
    totals = []
    for outcome_NE in _outcomes(decided_NE, truth_NE):
        total_GE = np.zeros((speakers.count, outcome_NE.shape[1]))
        np.add.at(total_GE, speakers.member, outcome_NE)
        totals.append(total_GE)
    return Counts(*totals)


def _mean_over_runs(runs: Sequence[Counts], times_RG: np.ndarray) -> np.ndarray:
    """(R, 3) average WAcc, F1 and accuracy over the classes, then over the runs, of each resample of the speakers."""
    resampled = [Counts(times_RG @ c.tp, times_RG @ c.fp, times_RG @ c.tn, times_RG @ c.fn) for c in runs]
    every = [[_class_mean(f(c)) for f in (weighted_accuracy, binary_f1, accuracy)] for c in resampled]
    return np.mean(every, axis=0).T


def _class_mean(values_RE: np.ndarray) -> np.ndarray:
    known = ~np.isnan(values_RE)
    return _ratio(np.where(known, values_RE, 0).sum(-1), known.sum(-1), np.nan)


def _resampled_means(
    runs: Sequence[Answers], truth_NE: np.ndarray, speakers: Speakers
) -> tuple[np.ndarray, np.ndarray]:
    """(3,) mean metrics of the sample and (R, 3) of its resamples."""
    counts = [_count_per_speaker(decide(*answers), truth_NE, speakers) for answers in runs]
    value = _mean_over_runs(counts, np.ones((1, speakers.count)))[0]
    return value, speakers.resample(lambda times: _mean_over_runs(counts, times))


def mean_estimates(
    runs: Sequence[Answers], truth_NE: np.ndarray, groups_N: np.ndarray, *, draws: int = 1000, seed: int = 0
) -> dict[str, Estimate]:
    """Estimate the average WAcc, F1 and accuracy over the classes in percent, with 95 % intervals over speakers.

    Args:
        runs: one run, or several that differ in their seed: their mean is estimated, with the same resamples for all.
        groups_N: speaker of each clip.
    """
    speakers = Speakers(groups_N, draws, seed, by_index=True)
    value, drawn = _resampled_means(runs, truth_NE, speakers)
    return {
        name: percentile_estimate(value[i], drawn[:, i], speakers.count, PERCENT_DIGITS)
        for i, name in enumerate(("wacc", "f1", "accuracy"))
    }


def paired_estimates(
    first: Sequence[Answers],
    second: Sequence[Answers],
    truth_NE: np.ndarray,
    groups_N: np.ndarray,
    *,
    draws: int = 2000,
    seed: int = 0,
) -> dict[str, tuple[Estimate, float | None]]:
    """Estimate the differences first - second in average WAcc and F1 over the same resamples of speakers.

    Args:
        first: (N, E) scores and (E,) thresholds of each run of one model; `second` those of the other on the same clips.

    Returns:
        metric -> difference in percentage points, and the share of resamples in which the first is better; None without
        an interval, and where both are equal in every resample.
    """
    speakers = Speakers(groups_N, draws, seed, by_index=True)
    (a, a_drawn), (b, b_drawn) = (_resampled_means(runs, truth_NE, speakers) for runs in (first, second))
    value, drawn = a - b, a_drawn - b_drawn
    estimates = {}
    for i, name in enumerate(("wacc", "f1")):
        estimate = percentile_estimate(value[i], drawn[:, i], speakers.count, _DIGITS)
        known_R = drawn[np.isfinite(drawn[:, i]), i]
        differs = estimate.low is not None and known_R.any()
        estimates[name] = (estimate, round(float((known_R > 0).mean()), 4) if differs else None)
    return estimates


def over_seeds(summaries: list[dict]) -> dict[str, dict[str, float]]:
    """Compute mean and sample standard deviation of every scalar metric over runs that differ in their seed."""
    names = [k for k, v in summaries[0].items() if isinstance(v, float)]
    return {
        name: {
            "mean": round(float(np.mean([s[name] for s in summaries])), 3),
            "spread": round(float(np.std([s[name] for s in summaries], ddof=1)), 3) if len(summaries) > 1 else 0.0,
            "seeds": len(summaries),
        }
        for name in names
    }


def to_json(value: float) -> float | None:
    """Return the value with three decimals; NaN, which JSON lacks, becomes None."""
    return rounded(value, _DIGITS)


def _mean(values: np.ndarray) -> float | None:
    return None if np.isnan(values).all() else to_json(float(np.nanmean(values)))
