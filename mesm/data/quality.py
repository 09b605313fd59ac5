"""Compute the quality flags of a finished clip, which qualify any result on it."""

from __future__ import annotations

import numpy as np

from mesm.batch import FACE_SIZE_PX, Sample

#: Faces with a shorter side below this were enlarged to more than twice their size.
TINY_FACE_PX = FACE_SIZE_PX / 2
#: Nose beside the middle of the eyes, in eye distances, from which a face counts as turned: rendered heads reach it
#: between 30 and 35 degrees, and .45 to .63 at 45 degrees.
TURNED_NOSE = 0.35
#: The paper's limit on the transcript, in subword tokens.
TOKEN_LIMIT = 50


def face_flags(sample: Sample) -> tuple[str, ...]:
    """Return `tiny_face` and `turned_face`, for half of the frames with a face, or more."""
    with_face = sample.face_found.astype(bool)
    if not with_face.any():
        return ()
    flags = []
    boxes = sample.face_boxes[with_face]
    sides = np.minimum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    if np.mean(sides < TINY_FACE_PX) >= 0.5:
        flags.append("tiny_face")
    if len(sample.face_points):
        turns = np.abs(nose_offsets(sample.face_points[with_face]))
        if np.mean(turns >= TURNED_NOSE) >= 0.5:
            flags.append("turned_face")
    return tuple(flags)


def nose_offsets(points: np.ndarray) -> np.ndarray:
    """Measure the nose's distance from the middle between the eyes, along the line of the eyes, in eye distances.

    Args:
        points: (S, 5, 2) x, y: left and right eye, nose, mouth corners.

    Returns:
        (S,) 0 for a face seen from the front, positive when it looks to the right of the picture.
    """
    left, right, nose = points[:, 0], points[:, 1], points[:, 2]
    along = right - left
    squared = np.maximum(np.sum(along**2, axis=1), 1e-6)
    return np.sum((nose - (left + right) / 2) * along, axis=1) / squared
