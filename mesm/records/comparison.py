"""Hold the paired difference of two models on the same clips."""

from __future__ import annotations

from dataclasses import dataclass

from mesm.errors import DataError
from mesm.estimate import counted, decimal_text
from mesm.json_form import Json, members


@dataclass(frozen=True)
class PairedDifference:
    """Hold the difference first - second of one metric, in points, with its 95 % interval over speakers.

    Attributes:
        value: None where a metric is undefined.
        low: lower end of the interval; None with too few speakers for one.
        high: upper end.
        share_better: share of the draws of speakers in which the first is better; None without an interval, and where no
            draw differs, as for models that decide alike.
    """

    value: float | None
    low: float | None
    high: float | None
    share_better: float | None

    def interval_text(self, digits: int) -> str | None:
        """Return "+0.10 to +0.40"; None without an interval."""
        if self.low is None or self.high is None:
            return None
        return f"{decimal_text(self.low, digits, sign=True)} to {decimal_text(self.high, digits, sign=True)}"


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
        labels: emotions that both models decide, in the first one's order.
        difference: "wacc" and "f1" -> first - second.
        undecided: emotions left out, because a run of one of the models has no decision threshold for them.
        one_sided: emotions without a WAcc, since all of the clips show them or none does.
    """

    split: str
    labels: tuple[str, ...]
    clips: int
    speakers: int
    draws: int
    first: ComparedModel
    second: ComparedModel
    difference: dict[str, PairedDifference]
    undecided: tuple[str, ...] = ()
    one_sided: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise `DataError` if a difference is missing."""
        if not {"wacc", "f1"} <= set(self.difference):
            raise DataError("data.difference has no wacc or no f1")

    def not_above(self) -> str | None:
        """Return a sentence if the first model's WAcc is not shown to be above the second's; None if it is."""
        wacc, (first, second) = self.difference["wacc"], (self.first, self.second)
        interval = wacc.interval_text(1)
        if wacc.value is None or wacc.low is None or wacc.low > 0 or interval is None:
            return None
        scores = [decimal_text(model.wacc or 0.0, 1) for model in (first, second)]
        verdict = "it is below" if wacc.high is not None and wacc.high < 0 else "not shown to differ"
        return (
            f"Over {counted(first.runs, 'seed')}, {first.name} has WAcc {scores[0]} beside "
            f"{scores[1]} of {second.name} ({counted(second.runs, 'seed')}): "
            f"{decimal_text(wacc.value, 1, sign=True)} ({interval}), {verdict}."
        )


def difference_from_schema_1(data: dict[str, Json]) -> dict[str, Json]:
    """Return metric -> difference in today's form."""
    rows = {metric: members(row) for metric, row in data.items()}
    return {
        metric: {"value": row["difference"], **{name: row[name] for name in ("low", "high", "share_better")}}
        for metric, row in rows.items()
    }


def from_schema_1(data: dict[str, Json]) -> dict[str, Json]:
    """Return a comparison of schema 1 in today's form."""
    return {**data, "difference": difference_from_schema_1(members(data["difference"]))}
