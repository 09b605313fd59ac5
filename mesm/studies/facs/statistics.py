"""Give the estimates of `mesm.statistics` as dictionaries, until the FACS record holds them as values."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from mesm import statistics
from mesm.records.base import Estimate
from mesm.statistics import false_discovery, rounded
from mesm.statistics import shuffled_label_test as shuffled_labels

__all__ = ["Speakers", "estimate", "false_discovery", "number", "shuffled_labels"]
number = rounded


class Speakers(statistics.Speakers):
    """`mesm.statistics.Speakers` whose estimates are dictionaries."""

    @property
    def signs(self) -> np.ndarray:
        """(patterns, speakers) of -1 and 1."""
        if self.count <= statistics.EXACT_SPEAKERS:
            return 1 - 2 * (np.arange(2**self.count)[:, None] >> np.arange(self.count) & 1).astype(np.float64)
        return np.random.default_rng([self.seed, 1]).choice([-1.0, 1.0], (self.draws, self.count))

    def mean(self, values: np.ndarray) -> dict[str, float | None]:  # type: ignore[override]
        return asdict(super().ratio(values, np.where(np.isnan(values), np.nan, 1.0)))

    def balanced_quotient(self, above_FC: np.ndarray, below_FC: np.ndarray) -> dict[str, float | None]:
        return asdict(self.class_balanced_ratio(above_FC, below_FC))

    def p_above(self, values: np.ndarray, chance: float = 1.0) -> float:
        return self.sign_flip_p(values, chance)


def estimate(value: float, low: float = np.nan, high: float = np.nan, **more: float) -> dict[str, Any]:
    """JSON form: four decimals, None for NaN."""
    return asdict(Estimate(rounded(value), rounded(low), rounded(high))) | {k: rounded(v) for k, v in more.items()}
