"""Hold the evaluation of one checkpoint on one split: scores, intervals over speakers, trivial rows, cost per clip.

`ScoredModel` is what a line of Table 3 or 4 needs; an `Evaluation` is one of one checkpoint, a `seeds.SeedsMean` the
mean over several.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mesm.errors import DataError
from mesm.estimate import Estimate, counted, decimal_text
from mesm.json_form import Json, items, members

#: Metrics of `Scores`, in the order of its fields.
METRICS = ("accuracy", "wacc", "f1", "weighted_f1", "auc")


@dataclass(frozen=True)
class Scores:
    """Hold the metrics in percent (paper, section 5.2); None where a metric is undefined, e.g. without positives."""

    accuracy: float | None
    wacc: float | None
    f1: float | None
    weighted_f1: float | None = None
    auc: float | None = None


@dataclass(frozen=True)
class ClassScores(Scores):
    """Hold the metrics of one emotion, and how many clips have it."""

    positives: int = 0


@dataclass(frozen=True)
class TimedOn:
    """Hold the machine that milliseconds were measured on, one clip alone, on a CPU as processor time.

    Attributes:
        device: "cpu" or "cuda".
        machine: name of the processor or graphics card; "" in older records.
        date: day of the measurement, such as 2026-11-30; "" in older records.
    """

    device: str
    threads: int
    machine: str = ""
    date: str = ""

    def words(self) -> str:
        """Return the clock, the machine and the day for a caption."""
        threads = counted(self.threads, "thread")
        clock = f"processor time of {threads}" if self.device == "cpu" else self.device
        return ", ".join(filter(None, (clock, self.machine, self.date)))


@dataclass(frozen=True)
class Interval:
    """Hold a 95 % interval over speakers."""

    low: float
    high: float

    def words(self) -> str:
        """Return "76.1 to 78.4", as percentages are printed."""
        return f"{decimal_text(self.low, 1)} to {decimal_text(self.high, 1)}"


@dataclass(frozen=True)
class ClipScores:
    """Hold the results clip by clip, in stored order.

    Attributes:
        ids: N clip ids.
        speakers: N groups that the intervals resample.
        scores: (N, E) in [0, 1], rounded to 4 places.
        truth: (N, E) 0 or 1.
        conv_stack_ratio: (N,) multiply-adds of the convolution stack over FE2E's, NaN for a clip without face and sound;
            empty for a model without one.
    """

    ids: tuple[str, ...]
    speakers: tuple[str, ...]
    scores: np.ndarray
    truth: np.ndarray
    conv_stack_ratio: np.ndarray


@dataclass(frozen=True)
class ScoredModel:
    """Hold the scores of one model on one split at one top-p, as a line of Table 3 or 4 prints them.

    Attributes:
        top_p: nucleus mass; None for a model without attention.
        labels: E emotions that checkpoint and corpus share, in the checkpoint's order.
        average: mean over the emotions.
        per_class: emotion -> metrics.
        interval: metric -> interval of its average; a metric without one is missing.
        trivial: "never", "always" and "chance" -> metrics of answering so.
        macs_ratio: multiply-adds of the convolution stack over FE2E's, mean over the clips; None for a model without one.
    """

    split: str
    top_p: float | None
    labels: tuple[str, ...]
    clips: int
    speakers: int
    average: Scores
    per_class: dict[str, ClassScores]
    interval: dict[str, Interval]
    trivial: dict[str, Scores]
    macs_ratio: float | None

    @property
    def seeds(self) -> int:
        """Return the number of trained models whose mean this is."""
        return 1


def check_sizes(where: str, sizes: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]) -> None:
    """Raise `DataError` for the first part of a record that does not have the size that it must have.

    Args:
        sizes: name of the part -> its size and the size that it must have.
    """
    for name, (size, right) in sizes.items():
        if size != right:
            raise DataError(f"{where}.{name} has the size {size}; the record's clips and labels give {right}")


@dataclass(frozen=True)
class Evaluation(ScoredModel):
    """Hold the scores of one checkpoint, with its clips.

    Attributes:
        left_out: labels of the checkpoint that the corpus lacks.
        thresholds: (E,) decision thresholds, chosen on the checkpoint's validation split; None for a label without a
            decision, because that split could not decide it.
        branches: modality -> emotion -> AUC in percent of that branch's own scores.
        macs_ratio_range: 5th, 50th and 95th percentile of `ClipScores.conv_stack_ratio`.
        macs: stage -> mean multiply-adds per clip.
        notes: sentences on clips that were left out, or queried by the neutral sentence.
    """

    left_out: tuple[str, ...]
    thresholds: tuple[float | None, ...]
    branches: dict[str, dict[str, float | None]]
    macs_ratio_range: tuple[float, float, float] | None
    macs: dict[str, int]
    per_clip: ClipScores
    notes: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise `DataError` if labels, clips, scores and thresholds do not belong together."""
        clips, n, e = self.per_clip, len(self.per_clip.ids), len(self.labels)
        check_sizes(
            "data",
            {
                "per_class": ((len(set(self.per_class) & set(self.labels)),), (e,)),
                "thresholds": ((len(self.thresholds),), (e,)),
                "per_clip.speakers": ((len(clips.speakers),), (n,)),
                "per_clip.scores": (clips.scores.shape, (n, e)),
                "per_clip.truth": (clips.truth.shape, (n, e)),
            },
        )


def scores_from(summary: Mapping[str, Any]) -> Scores:
    """Return the averages in a dict of metrics (`mesm.training.metrics.summarise`)."""
    return Scores(**{name: summary.get(name) for name in METRICS})


def class_scores_from(per_class: Mapping[str, Mapping[str, Any]]) -> dict[str, ClassScores]:
    """Return the metrics per emotion in a dict of dicts; a mean number of positives becomes a whole one."""
    return {
        label: ClassScores(**{name: row.get(name) for name in METRICS}, positives=round(row["positives"]))
        for label, row in per_class.items()
    }


def intervals_from(estimates: Mapping[str, Estimate]) -> dict[str, Interval]:
    """Return metric -> interval, without those that are undefined or of too few speakers."""
    return {n: Interval(e.low, e.high) for n, e in estimates.items() if e.low is not None and e.high is not None}


def average_from_schema_1(data: dict[str, Json]) -> dict[str, Json]:
    """Return the averages that schema 1 kept beside everything else."""
    return {name: data[name] for name in METRICS if name in data}


def interval_from_schema_1(data: dict[str, Json]) -> dict[str, Json]:
    """Return schema 1's [low, high] pairs as `Interval`s."""
    return {name: dict(zip(("low", "high"), items(ends), strict=True)) for name, ends in data.items()}


def from_schema_1(data: dict[str, Json]) -> dict[str, Json]:
    """Return an evaluation of schema 1 in today's form."""
    rows = members(data["per_clip"])
    same = (
        "split",
        "top_p",
        "labels",
        "left_out",
        "clips",
        "speakers",
        "thresholds",
        "per_class",
        "branches",
        "trivial",
    )
    return {
        **{name: data[name] for name in (*same, "macs_ratio", "macs_ratio_range", "macs")},
        "average": average_from_schema_1(data),
        "interval": interval_from_schema_1(members(data["interval"])),
        "per_clip": {
            "ids": rows["id"],
            "speakers": rows["speaker"],
            **{name: rows[name] for name in ("scores", "truth", "conv_stack_ratio")},
        },
    }
