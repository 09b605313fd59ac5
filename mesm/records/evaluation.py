"""Hold the evaluation of one checkpoint on one split: scores, intervals over speakers, trivial rows, cost per clip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mesm.records.json_form import Json


@dataclass(frozen=True)
class Scores:
    """Metrics in percent (paper, section 5.2); None where a metric is undefined, e.g. without positives."""

    accuracy: float | None
    wacc: float | None
    f1: float | None
    weighted_f1: float | None = None
    auc: float | None = None


@dataclass(frozen=True)
class ClassScores(Scores):
    """Metrics of one emotion, and how many clips have it."""

    positives: int = 0


@dataclass(frozen=True)
class Interval:
    """A 95 % interval over speakers."""

    low: float
    high: float


@dataclass(frozen=True)
class ClipScores:
    """Results clip by clip, in stored order.

    Attributes:
        ids: N clip ids.
        speakers: N groups that the intervals resample.
        scores: (N, E) in [0, 1], rounded to 4 places.
        truth: (N, E) 0 or 1.
        conv_stack_ratio: (N,) multiply-adds of the convolution stack over FE2E's; empty for a model without one.
    """

    ids: tuple[str, ...]
    speakers: tuple[str, ...]
    scores: np.ndarray
    truth: np.ndarray
    conv_stack_ratio: np.ndarray


@dataclass(frozen=True)
class Evaluation:
    """One checkpoint on one split at one top-p.

    Attributes:
        top_p: nucleus mass; None for a model without attention.
        labels: E emotions that checkpoint and corpus share, in the checkpoint's order.
        left_out: labels of the checkpoint that the corpus lacks.
        thresholds: (E,) decision thresholds, chosen on the checkpoint's validation split.
        average: mean over the emotions.
        per_class: emotion -> metrics.
        interval: metric -> interval of its average; a metric without one is missing.
        branches: modality -> emotion -> AUC in percent of that branch's own scores.
        trivial: "never", "always" and "chance" -> metrics of answering so.
        macs_ratio: mean of `ClipScores.conv_stack_ratio`; None for a model without a convolution stack.
        macs_ratio_range: its 5th, 50th and 95th percentile.
        macs: stage -> mean multiply-adds per clip.
    """

    split: str
    top_p: float | None
    labels: tuple[str, ...]
    left_out: tuple[str, ...]
    clips: int
    speakers: int
    thresholds: tuple[float, ...]
    average: Scores
    per_class: dict[str, ClassScores]
    interval: dict[str, Interval]
    branches: dict[str, dict[str, float | None]]
    trivial: dict[str, Scores]
    macs_ratio: float | None
    macs_ratio_range: tuple[float, float, float] | None
    macs: dict[str, int]
    per_clip: ClipScores


def average_from_schema_1(data: dict[str, Any]) -> dict[str, Json]:
    """Return the averages that schema 1 kept beside everything else."""
    return {name: data[name] for name in ("accuracy", "wacc", "f1", "weighted_f1", "auc") if name in data}


def interval_from_schema_1(data: dict[str, Any]) -> dict[str, Json]:
    """Return schema 1's [low, high] pairs as `Interval`s."""
    return {name: {"low": low, "high": high} for name, (low, high) in data.items()}


def from_schema_1(data: dict[str, Any]) -> dict[str, Json]:
    """Return an evaluation of schema 1 in today's form."""
    rows = data["per_clip"]
    kept = (
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
        **{name: data[name] for name in kept},
        **{name: data[name] for name in ("macs_ratio", "macs_ratio_range", "macs")},
        "average": average_from_schema_1(data),
        "interval": interval_from_schema_1(data["interval"]),
        "per_clip": {
            "ids": rows["id"],
            "speakers": rows["speaker"],
            **{name: rows[name] for name in ("scores", "truth", "conv_stack_ratio")},
        },
    }
