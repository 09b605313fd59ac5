"""What an evaluation's averages hide: slices, confusion, co-occurrence, calibration. From its record, without a model.

Shape legend: N clips, E emotions.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mesm.data.store import IndexRow
from mesm.statistics import wilson_interval
from mesm.training import metrics
from mesm.vocabulary import order_splits

#: A slice of fewer clips is counted but not scored.
FEWEST_CLIPS = 5
DRAWS = 300
#: Row of the confusion table for clips that show none of the emotions, column for clips in which none is decided.
NONE = "none"


@dataclass(frozen=True)
class Scored:
    """What a record keeps of each clip: (N, E) scores, truth and decisions."""

    ids: tuple[str, ...]
    labels: tuple[str, ...]
    scores_NE: np.ndarray
    truth_NE: np.ndarray
    thresholds_E: np.ndarray

    @property
    def decided_NE(self) -> np.ndarray:
        """Whether the score reaches its threshold."""
        return self.scores_NE >= self.thresholds_E


def scored(data: Mapping[str, Any]) -> Scored:
    """The clips of an evaluation's data."""
    clips = data["per_clip"]
    labels = tuple(data["labels"])
    shape = (-1, len(labels))
    return Scored(
        tuple(clips["id"]),
        labels,
        np.array(clips["scores"], float).reshape(shape),
        np.array(clips["truth"], bool).reshape(shape),
        np.array(data["thresholds"], float),
    )


def confusion(found: Scored) -> tuple[tuple[str, ...], np.ndarray]:
    """Which emotion scores highest in the clips that show each emotion.

    A clip that shows several counts in the row of each. The last row is the clips that show none; the last column the
    clips in which no score reaches its threshold.

    Returns:
        names of the columns, and (E + 1, E + 1) counts.
    """
    strongest = np.where(found.decided_NE.any(axis=1), found.scores_NE.argmax(axis=1), len(found.labels))
    truth = np.concatenate([found.truth_NE, ~found.truth_NE.any(axis=1, keepdims=True)], axis=1)
    columns = np.eye(len(found.labels) + 1)[strongest]
    return (*found.labels, NONE), (truth.T.astype(float) @ columns).astype(int)


def cooccurrence(matrix_NE: np.ndarray) -> np.ndarray:
    """(E, E) number of clips that have both emotions, true or decided; the diagonal is the number that have one."""
    has = matrix_NE.astype(int)
    return has.T @ has


@dataclass(frozen=True)
class Bin:
    """Scores between two edges: how many, their mean, and how many of them are true, with Wilson's 95 % interval."""

    low: float
    high: float
    count: int
    mean_score: float
    share_true: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Reliability:
    """How far scores can be read as probabilities.

    Attributes:
        ece: expected calibration error, the mean distance of score and share weighted by the bins' sizes (Guo et al.
            2017).
        brier: mean squared distance of score and truth.
    """

    bins: tuple[Bin, ...]
    ece: float
    brier: float


def reliability(found: Scored, emotion: str = "", bins: int = 10) -> Reliability:
    """Calibration over equal bins of [0, 1]; empty bins are left out.

    Args:
        emotion: one of the labels; "" pools the scores of all.
    """
    column = [found.labels.index(emotion)] if emotion else list(range(len(found.labels)))
    scores, truth = found.scores_NE[:, column].ravel(), found.truth_NE[:, column].ravel()
    place = np.minimum((scores * bins).astype(int), bins - 1)
    made = []
    for b in range(bins):
        here = place == b
        if here.any():
            true = int(truth[here].sum())
            count = int(here.sum())
            share = true / count
            made.append(
                Bin(b / bins, (b + 1) / bins, count, float(scores[here].mean()), share, wilson_interval(true, count))
            )
    ece = sum(b.count * abs(b.mean_score - b.share_true) for b in made) / max(len(scores), 1)
    return Reliability(tuple(made), float(ece), float(((scores - truth) ** 2).mean()) if len(scores) else float("nan"))


@dataclass(frozen=True)
class Slice:
    """Clips that have something in common, and how they are scored (percent; None where it cannot be said)."""

    group: str
    name: str
    clips: int
    speakers: int
    wacc: float | None = None
    interval: tuple[float, float] | None = None
    f1: float | None = None
    accuracy: float | None = None


def slices(found: Scored, rows: Mapping[str, IndexRow]) -> tuple[Slice, ...]:
    """An evaluation by what is known of its clips: number and strength of emotions, length, quality, speaker.

    Args:
        rows: clip id -> what the corpus knows of it; clips that it does not have are left out.
    """
    known = [i for i, clip in enumerate(found.ids) if clip in rows]
    here = [rows[found.ids[i]] for i in known]
    index = np.array(known, int)
    made = [_slice(found, index, here, "all", "all", np.ones(len(here), bool))]
    for group, names in _groups(here):
        for name in dict.fromkeys(sorted(names)):
            made.append(_slice(found, index, here, group, name[1], np.array([n == name for n in names])))
    return tuple(made)


def _groups(rows: Sequence[IndexRow]) -> Iterator[tuple[str, list[tuple[float, str]]]]:
    """Group -> per clip a sort key and the name of its slice; a group with a single slice says nothing."""
    if not rows:
        return
    middle = float(np.median([row.duration_s for row in rows]))
    counted = [min(len(row.present), 2) for row in rows]
    strongest = [max((row.labels or {}).values(), default=0.0) for row in rows]
    groups: list[tuple[str, list[tuple[float, str]]]] = [
        ("emotions", [(n, ("none", "one", "several")[n]) for n in counted]),
        ("strongest", [(v, f"intensity {v:g}" if v else "none") for v in np.round(strongest, 1).tolist()]),
        ("length", [(row.duration_s > middle, f"{'over' if row.duration_s > middle else 'up to'} {middle:.1f} s")
                    for row in rows]),
        ("quality", [(bool(row.quality), (row.quality[0].replace("_", " ") if row.quality else "no flag"))
                     for row in rows]),
        ("speaker", [(0, row.speaker or "unknown") for row in rows]),
    ]  # fmt: skip
    for group, names in groups:
        if len(set(names)) > 1 and not (group == "strongest" and len(set(names)) <= 2):
            yield group, names


def _slice(
    found: Scored, index: np.ndarray, rows: Sequence[IndexRow], group: str, name: str, chosen: np.ndarray
) -> Slice:
    which = index[chosen]
    speakers = np.array([row.group for row, yes in zip(rows, chosen, strict=True) if yes])
    if len(which) < FEWEST_CLIPS:
        return Slice(group, name, len(which), len(set(speakers)))
    scores, truth = found.scores_NE[which], found.truth_NE[which]
    summary = metrics.summarise(scores, truth, found.thresholds_E, found.labels)
    interval = None
    if len(set(speakers)) > 1 and summary["wacc"] is not None:
        with warnings.catch_warnings():
            # A draw without both answers of any emotion has no WAcc and is left out of the percentiles.
            warnings.simplefilter("ignore", RuntimeWarning)
            interval = metrics.bootstrap_interval(scores, truth, found.thresholds_E, speakers, draws=DRAWS)["wacc"]
    return Slice(
        group, name, len(which), len(set(speakers)), summary["wacc"], interval, summary["f1"], summary["accuracy"]
    )


@dataclass(frozen=True)
class SplitCount:
    """One split of a corpus (Tables 1 and 2 of the paper)."""

    split: str
    clips: int
    speakers: int
    per_emotion: dict[str, int]
    words: float
    duration_s: float


def split_counts(rows: Sequence[IndexRow], labels: Sequence[str]) -> tuple[SplitCount, ...]:
    """Clips, speakers, clips per emotion, mean words and seconds of every split."""
    order = order_splits(row.split for row in rows)
    made = []
    for split in order:
        here = [row for row in rows if row.split == split]
        if here:
            made.append(
                SplitCount(
                    split,
                    len(here),
                    len({row.speaker for row in here if row.speaker}),
                    {label: sum(label in row.present for row in here) for label in labels},
                    float(np.mean([len(row.text.split()) for row in here])),
                    float(np.mean([row.duration_s for row in here])),
                )
            )
    return tuple(made)
