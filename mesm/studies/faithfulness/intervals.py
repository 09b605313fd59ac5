"""Intervals that resample whole groups (speakers), never clips or frames. Numpy only.

Legend: N rows, G groups, R draws.
"""

from __future__ import annotations

import numpy as np

Estimate = dict[str, float | None]


def group_weights(groups_N: np.ndarray, draws: int = 1000, seed: int = 0) -> np.ndarray:
    """(R, N) how often each row counts in each draw: its group's number of times in a sample of G groups of G."""
    names, member = np.unique(groups_N, return_inverse=True)
    rng = np.random.default_rng(seed)
    times = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)
    return times[:, member].astype(float)


def _estimate(value: float, drawn_R: np.ndarray, places: int) -> Estimate:
    drawn_R = drawn_R[np.isfinite(drawn_R)]
    if not np.isfinite(value):
        return {"value": None, "low": None, "high": None}
    low, high = np.percentile(drawn_R, [2.5, 97.5]) if len(drawn_R) else (value, value)
    return {"value": round(float(value), places), "low": round(float(low), places), "high": round(float(high), places)}


def mean_estimate(
    values_N: np.ndarray, groups_N: np.ndarray, *, draws: int = 1000, seed: int = 0, places: int = 4
) -> Estimate:
    """A mean with its 95 % interval; rows that are NaN do not count."""
    known = np.isfinite(values_N)
    return ratio_estimate(
        np.where(known, values_N, 0.0), known.astype(float), groups_N, draws=draws, seed=seed, places=places
    )


def ratio_estimate(
    above_N: np.ndarray,
    below_N: np.ndarray,
    groups_N: np.ndarray,
    *,
    draws: int = 1000,
    seed: int = 0,
    places: int = 4,
) -> Estimate:
    """sum(above) / sum(below) with its 95 % interval; no value where nothing is below."""
    if not len(groups_N) or not np.any(below_N):
        return {"value": None, "low": None, "high": None}
    weights_RN = group_weights(groups_N, draws, seed)
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn_R = (weights_RN @ above_N) / (weights_RN @ below_N)
    return _estimate(float(above_N.sum() / below_N.sum()), drawn_R, places)


def weighted_auc(scores_N: np.ndarray, positive_N: np.ndarray, weights_RN: np.ndarray) -> np.ndarray:
    """(R,) probability in [0, 1] that a positive row scores above a negative one, rows counted by weight; ties half."""
    _, level = np.unique(scores_N, return_inverse=True)
    order = np.argsort(level, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(level[order]) > 0])
    positive_RL = np.add.reduceat((weights_RN * positive_N)[:, order], starts, axis=1)
    negative_RL = np.add.reduceat((weights_RN * ~positive_N)[:, order], starts, axis=1)
    below_RL = negative_RL.cumsum(1) - negative_RL / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return (positive_RL * below_RL).sum(1) / (positive_RL.sum(1) * negative_RL.sum(1))


def auc_estimate(
    scores_NE: np.ndarray,
    positive_NE: np.ndarray,
    groups_N: np.ndarray,
    *,
    draws: int = 500,
    seed: int = 0,
) -> tuple[Estimate, list[float | None]]:
    """Mean over the classes of their AUC with its 95 % interval, and the AUC of each class."""
    classes = range(scores_NE.shape[1])
    once = np.ones((1, len(scores_NE)))
    each_E = np.array([weighted_auc(scores_NE[:, e], positive_NE[:, e], once)[0] for e in classes])
    if not np.isfinite(each_E).any():
        return {"value": None, "low": None, "high": None}, [None for _ in classes]
    weights_RN = group_weights(groups_N, draws, seed)
    drawn_RE = np.stack([weighted_auc(scores_NE[:, e], positive_NE[:, e], weights_RN) for e in classes], 1)
    mean = _estimate(float(np.nanmean(each_E)), np.nanmean(drawn_RE, axis=1), 4)
    return mean, [round(float(v), 4) if np.isfinite(v) else None for v in each_E]
