"""Hold the paired difference of two models on the same clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mesm.records.json_form import Json


@dataclass(frozen=True)
class PairedDifference:
    """Hold the difference first - second of one metric, in points, with its 95 % interval over speakers.

    Attributes:
        share_better: share of the draws of speakers in which the first is better.
    """

    value: float
    low: float
    high: float
    share_better: float


@dataclass(frozen=True)
class ComparedModel:
    """Hold one side of a comparison; `runs` is its number of seeds."""

    name: str
    runs: int
    wacc: float | None
    f1: float | None
    top_p: float | None
    macs_ratio: float | None


@dataclass(frozen=True)
class Comparison:
    """Hold the results of two models on the same clips.

    Attributes:
        draws: of speakers.
        difference: "wacc" and "f1" -> first - second.
    """

    split: str
    labels: tuple[str, ...]
    clips: int
    speakers: int
    draws: int
    first: ComparedModel
    second: ComparedModel
    difference: dict[str, PairedDifference]


def difference_from_schema_1(data: dict[str, Any]) -> dict[str, Json]:
    """Return metric -> difference in today's form."""
    return {
        metric: {"value": row["difference"], **{name: row[name] for name in ("low", "high", "share_better")}}
        for metric, row in data.items()
    }


def from_schema_1(data: dict[str, Any]) -> dict[str, Json]:
    """Return a comparison of schema 1 in today's form."""
    return {**data, "difference": difference_from_schema_1(data["difference"])}
