"""Find the 68 landmarks of dlib's numbering among the head's vertices, by their position on the canonical face."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from mesm.data.marionette.head import SKIN, Head
from mesm.vocabulary import MIRRORED_LANDMARKS

#: dlib number (from 0) -> canonical x, y, for the half of the face on the picture's left and the middle line;
#: a line or two each: jaw, brow, nose, eye, lips outside and inside.
_PLACES: dict[int, tuple[float, float]] = {
    0: (-0.66, 6.75), 1: (-0.65, 6.60), 2: (-0.63, 6.43), 3: (-0.60, 6.27), 4: (-0.53, 6.10), 5: (-0.43, 5.97),
    6: (-0.30, 5.87), 7: (-0.15, 5.81), 8: (0.0, 5.79),
    17: (-0.48, 6.97), 18: (-0.40, 7.04), 19: (-0.31, 7.07), 20: (-0.21, 7.05), 21: (-0.12, 7.00),
    27: (0.0, 6.80), 28: (0.0, 6.70), 29: (0.0, 6.60), 30: (0.0, 6.50), 31: (-0.13, 6.41), 32: (-0.07, 6.40),
    33: (0.0, 6.39),
    36: (-0.43, 6.80), 37: (-0.36, 6.855), 38: (-0.25, 6.86), 39: (-0.16, 6.78), 40: (-0.25, 6.755),
    41: (-0.36, 6.755),
    48: (-0.235, 6.17), 49: (-0.16, 6.23), 50: (-0.06, 6.285), 51: (0.0, 6.27), 57: (0.0, 6.07),
    58: (-0.08, 6.08), 59: (-0.16, 6.115),
    60: (-0.20, 6.175), 61: (-0.08, 6.20), 62: (0.0, 6.19), 66: (0.0, 6.165), 67: (-0.08, 6.17),
}  # fmt: skip
_UPPER_LID, _LOWER_LID = (37, 38), (40, 41)
_UPPER_LIP, _LOWER_LIP = (61, 62), (66, 67)


@lru_cache(maxsize=2)
def landmark_vertices(head: Head) -> np.ndarray:
    """Find the (68,) vertex of each landmark.

    Lids and lips that touch at rest are distinguished by what moves them: the blink, the jaw.
    """
    x, y, z = head.canonical.T
    skin = np.zeros(len(x), bool)
    skin[np.unique(head.triangles[head.group == SKIN])] = True
    blink = np.linalg.norm(head.face_unit("eyeBlinkLeft") + head.face_unit("eyeBlinkRight"), axis=1)
    jaw = np.linalg.norm(head.face_unit("jawOpen"), axis=1)
    closing, dropping = blink > 0.35 * blink.max(), jaw > 0.5 * jaw[head.lips].max()
    allowed = {
        **dict.fromkeys(_UPPER_LID, closing),
        **dict.fromkeys(_LOWER_LID, ~closing),
        **dict.fromkeys(_UPPER_LIP, ~dropping),
        **dict.fromkeys(_LOWER_LIP, dropping),
    }
    vertices = np.full(68, -1)
    for number, (place_x, place_y) in _PLACES.items():
        # Of two surfaces one behind the other, the one towards the viewer; the jaw's outline lies at the side anyway.
        towards = 0.0 if number < 8 else 0.004 * (1.6 - z)
        usable = skin & allowed.get(number, skin)
        for target, side in ((number, 1), (MIRRORED_LANDMARKS[number], -1)):
            cost = (x - side * place_x) ** 2 + (y - place_y) ** 2 + towards
            vertices[target] = int(np.argmin(np.where(usable, cost, np.inf)))
    assert vertices.min() >= 0
    return vertices


def landmarks(head: Head, points: np.ndarray) -> np.ndarray:
    """Return the landmarks among projected vertices. (V, 2) -> (68, 2)."""
    return points[landmark_vertices(head)]
