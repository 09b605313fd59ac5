"""Intervals over speakers, p-values by permutation, and the false-discovery rate. Numpy only.

Frames of one speaker resemble each other, so whole speakers are drawn, flipped or kept, never single frames.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

#: Speakers up to which every pattern of signs is tried instead of drawn ones.
_EXACT = 12


@dataclass(frozen=True)
class Speakers:
    """Which of F frames belongs to which speaker, and the draws that all intervals of an analysis share.

    Attributes:
        names: (F,) speaker of each frame.
        draws: bootstrap samples and permutations.
    """

    names: np.ndarray
    draws: int = 1000
    seed: int = 0
    member: np.ndarray = field(init=False, repr=False)
    count: int = field(init=False)

    def __post_init__(self) -> None:
        found, member = np.unique(self.names, return_inverse=True)
        object.__setattr__(self, "member", member)
        object.__setattr__(self, "count", len(found))

    @cached_property
    def times(self) -> np.ndarray:
        """(draws, speakers) how often each speaker is drawn."""
        rng = np.random.default_rng(self.seed)
        return rng.multinomial(self.count, np.full(self.count, 1 / self.count), size=self.draws).astype(np.float64)

    @cached_property
    def signs(self) -> np.ndarray:
        """(patterns, speakers) of -1 and 1; every pattern where there are few speakers."""
        if self.count <= _EXACT:
            return 1 - 2 * (np.arange(2**self.count)[:, None] >> np.arange(self.count) & 1).astype(np.float64)
        return np.random.default_rng([self.seed, 1]).choice([-1.0, 1.0], (self.draws, self.count))

    def sums(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Per speaker, sum and number of the values (F,) that are not NaN."""
        known = ~np.isnan(values)
        total = np.bincount(self.member, np.where(known, values, 0), self.count)
        return total, np.bincount(self.member, known, self.count)

    def mean(self, values: np.ndarray) -> dict[str, float | None]:
        """Mean over the frames with its 95 % interval; NaN frames are left out."""
        return self.ratio(values, np.where(np.isnan(values), np.nan, 1.0))

    def ratio(self, above: np.ndarray, below: np.ndarray) -> dict[str, float | None]:
        """Sum of one over sum of the other, over the frames that have both, with its 95 % interval."""
        both = ~(np.isnan(above) | np.isnan(below))
        a, _ = self.sums(np.where(both, above, np.nan))
        b, number = self.sums(np.where(both, below, np.nan))
        if not number.any():
            return estimate(np.nan)
        value = a.sum() / b.sum() if b.sum() else np.nan
        if (number > 0).sum() < 2:
            return estimate(value)
        drawn = self.times @ b
        usable = drawn > 1e-12
        spread = (self.times @ a)[usable] / drawn[usable]
        return estimate(value, *np.percentile(spread, [2.5, 97.5]))

    def balanced_quotient(self, above_FC: np.ndarray, below_FC: np.ndarray) -> dict[str, float | None]:
        """Sum over classes of the means of one, over that of the other, so that a frequent class counts once.

        Args:
            above_FC: (F, classes) values, NaN where a frame does not belong to the class; `below_FC` the same. A class
                without a value in either is left out of both sums.
        """
        a, n = self._class_sums(above_FC)
        b, m = self._class_sums(below_FC)

        def value(times: np.ndarray) -> np.ndarray:
            with np.errstate(invalid="ignore", divide="ignore"):
                first, second = (times @ a) / (times @ n), (times @ b) / (times @ m)
                both = np.isfinite(first) & np.isfinite(second)
                return np.where(both, first, 0).sum(1) / np.where(both, second, 0).sum(1)

        whole = float(value(np.ones((1, self.count)))[0])
        drawn = value(self.times)
        drawn = drawn[np.isfinite(drawn)]
        if (n.sum(1) > 0).sum() < 2 or not len(drawn):
            return estimate(whole)
        return estimate(whole, *np.percentile(drawn, [2.5, 97.5]))

    def _class_sums(self, values_FC: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        pairs = [self.sums(column) for column in values_FC.T]
        return np.stack([total for total, _ in pairs], 1), np.stack([count for _, count in pairs], 1).astype(float)

    def p_above(self, values: np.ndarray, chance: float = 1.0) -> float:
        """Two-sided p that the mean is not chance, by flipping the signs of whole speakers' departures from it.

        NaN with fewer than two speakers.
        """
        departure, number = self.sums(values - chance)
        if (number > 0).sum() < 2:
            return np.nan
        observed = abs(departure.sum())
        flipped = np.abs(self.signs @ departure)
        as_far = np.sum(flipped >= observed * (1 - 1e-9))
        if self.count <= _EXACT:
            return float(as_far / len(flipped))
        return float((1 + as_far) / (1 + len(flipped)))


def estimate(value: float, low: float = np.nan, high: float = np.nan, **more: float) -> dict[str, float | None]:
    """JSON form: four decimals, None for NaN."""
    return {k: number(v) for k, v in {"value": value, "low": low, "high": high, **more}.items()}


def number(value: Any) -> float | None:
    """Four decimals; None for NaN and infinities."""
    return round(float(value), 4) if np.isfinite(value) else None


def false_discovery(p: np.ndarray) -> np.ndarray:
    """q-values of Benjamini & Hochberg 1995 (JRSS B 57:289-300): the smallest rate at which each test is a discovery.

    NaN where p is; those are not counted as tests.
    """
    flat = np.asarray(p, float).ravel()
    known = np.flatnonzero(~np.isnan(flat))
    order = known[np.argsort(flat[known], kind="stable")]
    scaled = flat[order] * len(order) / np.arange(1, len(order) + 1)
    found = np.full(flat.shape, np.nan)
    found[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1)
    return found.reshape(np.shape(p))


def shuffled_labels(
    sums_KCR: np.ndarray, counts_KCR: np.ndarray, shown_CR: np.ndarray, draws: int = 1000, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Does a region gain where its emotion is shown? Emotions are shuffled over whole clips.

    Args:
        sums_KCR: for K maps, per clip and region, the sum of the frames' values; `counts_KCR` their number.
        shown_CR: whether the clip shows the emotion of the region. All regions are shuffled together.

    Returns:
        (K, R) observed mean over the frames that show the emotion, its mean under shuffling, and the one-sided p of as
        large a mean; NaN where nobody shows it.
    """
    rng = np.random.default_rng([seed, 2])
    clips = len(shown_CR)
    orders = np.stack([np.arange(clips), *(rng.permutation(clips) for _ in range(draws))])
    drawn = np.full((draws + 1, *sums_KCR.shape[::2]), np.nan)
    for r in range(shown_CR.shape[1]):
        shown = shown_CR[:, r].astype(np.float64)[orders]
        above, below = shown @ sums_KCR[:, :, r].T, shown @ counts_KCR[:, :, r].T
        drawn[:, :, r] = np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
    observed, null = drawn[0], drawn[1:]
    p = (1 + (null >= observed - 1e-12).sum(0)) / (1 + draws)
    known = ~np.isnan(drawn)
    mean = np.where(known[1:], null, 0).sum(0) / np.maximum(known[1:].sum(0), 1)
    return observed, np.where(known[0], mean, np.nan), np.where(known[0], p, np.nan)
