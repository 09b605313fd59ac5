"""Hold a sweep of top-p: the scores, the cost and the time of one checkpoint at each value (Figure 5 of the paper)."""

from __future__ import annotations

from dataclasses import dataclass, field

from mesm.errors import DataError
from mesm.json_form import Json, items, members
from mesm.records.evaluation import (
    Interval,
    Scores,
    TimedOn,
    average_from_schema_1,
    check_sizes,
    interval_from_schema_1,
)


@dataclass(frozen=True)
class LayerMacs:
    """Hold the mean multiply-adds per clip of one layer.

    Attributes:
        modality: "text", "visual" or "acoustic".
        stage: a key of `mesm.figures.style.STAGE_WORDS`.
        layer: its name in the model, such as "block2.conv1".
    """

    modality: str
    stage: str
    layer: str
    macs: int


@dataclass(frozen=True)
class SweepPoint:
    """Hold the results of one model at one top-p.

    Attributes:
        top_p: nucleus mass; None for a model without attention.
        average: mean over the emotions, with `thresholds`.
        interval: metric -> 95 % interval over speakers.
        macs_ratio: mean over the clips of the multiply-adds of the convolution stack, as a share of FE2E's.
        macs_ratio_range: its 5th, 50th and 95th percentile.
        ms_per_clip: median milliseconds of one clip alone (`studies.evaluation.timing`); of whole batches in a sweep
            without `Sweep.timed_on`.
        per_clip_ratio: `macs_ratio` of every clip, in the order of `Sweep.clip_ids`; None without face and sound.
        thresholds: (E,) decision thresholds; None for a label without a decision. At the checkpoint's own top-p, and for
            a model without attention, those of the checkpoint, so that the point equals its evaluation.
        macs: stage or total -> mean multiply-adds per clip; empty in the oldest records.
        macs_by_layer: in the order in which a clip passes the layers; empty in the oldest records.
    """

    top_p: float | None
    average: Scores
    interval: dict[str, Interval]
    macs_ratio: float
    macs_ratio_range: tuple[float, float, float]
    ms_per_clip: float
    per_clip_ratio: tuple[float | None, ...]
    thresholds: tuple[float | None, ...]
    macs: dict[str, int] = field(default_factory=dict)
    macs_by_layer: tuple[LayerMacs, ...] = ()


@dataclass(frozen=True)
class DenseReference:
    """Hold FE2E's scores and times, measured by the same rules in the same process as the sweep.

    Attributes:
        checkpoint: its name.
        sha256: digest of its weights.
    """

    checkpoint: str
    sha256: str
    point: SweepPoint


@dataclass(frozen=True)
class Sweep:
    """Hold the results of one checkpoint at P values of top-p.

    Attributes:
        split: the split that is scored; the thresholds come from the validation split.
        labels: E emotions that checkpoint and corpus share, in the checkpoint's order.
        points: P points, in the order in which the values were given.
        elbow: top-p of the point with the largest distance of WAcc above the chord over `macs_ratio` (Kneedle); None
            where it is undefined: fewer than three points with a WAcc, or the same WAcc at all of them.
        trivial: "never", "always" and "chance" -> metrics of answering so.
        clip_ids: N ids of the scored clips.
        top_p_range: range from which training drew top-p; () if training used one value.
        reference: None for a sweep without FE2E.
        positives: (E,) clips that show each emotion; empty in records of earlier versions.
        own_thresholds: whether the corpus has no validation split, so that each point has the checkpoint's thresholds.
        notes: sentences on clips that were left out, or queried by the neutral sentence.
        timed_on: machine of every `ms_per_clip`; None in records whose times cannot be compared with others.
    """

    split: str
    labels: tuple[str, ...]
    clips: int
    speakers: int
    points: tuple[SweepPoint, ...]
    elbow: float | None
    trivial: dict[str, Scores]
    clip_ids: tuple[str, ...]
    top_p_range: tuple[float, ...] = ()
    reference: DenseReference | None = None
    positives: tuple[int, ...] = ()
    own_thresholds: bool = False
    notes: tuple[str, ...] = ()
    timed_on: TimedOn | None = None

    def check(self) -> None:
        """Raise `DataError` if points, labels and clips do not belong together."""
        points = [*self.points, *((self.reference.point,) if self.reference else ())]
        for i, point in enumerate(points):
            check_sizes(
                f"data.points[{i}]",
                {
                    "thresholds": ((len(point.thresholds),), (len(self.labels),)),
                    "per_clip_ratio": ((len(point.per_clip_ratio),), (len(self.clip_ids),)),
                },
            )
        if not self.points or (self.elbow is not None and self.elbow_point is None):
            raise DataError(f"data.elbow is {self.elbow}; it must be the top-p of one of the {len(self.points)} points")

    @property
    def elbow_point(self) -> SweepPoint | None:
        """Return the point at the elbow; None where the elbow is undefined."""
        return next((point for point in self.points if self.elbow is not None and point.top_p == self.elbow), None)


def _point_from_schema_1(row: dict[str, Json]) -> dict[str, Json]:
    names = ("top_p", "macs_ratio", "macs_ratio_range", "ms_per_clip", "per_clip_ratio", "thresholds")
    return {
        **{name: row[name] for name in names},
        **{name: row[name] for name in ("macs", "macs_by_layer") if name in row},
        "average": average_from_schema_1(row),
        "interval": interval_from_schema_1(members(row["interval"])),
    }


def from_schema_1(data: dict[str, Json]) -> dict[str, Json]:
    """Return a sweep of schema 1 in today's form."""
    reference: Json = None
    if data.get("against"):
        against = members(data["against"])
        names = ("checkpoint", "sha256")
        reference = {**{name: against[name] for name in names}, "point": _point_from_schema_1(against)}
    return {
        **{name: data[name] for name in ("split", "labels", "clips", "speakers", "trivial", "clip_ids")},
        "points": [_point_from_schema_1(members(row)) for row in items(data["rows"])],
        "elbow": members(data["elbow"])["top_p"],
        "top_p_range": data.get("top_p_range", []),
        "reference": reference,
    }
