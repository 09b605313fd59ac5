"""Hold the mean of one model over its training seeds: scores, spread, interval over speakers, and each run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesm.json_form import Json, items, members
from mesm.records.evaluation import (
    METRICS,
    Interval,
    ScoredModel,
    Scores,
    average_from_schema_1,
    check_sizes,
    interval_from_schema_1,
)


@dataclass(frozen=True)
class SeedRun:
    """Hold one trained model of several that differ in their seed.

    Attributes:
        thresholds: (E,) of this run, chosen on its validation split; None for a label without a decision.
    """

    checkpoint: str
    seed: int
    average: Scores
    macs_ratio: float | None
    thresholds: tuple[float | None, ...]
    interval: dict[str, Interval]


@dataclass(frozen=True)
class SeedsMean(ScoredModel):
    """Hold the mean over runs; `interval` is that of the mean, over speakers.

    Attributes:
        spread: metric -> sample standard deviation over the runs (n - 1); empty for one run.
    """

    spread: dict[str, float]
    runs: tuple[SeedRun, ...]

    @property
    def seeds(self) -> int:
        """Return the number of runs."""
        return len(self.runs)


@dataclass(frozen=True)
class SeedClipScores:
    """Hold the results clip by clip, in stored order.

    Attributes:
        ids: N clip ids.
        speakers: N groups that the intervals resample.
        scores: (R, N, E) of each run, in [0, 1].
        truth: (N, E) 0 or 1.
    """

    ids: tuple[str, ...]
    speakers: tuple[str, ...]
    scores: np.ndarray
    truth: np.ndarray


@dataclass(frozen=True)
class SeedsSummary(SeedsMean):
    """Hold the mean over runs, with every run's scores of every clip."""

    per_clip: SeedClipScores

    def check(self) -> None:
        """Raise `DataError` if labels, clips, scores and thresholds do not belong together."""
        clips, n, e = self.per_clip, len(self.per_clip.ids), len(self.labels)
        check_sizes(
            "data",
            {
                "per_class": ((len(set(self.per_class) & set(self.labels)),), (e,)),
                **{f"runs[{i}].thresholds": ((len(run.thresholds),), (e,)) for i, run in enumerate(self.runs)},
                "per_clip.speakers": ((len(clips.speakers),), (n,)),
                "per_clip.scores": (clips.scores.shape, (len(self.runs), n, e)),
                "per_clip.truth": (clips.truth.shape, (n, e)),
            },
        )


def mean_from_schema_1(data: dict[str, Json]) -> dict[str, Json]:
    """Return the fields of `SeedsMean` in a record of schema 1."""
    kept = ("split", "top_p", "labels", "clips", "speakers", "trivial", "spread")
    return {
        **{name: data[name] for name in kept},
        "average": average_from_schema_1(data),
        "macs_ratio": data.get("macs_ratio"),
        "per_class": {label: _class_from_schema_1(members(row)) for label, row in members(data["per_class"]).items()},
        "interval": interval_from_schema_1(members(data["interval"])),
        "runs": [_run_from_schema_1(members(run)) for run in items(data["runs"])],
    }


def _class_from_schema_1(row: dict[str, Json]) -> dict[str, Json]:
    positives = row["positives"]
    whole = round(positives) if isinstance(positives, int | float) else positives
    return {**{name: row[name] for name in METRICS}, "positives": whole}


def _run_from_schema_1(run: dict[str, Json]) -> dict[str, Json]:
    return {
        **{name: run[name] for name in ("checkpoint", "seed", "macs_ratio", "thresholds")},
        "average": average_from_schema_1(run),
        "interval": interval_from_schema_1(members(run["interval"])),
    }


def from_schema_1(data: dict[str, Json]) -> dict[str, Json]:
    """Return a summary of schema 1 in today's form."""
    rows = members(data["per_clip"])
    per_clip: Json = {"ids": rows["id"], "speakers": rows["speaker"], "scores": rows["scores"], "truth": rows["truth"]}
    return mean_from_schema_1(data) | {"per_clip": per_clip}
