"""List where each action unit changes the face, in canonical face coordinates, with the sources.

Canonical coordinates: the origin lies between the eyes, one unit is the distance between the eyes' centres, x runs to
the right of the picture and y down. The five points are the mean of many aligned photographs (the template of Deng et
al. 2019, ArcFace, CVPR, from MTCNN's points). Shapes are drawn for the right half of the picture and mirrored.

Sources of the shapes:
    E  Ekman, Friesen & Hager 2002, Facial Action Coding System: which part of the skin each unit moves.
    J  Shao, Liu, Cai & Ma 2021, JAA-Net, IJCV 129:321-340: centres of units relative to 68 landmarks.
    B  Belharbi et al. 2024, FG, arXiv:2402.00281: ellipses over the eyes for 5 and 7, the box of the mouth for 26, 27.
    M  the mean of the true regions of rendered training faces, which set how far the skin moves along.
"""

from __future__ import annotations

import numpy as np

from mesm.vocabulary import MIRRORED_LANDMARKS

#: Left and right eye, nose, left and right corner of the mouth, as seen in the picture.
FIVE_POINTS = np.array([[-0.5, 0.0], [0.5, 0.0], [0.0, 0.57], [-0.414, 1.155], [0.414, 1.155]])


def _ellipse(x: float, y: float, width: float, height: float) -> list[tuple[float, float]]:
    """Return a polygon of 32 corners; half-axes `width` and `height`."""
    turn = np.linspace(0, 2 * np.pi, 32, endpoint=False)
    return [(round(float(x + width * np.cos(t)), 3), round(float(y + height * np.sin(t)), 3)) for t in turn]


_LIP_CORNER = [(0.33, 0.98), (0.45, 0.76), (0.7, 0.7), (0.93, 0.8), (0.86, 1.1), (0.66, 1.4), (0.43, 1.42), (0.36, 1.2)]
_LIPS = [(0.0, 0.88), (0.22, 0.84), (0.42, 0.88), (0.52, 1.08), (0.42, 1.38), (0.2, 1.5), (0.0, 1.5)]
_CHIN = [(0.0, 1.1), (0.42, 1.12), (0.68, 1.1), (0.66, 1.35), (0.4, 1.6), (0.0, 1.66)]

#: Action unit -> (polygons of the right half, sources). A polygon that touches x = 0 meets its mirror image there.
SHAPES: dict[int, tuple[list[list[tuple[float, float]]], str]] = {
    1: ([[(0.0, -0.36), (0.3, -0.46), (0.68, -0.4), (0.72, -0.14), (0.4, -0.08), (0.15, -0.1), (0.0, -0.08)]], "E J M"),
    2: ([[(0.62, -0.42), (0.85, -0.46), (1.06, -0.3), (1.08, -0.06), (0.9, -0.02), (0.66, -0.14)]], "E J M"),
    4: (
        [[(0.03, -0.3), (0.25, -0.47), (0.55, -0.48), (0.88, -0.36), (0.94, -0.16), (0.6, -0.1), (0.03, -0.06)]],
        "E J M",
    ),
    5: ([_ellipse(0.61, 0.01, 0.33, 0.14)], "E B M"),
    6: (
        [[(0.46, 0.2), (0.9, 0.2), (1.06, 0.08), (1.24, 0.14), (1.2, 0.65), (0.96, 1.16), (0.84, 1.16), (0.78, 0.7)]],
        "E J M",
    ),
    7: ([[(0.34, 0.0), (0.5, -0.12), (0.75, -0.1), (1.08, 0.1), (1.12, 0.42), (0.92, 0.56), (0.62, 0.36)]], "E B M"),
    9: (
        [
            [(0.0, -0.44), (0.35, -0.55), (0.72, -0.42), (0.7, -0.16), (0.25, -0.1), (0.0, 0.06)],
            [(0.14, 0.18), (0.32, 0.24), (0.66, 0.46), (0.6, 0.74), (0.3, 0.8), (0.2, 0.62)],
        ],
        "E J M",
    ),
    10: ([[(0.0, 0.82), (0.2, 0.78), (0.28, 0.52), (0.42, 0.56), (0.62, 0.82), (0.52, 1.02), (0.0, 1.04)]], "E J M"),
    12: ([_LIP_CORNER], "E J M"),
    15: ([_LIP_CORNER], "E J M"),
    16: ([[(0.0, 1.12), (0.42, 1.1), (0.42, 1.4), (0.28, 1.64), (0.0, 1.66)]], "E B M"),
    17: ([_CHIN], "E J M"),
    20: ([[(0.36, 0.94), (0.46, 0.78), (0.64, 0.74), (0.76, 0.95), (0.74, 1.25), (0.58, 1.42), (0.42, 1.34)]], "E B M"),
    23: ([_LIPS], "E J M"),
    24: ([_LIPS], "E J M"),
    25: ([_LIPS], "E J M"),
    26: ([_CHIN], "E J B M"),
    27: ([[(0.0, 0.88), (0.3, 0.84), (0.5, 0.98), (0.7, 1.1), (0.62, 1.4), (0.36, 1.66), (0.0, 1.7)]], "E B"),
    45: ([_ellipse(0.61, 0.03, 0.33, 0.14)], "E B M"),
}

#: The eye between its lids (landmarks 42 to 47), not covered by units outside `EYE_UNITS`.
EYE_OPENING = [(0.36, 0.07), (0.5, -0.02), (0.74, -0.01), (0.87, 0.06), (0.73, 0.11), (0.53, 0.12)]
#: Units that change how much of the eyeball is seen.
EYE_UNITS = (5, 7, 45)
#: The face's outline, right half, from the middle of the forehead to the chin.
FACE_OVAL = [(0.0, -1.0), (0.5, -0.97), (0.9, -0.8), (1.15, -0.45), (1.28, 0.0), (1.25, 0.5), (1.12, 1.0), (0.85, 1.4)]
FACE_OVAL += [(0.45, 1.7), (0.0, 1.78)]

#: dlib's 68 landmarks of the mean rendered face (M), right half and middle line; the left half is their mirror image.
#: A line or two each: jaw, brow, nose, eye, lips outside and inside.
_HALF_LANDMARKS: dict[int, tuple[float, float]] = {
    8: (0.0, 1.7), 9: (0.3, 1.68), 10: (0.53, 1.33), 11: (0.86, 1.27), 12: (1.07, 1.12), 13: (1.21, 0.87),
    14: (1.29, 0.62), 15: (1.22, 0.39), 16: (1.28, 0.14),
    22: (0.27, -0.19), 23: (0.47, -0.29), 24: (0.66, -0.36), 25: (0.83, -0.32), 26: (0.95, -0.21),
    27: (0.0, 0.09), 28: (0.0, 0.32), 29: (0.0, 0.49), 30: (0.0, 0.65), 33: (0.0, 0.76), 34: (0.16, 0.73),
    35: (0.3, 0.7),
    42: (0.35, 0.08), 43: (0.51, -0.02), 44: (0.76, 0.0), 45: (0.88, 0.06), 46: (0.75, 0.11), 47: (0.54, 0.12),
    51: (0.0, 0.94), 52: (0.16, 0.92), 53: (0.37, 1.0), 54: (0.54, 1.1), 55: (0.4, 1.23), 56: (0.14, 1.29),
    57: (0.0, 1.32),
    62: (0.0, 1.04), 63: (0.19, 1.04), 64: (0.45, 1.1), 65: (0.15, 1.16), 66: (0.0, 1.18),
}  # fmt: skip


def _landmarks() -> np.ndarray:
    points = np.full((68, 2), np.nan)
    for number, (x, y) in _HALF_LANDMARKS.items():
        points[number] = x, y
        points[MIRRORED_LANDMARKS[number]] = -x, y
    assert not np.isnan(points).any()
    return points


#: (68, 2) dlib's numbering.
LANDMARKS = _landmarks()
