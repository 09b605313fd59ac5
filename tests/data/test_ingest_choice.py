"""Choosing among several faces, with a detector that sees bright squares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mesm.data.ingest.choice import ChosenFace, find_choices
from mesm.data.ingest.faces import DetectedFace


class Squares:
    """Takes the largest region brighter than 200 for the face; 128, what is painted over, is none."""

    def detect(self, frames: Sequence[np.ndarray]) -> list[DetectedFace | None]:
        return [self._one(frame) for frame in frames]

    def _one(self, frame: np.ndarray) -> DetectedFace | None:
        best = None
        for level in (210, 250):
            y, x = np.nonzero(frame[..., 0] == level)
            if len(x) and (best is None or len(x) > best[0]):
                best = (len(x), np.array([x.min(), y.min(), x.max() + 1, y.max() + 1], np.float32))
        return None if best is None else DetectedFace(best[1], np.zeros((5, 2), np.float32), 0.99, 1)


def scene(left: int, right: int) -> np.ndarray:
    """A large face whose left edge is at `left`, a small one at `right`; 200 x 100 pixels."""
    frame = np.zeros((100, 200, 3), np.uint8)
    frame[20:80, left : left + 60] = 210
    frame[30:60, right : right + 30] = 250
    return frame


def test_every_face_is_offered_the_largest_first() -> None:
    result = find_choices(scene(10, 140), Squares())
    np.testing.assert_allclose([c.at[0] * 200 for c in result], [40, 155], atol=1)
    assert result[0].at[2] > result[1].at[2]
    assert all(c.picture.shape == (96, 96, 3) for c in result)
    assert find_choices(np.zeros((50, 50, 3), np.uint8), Squares()) == []


def test_the_chosen_face_is_followed_although_it_is_the_smaller_and_moves() -> None:
    frames = [scene(10, 140 - 8 * step) for step in range(6)]
    small = find_choices(frames[0], Squares())[1]
    faces = ChosenFace(small.at, Squares()).detect(frames)
    assert [round(float(f.box[0])) for f in faces if f is not None] == [140 - 8 * step for step in range(6)]
    assert all(f is not None and f.others == 0 for f in faces)


def test_a_face_that_is_gone_is_none() -> None:
    small = find_choices(scene(10, 140), Squares())[1]
    gone = scene(10, 140)
    gone[:, 120:] = 0
    assert ChosenFace(small.at, Squares()).detect([gone, scene(10, 140)])[0] is None
