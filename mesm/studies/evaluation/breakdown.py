"""Break an evaluation down, from its record alone: slices, confusion, co-occurrence, calibration; count splits.

Shape legend: N clips, E emotions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mesm.data.store import IndexRow
from mesm.errors import ConfigError
from mesm.estimate import decimal_text
from mesm.records.evaluation import Evaluation, Interval, intervals_from
from mesm.statistics import wilson_interval
from mesm.training import metrics
from mesm.vocabulary import order_splits

#: A slice of fewer clips is counted but not scored.
FEWEST_CLIPS = 5
DRAWS = 300
#: Row of the confusion table for clips that show none of the emotions, column for clips in which none is decided.
NONE = "none"


@dataclass(frozen=True)
class ScoredClips:
    """Hold the clips of an evaluation: (N, E) scores in [0, 1], (N, E) truth, (E,) thresholds."""

    ids: tuple[str, ...]
    labels: tuple[str, ...]
    scores_NE: np.ndarray
    truth_NE: np.ndarray
    thresholds_E: np.ndarray

    @property
    def decided_NE(self) -> np.ndarray:
        """Return the decisions, (N, E) bool: True where the score reaches its threshold."""
        return self.scores_NE >= self.thresholds_E


def scored_clips(evaluation: Evaluation) -> ScoredClips:
    """Return the clips of an evaluation."""
    clips, shape = evaluation.per_clip, (-1, len(evaluation.labels))
    return ScoredClips(
        clips.ids,
        evaluation.labels,
        np.asarray(clips.scores, float).reshape(shape),
        np.asarray(clips.truth, bool).reshape(shape),
        np.array(evaluation.thresholds, float),
    )


def wacc_of_part(evaluation: Evaluation, clip_ids: Collection[str]) -> float | None:
    """Return WAcc in percent over a part of an evaluation's clips, at its thresholds; None where it is undefined."""
    clips = scored_clips(evaluation)
    part = np.array([clip in clip_ids for clip in clips.ids], bool)
    if not part.any():
        return None
    wacc = metrics.summarise(clips.scores_NE[part], clips.truth_NE[part], clips.thresholds_E, clips.labels)["wacc"]
    return None if wacc is None else float(wacc)


def confusion(clips: ScoredClips) -> tuple[tuple[str, ...], np.ndarray]:
    """Count which emotion scores highest in the clips that show each emotion.

    A clip that shows several counts in the row of each. The last row is the clips that show none; the last column the
    clips in which no score reaches its threshold.

    Returns:
        names of the columns, and (E + 1, E + 1) counts.
    """
    truth, columns = _rows_and_columns(clips)
    return (*clips.labels, NONE), (truth.T.astype(float) @ columns).astype(int)


def confusion_clips(clips: ScoredClips, true: str, top: str) -> tuple[str, ...]:
    """Return the ids of the clips in one cell of `confusion`.

    Args:
        true: name of the row, a label or `NONE`.
        top: name of the column.

    Raises:
        ConfigError: there is no such row or column.
    """
    names = (*clips.labels, NONE)
    if unknown := [name for name in (true, top) if name not in names]:
        raise ConfigError(f"the confusion has no {unknown[0]!r}; it has {', '.join(names)}")
    truth, columns = _rows_and_columns(clips)
    inside = truth[:, names.index(true)] & (columns[:, names.index(top)] > 0)
    return tuple(clip for clip, yes in zip(clips.ids, inside, strict=True) if yes)


def _rows_and_columns(clips: ScoredClips) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows (N, E + 1) bool and the column (N, E + 1) one-hot of each clip in the confusion."""
    strongest = np.where(clips.decided_NE.any(axis=1), clips.scores_NE.argmax(axis=1), len(clips.labels))
    truth = np.concatenate([clips.truth_NE, ~clips.truth_NE.any(axis=1, keepdims=True)], axis=1)
    return truth, np.eye(len(clips.labels) + 1)[strongest]


def cooccurrence(matrix_NE: np.ndarray) -> np.ndarray:
    """Count the clips that have both of two emotions: (E, E); the diagonal counts those that have one."""
    has = matrix_NE.astype(int)
    return has.T @ has


@dataclass(frozen=True)
class Bin:
    """Hold the scores between two edges: number, mean, and share that is true with Wilson's 95 % interval."""

    low: float
    high: float
    count: int
    mean_score: float
    share_true: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Reliability:
    """Hold how well scores match the share that is true.

    Attributes:
        ece: expected calibration error, the mean distance of score and share weighted by the bins' sizes (Guo et al.
            2017).
        brier: mean squared distance of score and truth; both are None without scores.
    """

    bins: tuple[Bin, ...]
    ece: float | None
    brier: float | None


def reliability(clips: ScoredClips, emotion: str = "", bins: int = 10) -> Reliability:
    """Compare scores with the truth over equal bins of [0, 1]; empty bins are left out.

    Args:
        emotion: one of the labels; "" pools the scores of all.

    Raises:
        ConfigError: there is no such emotion.
    """
    column = _columns_of(clips, emotion)
    scores, truth = clips.scores_NE[:, column].ravel(), clips.truth_NE[:, column].ravel()
    bin_of = _bins_of(scores, bins)
    made = []
    for b in range(bins):
        inside = bin_of == b
        if inside.any():
            true, count = int(truth[inside].sum()), int(inside.sum())
            mean, interval = float(scores[inside].mean()), wilson_interval(true, count)
            made.append(Bin(b / bins, (b + 1) / bins, count, mean, true / count, interval))
    if not len(scores):
        return Reliability((), None, None)
    ece = sum(b.count * abs(b.mean_score - b.share_true) for b in made) / len(scores)
    return Reliability(tuple(made), float(ece), float(((scores - truth) ** 2).mean()))


def bin_clips(clips: ScoredClips, emotion: str, number: int, bins: int = 10) -> tuple[str, ...]:
    """Return the ids of the clips with a score in one bin of `reliability`.

    Args:
        number: of the bin, from 0.

    Raises:
        ConfigError: there is no such emotion or bin.
    """
    if not 0 <= number < bins:
        raise ConfigError(f"there is no bin {number} of scores; it must be 0 to {bins - 1}")
    inside = (_bins_of(clips.scores_NE[:, _columns_of(clips, emotion)], bins) == number).any(axis=1)
    return tuple(clip for clip, yes in zip(clips.ids, inside, strict=True) if yes)


def _columns_of(clips: ScoredClips, emotion: str) -> list[int]:
    if emotion and emotion not in clips.labels:
        raise ConfigError(f"--emotion {emotion!r} must be one of {', '.join(clips.labels)}")
    return [clips.labels.index(emotion)] if emotion else list(range(len(clips.labels)))


def _bins_of(scores: np.ndarray, bins: int) -> np.ndarray:
    """Return the number of each score's bin; 1 belongs to the last."""
    return np.minimum((scores * bins).astype(int), bins - 1)


@dataclass(frozen=True)
class Slice:
    """Hold the scores of clips that share something (percent; None where undefined or with too few clips)."""

    group: str
    name: str
    clips: int
    speakers: int
    wacc: float | None = None
    interval: Interval | None = None
    f1: float | None = None
    accuracy: float | None = None


def slices(clips: ScoredClips, rows: Mapping[str, IndexRow]) -> tuple[Slice, ...]:
    """Score parts of an evaluation: by number and intensity of emotions, length, quality flag and speaker.

    Args:
        rows: clip id -> its index row; clips without one are left out.
    """
    known = [i for i, clip in enumerate(clips.ids) if clip in rows]
    known_rows = [rows[clips.ids[i]] for i in known]
    index = np.array(known, int)
    made = [_slice(clips, index, known_rows, "all", "all", np.ones(len(known), bool))]
    for group, names in _groups(known_rows):
        for name in dict.fromkeys(sorted(names)):
            made.append(_slice(clips, index, known_rows, group, name[1], np.array([n == name for n in names])))
    return tuple(made)


def slice_clips(clips: ScoredClips, rows: Mapping[str, IndexRow], group: str, name: str) -> tuple[str, ...]:
    """Return the ids of the clips of one of the `slices`.

    Raises:
        ConfigError: there is no such slice.
    """
    known = [clip for clip in clips.ids if clip in rows]
    if group == "all":
        return tuple(known)
    for other, names in _groups([rows[clip] for clip in known]):
        if other == group and (ids := tuple(c for c, n in zip(known, names, strict=True) if n[1] == name)):
            return ids
    raise ConfigError(f"there is no slice {group} {name!r} of these clips")


def _groups(rows: Sequence[IndexRow]) -> Iterator[tuple[str, list[tuple[float, str]]]]:
    """Yield each group with a sort key and slice name per clip; a group with a single slice is left out."""
    if not rows:
        return
    middle = float(np.median([row.duration_s for row in rows]))
    counted = [min(len(row.present), 2) for row in rows]
    strongest = [max((row.labels or {}).values(), default=0.0) for row in rows]
    groups: list[tuple[str, list[tuple[float, str]]]] = [
        ("emotions", [(n, ("none", "one", "several")[n]) for n in counted]),
        ("strongest", [(v, f"intensity {v:g}" if v else "none") for v in np.round(strongest, 1).tolist()]),
        ("length", [(row.duration_s > middle, f"{'over' if row.duration_s > middle else 'up to'} {decimal_text(middle, 1)} s")
                    for row in rows]),
        ("quality", [(bool(row.quality), (row.quality[0].replace("_", " ") if row.quality else "no flag"))
                     for row in rows]),
        ("speaker", [(0, row.speaker or "unknown") for row in rows]),
    ]  # fmt: skip
    for group, names in groups:
        if len(set(names)) > 1 and not (group == "strongest" and len(set(names)) <= 2):
            yield group, names


def _slice(
    clips: ScoredClips, index: np.ndarray, rows: Sequence[IndexRow], group: str, name: str, chosen: np.ndarray
) -> Slice:
    which = index[chosen]
    speakers = np.array([row.group for row, yes in zip(rows, chosen, strict=True) if yes])
    if len(which) < FEWEST_CLIPS:
        return Slice(group, name, len(which), len(set(speakers)))
    scores, truth = clips.scores_NE[which], clips.truth_NE[which]
    summary = metrics.summarise(scores, truth, clips.thresholds_E, clips.labels)
    interval = intervals_from(metrics.mean_estimates([(scores, clips.thresholds_E)], truth, speakers, draws=DRAWS))
    scored = (summary["wacc"], interval.get("wacc"), summary["f1"], summary["accuracy"])
    return Slice(group, name, len(which), len(set(speakers)), *scored)


@dataclass(frozen=True)
class SplitCount:
    """Hold the counts of one split of a corpus (Tables 1 and 2 of the paper)."""

    split: str
    clips: int
    speakers: int
    per_emotion: dict[str, int]
    words: float
    duration_s: float


def split_counts(rows: Sequence[IndexRow], labels: Sequence[str]) -> tuple[SplitCount, ...]:
    """Count clips, speakers, clips per emotion, and average words and seconds, per split."""
    made = []
    for split in order_splits(row.split for row in rows):
        members = [row for row in rows if row.split == split]
        speakers = len({row.speaker for row in members if row.speaker})
        per_emotion = {label: sum(label in row.present for row in members) for label in labels}
        words = float(np.mean([len(row.text.split()) for row in members]))
        seconds = float(np.mean([row.duration_s for row in members]))
        made.append(SplitCount(split, len(members), speakers, per_emotion, words, seconds))
    return tuple(made)
