"""Define action units as displacements of the head, and the emotions' prototypes as action units.

FACS names what each unit moves (Ekman, Friesen & Hager 2002); the displacement is a mixture of the mesh's ARKit-like
face units and two fields of our own (the corrugator, and lips drawn to a line), which those lack.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mesm.data.marionette.head import Head


def _both(stem: str, weight: float) -> list[tuple[str, float]]:
    return [(f"{stem}Left", weight), (f"{stem}Right", weight)]


#: Action unit -> face units with weights at intensity 1.
UNITS: dict[int, list[tuple[str, float]]] = {
    1: [("browInnerUp", 1.25)],
    2: _both("browOuterUp", 1.0),
    4: [*_both("browDown", 0.75), ("corrugator", 1.0)],
    5: _both("eyeWide", 1.0),
    6: _both("cheekSquint", 1.0),
    7: [*_both("eyeSquint", 1.3), *_both("eyeBlink", 0.18)],
    9: _both("noseSneer", 1.3),
    10: _both("mouthUpperUp", 1.2),
    12: _both("mouthSmile", 0.9),
    15: _both("mouthFrown", 1.15),
    16: _both("mouthLowerDown", 0.9),
    17: [("mouthShrugLower", 1.0)],
    20: _both("mouthStretch", 1.1),
    23: [("mouthRollUpper", 0.45), ("mouthRollLower", 0.55), ("lip_line", 0.8)],
    24: [*_both("mouthPress", 0.6), ("mouthRollUpper", 0.4), ("mouthRollLower", 0.5), ("lip_line", 0.6)],
    25: [*_both("mouthLowerDown", 0.8), *_both("mouthUpperUp", 0.4)],
    26: [("jawOpen", 1.0)],
    45: _both("eyeBlink", 0.9),
}
#: Column order of every table of action units.
AU_NUMBERS: tuple[int, ...] = tuple(UNITS)
AU_COLUMN: dict[int, int] = {number: column for column, number in enumerate(AU_NUMBERS)}
#: Units that change how much of the eyeball is seen: it belongs to their region.
_EYE_UNITS = (5, 7, 45)
#: A surface point belongs to a unit's region if it moves by more than this share of the largest shift.
REGION_SHARE = 0.35

#: Emotion -> weight of each unit at full intensity; a choice among the codebooks (Ekman & Friesen 1978, table 11-1;
#: Matsumoto & Ekman 2008; Du, Tao & Martinez 2014), with secondary units as these report them.
PROTOTYPES: dict[str, dict[int, float]] = {
    "anger": {4: 1.15, 5: 0.5, 7: 0.7, 17: 0.25, 23: 0.9, 24: 0.5},
    "disgust": {7: 0.35, 9: 1.1, 10: 0.9, 15: 0.35, 16: 0.35, 17: 0.25},
    "fear": {1: 1.0, 2: 0.55, 4: 0.4, 5: 1.0, 20: 0.95, 25: 0.5, 26: 0.2},
    "happiness": {6: 0.9, 12: 1.0, 25: 0.45},
    "sadness": {1: 1.0, 4: 0.3, 15: 1.0, 17: 0.5},
    "surprise": {1: 0.9, 2: 1.0, 5: 0.85, 25: 0.25, 26: 0.75},
}


def _corrugator(head: Head) -> np.ndarray:
    """Move brows together and down at their inner ends; the upper lid, just below, is left alone."""
    x, y, z = head.canonical.T
    height = np.where(y < 6.98, 0.065, 0.13)
    pull = np.exp(-(((np.abs(x) - 0.19) / 0.13) ** 2) - ((y - 6.98) / height) ** 2) * (z > 0.7)
    inwards = -np.sign(x) * 0.050 * pull * np.clip(np.abs(x) / 0.08, 0, 1)
    return np.stack([inwards, -0.062 * pull, 0.010 * pull], axis=-1)


def _lip_line(head: Head) -> np.ndarray:
    """Move lips towards the line of the mouth and inwards."""
    x, y, z = head.canonical.T
    _, mouth_y, mouth_z = head.mouth_centre
    pull = np.exp(-((x / 0.30) ** 4) - ((y - mouth_y) / 0.13) ** 2) * (z > mouth_z - 0.25)
    return np.stack([0 * x, -0.30 * (y - mouth_y) * pull, -0.02 * pull], axis=-1)


_FIELDS = {"corrugator": _corrugator, "lip_line": _lip_line}


def face_unit(head: Head, name: str) -> np.ndarray:
    """Return the displacement (V, 3) float32 of one face unit or of one of the fields of this file."""
    return _FIELDS[name](head).astype(np.float32) if name in _FIELDS else head.face_unit(name)


@lru_cache(maxsize=2)
def displacements(head: Head) -> np.ndarray:
    """Compute the shift of every vertex by every action unit at intensity 1. (A, V, 3) float32, canonical decimetres."""
    shifts = [np.sum([weight * face_unit(head, name) for name, weight in units], axis=0) for units in UNITS.values()]
    return np.stack(shifts).astype(np.float32)


@lru_cache(maxsize=2)
def strengths(head: Head) -> np.ndarray:
    """Compute (A, V) float32 in [0, 1]: length of each vertex's shift relative to its unit's largest."""
    lengths = np.linalg.norm(displacements(head), axis=2)
    lengths /= lengths.max(axis=1, keepdims=True)
    for number in _EYE_UNITS:
        lengths[AU_COLUMN[number], head.eyes] = 1.0
    return np.ascontiguousarray(lengths, np.float32)


def prototype_vector(emotion: str) -> np.ndarray:
    """Return (A,) weights of one emotion at full intensity."""
    vector = np.zeros(len(AU_NUMBERS), np.float32)
    for number, weight in PROTOTYPES[emotion].items():
        vector[AU_COLUMN[number]] = weight
    return vector
