"""The faces to choose from, and the one that is followed, with a detector that sees bright squares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from mesm.data.ingest.choice import find_choices
from mesm.data.ingest.faces import DetectedFace, FaceFollower, choose_face, has_others


def a_face(box: tuple[float, ...], probability: float = 0.99) -> DetectedFace:
    return DetectedFace(np.array(box, np.float32), np.zeros((5, 2), np.float32), probability)


class Squares:
    """A region of level 210 or 250 is a face, in this order."""

    def detect(self, frames: Sequence[np.ndarray]) -> list[list[DetectedFace]]:
        return [[face for level in (250, 210) for face in self._of_level(frame, level)] for frame in frames]

    def _of_level(self, frame: np.ndarray, level: int) -> list[DetectedFace]:
        y, x = np.nonzero(frame[..., 0] == level)
        return [a_face((x.min(), y.min(), x.max() + 1, y.max() + 1))] if len(x) else []


def scene(left: int | None, right: int | None, small_px: int = 30) -> np.ndarray:
    """A face of 60 px whose left edge is at `left`, one of `small_px` at `right`; 200 x 100 pixels."""
    frame = np.zeros((100, 200, 3), np.uint8)
    if left is not None:
        frame[20:80, left : left + 60] = 210
    if right is not None:
        frame[10 : 10 + small_px, right : right + small_px] = 250
    return frame


def edges(*frames: np.ndarray, at: tuple[float, float, float] | None = None) -> list[int | None]:
    """Left edges of the followed face."""
    follower = FaceFollower(at)
    faces = [follower.follow(seen, 100, 200) for seen in Squares().detect(frames)]
    return [None if face is None else int(face.box[0]) for face in faces]


def test_every_face_is_offered_the_largest_first() -> None:
    result = find_choices(scene(10, 140), Squares())
    np.testing.assert_allclose([c.at[0] * 200 for c in result], [40, 155], atol=1)
    assert result[0].at[2] > result[1].at[2]
    assert all(c.picture.shape == (96, 96, 3) for c in result)
    assert find_choices(np.zeros((50, 50, 3), np.uint8), Squares()) == []


def test_an_arm_is_no_face_beside_a_sure_one() -> None:
    arm, face, small = a_face((0, 0, 90, 90), 0.83), a_face((100, 10, 140, 60), 0.998), a_face((150, 0, 170, 20), 0.999)
    assert choose_face([arm, face, small]) is face  # the largest of the sure
    assert choose_face([arm, a_face((0, 0, 9, 9), 0.9)]).probability == 0.9  # type: ignore[union-attr]
    assert choose_face([]) is None
    follower = FaceFollower()
    assert follower.follow([arm], 100, 200) is arm
    assert follower.follow([arm, face], 100, 200) is face  # what was never sure is not followed


def test_the_person_is_followed_although_another_grows() -> None:
    near = [scene(10, 130, size) for size in (40, 50, 60, 65, 70)]
    assert edges(*near) == [10] * 5
    assert edges(*near[3:]) == [130] * 2  # where the clip begins so, the larger face is followed


def test_a_person_out_of_sight_is_waited_for_two_seconds() -> None:
    both, alone = scene(10, 130), scene(None, 130)
    assert edges(both, alone, alone, both) == [10, None, None, 10]
    assert edges(both, *[alone] * 6) == [10, *[None] * 4, 130, 130]


def test_a_cut_begins_anew() -> None:
    assert edges(scene(10, None), scene(None, 150), scene(None, 150)) == [10, 150, 150]


def test_the_chosen_face_is_followed_although_it_is_the_smaller_and_moves() -> None:
    frames = [scene(10, 140 - 8 * step) for step in range(6)]
    small = find_choices(frames[0], Squares())[1]
    assert edges(*frames, at=small.at) == [140 - 8 * step for step in range(6)]


def test_a_chosen_face_that_is_gone_is_never_another() -> None:
    small = find_choices(scene(10, 140), Squares())[1]
    assert edges(*[scene(10, None)] * 7, scene(10, 140), at=small.at) == [None] * 7 + [140]


@pytest.mark.parametrize(
    ("boxes", "several"),
    [
        ([((0, 0, 60, 60), 0.99), ((100, 0, 130, 30), 0.99)], True),
        ([((0, 0, 60, 60), 0.99), ((100, 0, 130, 30), 0.9)], False),  # not sure
        ([((0, 0, 60, 60), 0.99), ((15, 20, 45, 50), 0.99)], False),  # two boxes on one face
        ([((0, 0, 60, 60), 0.99)], False),
    ],
)
def test_several_faces_are_sure_and_apart(boxes: list[tuple[tuple[float, ...], float]], several: bool) -> None:
    faces = [a_face(box, probability) for box, probability in boxes]
    assert has_others(choose_face(faces), faces) is several
