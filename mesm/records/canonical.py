"""Hold one checkpoint's maps on the canonical face: every face's map moved onto one template and averaged.

A packed map is `SIZE` rows of words: hundredths, "-" where too few frames show the cell (`pack`, `unpack`); a mask is
rows of "0" and "1" (`unpack_mask`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesm.records.supervision import Supervision

#: Rows of one map or mask.
Rows = tuple[str, ...]
#: Key of the mean over all faces, beside the emotions.
ALL = "all"


@dataclass(frozen=True)
class CanonicalMaps:
    """Hold the mean maps of one attention: an emotion or `ALL` -> L packed maps.

    Attributes:
        kept: share of the frames that keep a cell.
        attention: attention as a multiple of a uniform map.
    """

    kept: dict[str, tuple[Rows, ...]]
    attention: dict[str, tuple[Rows, ...]]

    def of(self, kind: str) -> dict[str, tuple[Rows, ...]]:
        """Return the maps of "kept" or "attention"."""
        return self.kept if kind == "kept" else self.attention


@dataclass(frozen=True)
class MapDifference:
    """Hold the difference of two mean maps of kept sites, paired within speakers.

    Attributes:
        map: packed difference of the shares.
        significant: mask of the cells whose q is below the study's `alpha`.
        speakers: number of speakers with both sides.
    """

    map: Rows
    significant: Rows
    speakers: int


@dataclass(frozen=True)
class EmotionFrames:
    """Count the frames and speakers that show an emotion."""

    frames: int
    speakers: int


@dataclass(frozen=True)
class CanonicalFaces:
    """Hold the mean maps of one checkpoint on one split; means over speakers, each with the mean of their own frames.

    Attributes:
        layers: number L of attention layers.
        without_face: frames left out because the detector found no face.
        emotion_from: how a face's emotion is known, in words.
        window: x0, x1, y0, y1 of the template in canonical coordinates.
        outline: part of the face -> lines of (x, y) points.
        draws: sign patterns of the permutation test; `alpha` its false-discovery rate over the cells of a map.
        maps: "checkpoint", "random" (re-initialised attention) or a second checkpoint -> maps.
        differences: "others" (faces of other emotions), "wrong" (right minus wrong clips), "random" or a second
            checkpoint -> emotion -> L differences; None with too few speakers on both sides.
        supervision: of the checkpoint's attention in training; None in older records.
    """

    split: str
    top_p: float
    labels: tuple[str, ...]
    layers: int
    clips: int
    speakers: int
    frames: int
    without_face: int
    emotion_from: str
    window: tuple[float, float, float, float]
    outline: dict[str, tuple[tuple[tuple[float, float], ...], ...]]
    draws: int
    alpha: float
    maps: dict[str, CanonicalMaps]
    frames_per_emotion: dict[str, EmotionFrames]
    differences: dict[str, dict[str, tuple[MapDifference | None, ...]]]
    supervision: Supervision | None = None


def pack(values: np.ndarray) -> Rows:
    """Return a map (H, W) as H rows of hundredths, "-" for NaN."""
    return tuple(" ".join("-" if np.isnan(v) else str(round(100 * v)) for v in row) for row in values.tolist())


def unpack(rows: Rows) -> np.ndarray:
    """Return a packed map as (H, W) float, NaN where too few frames show a cell."""
    return np.array([[np.nan if v == "-" else int(v) / 100 for v in row.split()] for row in rows])


def unpack_mask(rows: Rows) -> np.ndarray:
    """Return a mask as (H, W) bool."""
    return np.array([[letter == "1" for letter in row] for row in rows])
