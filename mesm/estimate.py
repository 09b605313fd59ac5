"""Hold measured values with their intervals, and print numbers with one rounding, counts and lists in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal


def decimal_text(value: float, digits: int, sign: bool = False) -> str:
    """Return a number with so many decimals, halves rounded away from zero as readers do: 76.25 -> "76.3".

    Binary rounding gives "76.2" in Python and "76.3" in JavaScript; every number that is shown passes here.

    Args:
        sign: whether a positive number gets a plus; what is printed as 0 has no sign.
    """
    if not math.isfinite(value):
        return str(float(value))
    number = Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    return f"{number or abs(number):{'+' if sign and number else ''}f}"


def counted(number: int, noun: str) -> str:
    """Return a number of things in words: "1 clip", "2 clips"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def listed(names: Sequence[str]) -> str:
    """Return names in words: "a", "a and b", "a, b and c"; "" for none."""
    *first, last = names or ("",)
    return f"{', '.join(first)} and {last}" if first else last


@dataclass(frozen=True)
class Estimate:
    """Hold one measured value with its 95 % interval; None where it is undefined.

    Attributes:
        value: the estimate.
        low: lower end of the interval; None without an interval (too few speakers).
        high: upper end.
    """

    value: float | None
    low: float | None = None
    high: float | None = None

    def __neg__(self) -> Estimate:
        """Return the estimate of the negative quantity: its interval's ends change places."""
        value, low, high = (None if one is None else -one for one in (self.value, self.high, self.low))
        return Estimate(value, low, high)

    def words(self, digits: int = 2, unit: str = "") -> str:
        """Return "1.23 (1.10 to 1.40)", without an interval "1.23", and an en dash where it is undefined.

        Examples:
            >>> Estimate(0.8312, 0.79, 0.87).words()
            '0.83 (0.79 to 0.87)'
        """
        if self.value is None:
            return "–"
        text = decimal_text(self.value, digits) + unit
        if self.low is None or self.high is None:
            return text
        return f"{text} ({decimal_text(self.low, digits)} to {decimal_text(self.high, digits)}{unit})"
