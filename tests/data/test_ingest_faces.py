"""Our crop against facenet-pytorch's own, the fallback, the flags."""

from __future__ import annotations

import numpy as np
import pytest
from facenet_pytorch import MTCNN
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mesm.data.ingest.faces import (
    DetectedFace,
    MtcnnDetector,
    centre_box,
    crop_box,
    cut,
    shared_detector,
    track_faces,
)


class Given:
    """A detector that finds what it is told to."""

    def __init__(self, *faces: list[DetectedFace]) -> None:
        self.faces = list(faces)

    def detect(self, frames: list[np.ndarray]) -> list[list[DetectedFace]]:
        result, self.faces = self.faces[: len(frames)], self.faces[len(frames) :]
        return result


def a_face(box: tuple[float, ...]) -> DetectedFace:
    x0, y0, x1, y1 = box
    points = np.array([[x0, y0], [x1, y0], [(x0 + x1) / 2, (y0 + y1) / 2], [x0, y1], [x1, y1]], np.float32)
    return DetectedFace(np.array(box, np.float32), points, 0.99)


def test_crop_is_facenets_own(astronaut: np.ndarray) -> None:
    theirs = MTCNN(image_size=48, margin=2, post_process=False)
    frames = [astronaut, np.roll(astronaut, 37, axis=1), astronaut[:, 100:400]]
    for frame in frames:
        expected = theirs(Image.fromarray(frame)).permute(1, 2, 0).numpy().astype(np.uint8)
        track = track_faces([(0.0, np.ascontiguousarray(frame))])
        np.testing.assert_array_equal(track.faces[0], expected)


def test_a_batch_finds_what_single_frames_find(astronaut: np.ndarray) -> None:
    frames = [np.roll(astronaut, 11 * i, axis=1) for i in range(5)]
    detector = shared_detector()
    alone = [detector.detect([frame])[0] for frame in frames]
    for (one, *_), (other, *_) in zip(detector.detect(frames), alone, strict=True):
        np.testing.assert_allclose(one.box, other.box, atol=0.05)


def test_points_lie_in_the_crop(astronaut: np.ndarray) -> None:
    (left_eye, right_eye, nose, left_mouth, right_mouth) = track_faces([(0.0, astronaut)]).points[0]
    assert left_eye[0] < nose[0] < right_eye[0] and left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
    assert np.all((np.array([left_eye, right_eye, nose]) > 0) & (np.array([left_eye, right_eye, nose]) < 48))


def test_a_large_frame_costs_no_face(astronaut: np.ndarray) -> None:
    big = np.asarray(Image.fromarray(astronaut).resize((2048, 1440)))
    ((small_face,),), ((big_face,),) = shared_detector().detect([astronaut]), shared_detector().detect([big])
    np.testing.assert_allclose(big_face.box / 4, small_face.box, atol=5)


def test_frames_of_several_sizes_and_no_face(astronaut: np.ndarray) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8)
    tiny = np.zeros((12, 300, 3), np.uint8)
    result = shared_detector().detect([astronaut, noise, tiny, astronaut])
    assert [bool(faces) for faces in result] == [True, False, False, True]


def test_the_frame_that_breaks_mtcnn_is_the_only_one_lost(astronaut: np.ndarray) -> None:
    detector = MtcnnDetector()
    detect = detector._mtcnn.detect

    def fragile(frames: np.ndarray, landmarks: bool) -> object:
        if np.any(frames[:, 0, 0, 0] == 77):
            raise IndexError("a proposal outside the frame")
        return detect(frames, landmarks=landmarks)

    detector._mtcnn.detect = fragile
    marked = astronaut.copy()
    marked[0, 0, 0] = 77
    assert [bool(faces) for faces in detector.detect([astronaut, marked, astronaut])] == [True, False, True]


@given(st.lists(st.floats(-50, 400), min_size=4, max_size=4), st.integers(1, 300), st.integers(1, 300))
def test_crop_box_is_never_empty_and_inside(box: list[float], height: int, width: int) -> None:
    x0, y0, x1, y1 = crop_box(np.array([*np.minimum(box[:2], box[2:]), *np.maximum(box[:2], box[2:])]), height, width)
    assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height


@given(st.integers(1, 300), st.integers(1, 300))
def test_fallback_is_centred(height: int, width: int) -> None:
    x0, y0, x1, y1 = centre_box(height, width)
    assert x1 - x0 == y1 - y0 == min(height, width)
    assert abs(x0 - (width - x1)) <= 1 and abs(y0 - (height - y1)) <= 1


def test_fallback_is_flagged_and_large_crop_shows_the_same() -> None:
    frame = np.random.default_rng(1).integers(0, 255, (100, 160, 3), dtype=np.uint8)
    track = track_faces(
        [(0.0, frame), (0.5, frame)],
        large_px=64,
        detector=Given([], [a_face((30, 20, 76, 66)), a_face((0, 0, 20, 20))]),
    )
    assert track.flags() == ("some_faces_missing", "several_faces")
    assert track.boxes.tolist() == [[30, 0, 130, 100], [29, 19, 77, 67]]
    assert np.isnan(track.points[0]).all()
    np.testing.assert_allclose(track.points[1][[0, 4]], [[1, 1], [47, 47]], atol=1e-5)
    for large, box in zip(track.faces_large, track.boxes.astype(int), strict=True):
        np.testing.assert_array_equal(large, cut(frame, tuple(box), 64))


def test_no_frame_and_no_face() -> None:
    nothing = track_faces([])
    assert nothing.flags() == ("no_video",) and nothing.faces.shape == (0, 48, 48, 3)
    frame = np.zeros((60, 60, 3), np.uint8)
    track = track_faces([(0.0, frame)], large_px=0, detector=Given([]))
    assert track.flags() == ("no_face", "black_picture") and track.faces_large.shape == (0, 1, 1, 3)


def test_frames_are_taken_a_few_at_a_time() -> None:
    waiting = 0

    def frames() -> object:
        nonlocal waiting
        for i in range(100):
            waiting += 1
            assert waiting <= 16, "a long clip would pile up in memory"
            yield 0.5 * i, np.zeros((50, 50, 3), np.uint8)

    class Counting(Given):
        def detect(self, frames: list[np.ndarray]) -> list[list[DetectedFace]]:
            nonlocal waiting
            waiting -= len(frames)
            return [[] for _ in frames]

    assert len(track_faces(frames(), detector=Counting()).faces) == 100  # type: ignore[arg-type]


@pytest.mark.parametrize("large_px", [0, 32])
def test_several_faces(astronaut: np.ndarray, large_px: int) -> None:
    two = np.concatenate([astronaut, astronaut], axis=1)
    assert track_faces([(0.0, two)], large_px=large_px).flags() == ("several_faces",)
