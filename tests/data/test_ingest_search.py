"""The coarse-to-fine search against facenet-pytorch's own, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from facenet_pytorch.models.utils.detect_face import imresample
from PIL import Image, ImageFilter

from mesm.data.ingest.faces import DetectedFace, MtcnnDetector, choose_face, track_faces
from mesm.data.ingest.many import track_clips
from mesm.data.ingest.search import CoarseToFine, _area_means, _shorter_side, _summed


@pytest.fixture(scope="module")
def fast() -> CoarseToFine:
    return CoarseToFine()


def overlap(one: DetectedFace, other: DetectedFace) -> float:
    """Intersection over union."""
    corner, far = np.maximum(one.box[:2], other.box[:2]), np.minimum(one.box[2:], other.box[2:])
    shared = np.prod(np.maximum(far - corner, 0))
    return float(shared / (np.prod(one.box[2:] - one.box[:2]) + np.prod(other.box[2:] - other.box[:2]) - shared))


def looks(astronaut: np.ndarray) -> Iterator[np.ndarray]:
    """Panned, zoomed out and in, blurred."""
    whole = Image.fromarray(astronaut)
    yield astronaut
    yield np.roll(astronaut, 60, axis=1)
    yield np.asarray(whole.resize((256, 180)))
    yield np.asarray(whole.resize((160, 112)))
    yield np.asarray(whole.filter(ImageFilter.GaussianBlur(2)))
    yield np.asarray(whole.crop((150, 20, 350, 220)).resize((480, 480)))


def test_the_same_boxes_and_points(fast: CoarseToFine, astronaut: np.ndarray) -> None:
    plain = MtcnnDetector()
    for frame in looks(astronaut):
        ((expected,),), ((result,),) = plain.detect([frame]), fast.detect([frame])
        assert overlap(expected, result) > 0.95
        assert np.abs(expected.points - result.points).max() < 0.05 * (expected.box[2] - expected.box[0])
        assert result.probability == pytest.approx(expected.probability, abs=0.02)


def test_the_largest_of_two(fast: CoarseToFine, astronaut: np.ndarray) -> None:
    small = np.asarray(Image.fromarray(astronaut).resize((256, 180)))
    frame = np.zeros((360, 768, 3), np.uint8)
    frame[:, :512], frame[:180, 512:] = astronaut, small
    result = choose_face(fast.detect([frame])[0])
    assert result is not None and result.box[2] < 512
    (both,) = fast.detect([np.concatenate([astronaut, astronaut], axis=1)])
    assert len([face for face in both if face.is_sure]) == 2


def test_an_unsure_face_does_not_end_the_search() -> None:
    arm = DetectedFace(np.array([0, 0, 400, 400], np.float32), np.zeros((5, 2), np.float32), 0.83)
    face = replace(arm, box=np.array([500, 0, 560, 80], np.float32), probability=0.998)
    assert _shorter_side([arm]) == 0 == _shorter_side([]) and _shorter_side([arm, face]) == 60


def test_frames_without_a_face_and_too_small(fast: CoarseToFine) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    assert fast.detect([noise, np.zeros((12, 300, 3), np.uint8), np.zeros((60, 80, 3), np.uint8)]) == [[]] * 3


def test_pictures_are_torchs_area_averages() -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (2, 37, 53, 3), dtype=np.uint8)
    tables = np.stack([_summed(frame) for frame in frames])
    rects = np.array([[0, 0, 53, 37], [3, 5, 40, 9], [10, 0, 11, 30], [50, 30, 53, 37]])
    which = np.array([0, 1, 1, 0])
    result = _area_means(tables, which, rects, 12, 9)
    for i, (x0, y0, x1, y1) in enumerate(rects):
        part = torch.from_numpy(frames[which[i], y0:y1, x0:x1]).permute(2, 0, 1)[None].float()
        expected = (imresample(part, (12, 9)) - 127.5) * 0.0078125
        torch.testing.assert_close(result[i : i + 1], expected, atol=1e-5, rtol=0)


def test_a_table_that_wraps_still_gives_differences() -> None:
    table = _summed(np.full((40, 40, 3), 255, np.uint8))
    shifted = (table.astype(np.int64) + 2**31 - 1000).astype(np.int32)  # what a frame of 9 million pixels reaches
    result = _area_means(shifted[None], np.array([0]), np.array([[0, 0, 40, 40]]), 4, 4)
    np.testing.assert_allclose(result.numpy(), 127.5 * 0.0078125)


def test_clips_share_batches_and_get_their_own_crops(fast: CoarseToFine, astronaut: np.ndarray) -> None:
    small = np.ascontiguousarray(astronaut[::2, ::2])
    lengths = {"a": 3, "none": 0, "b": 20, "c": 1}
    clips = {
        key: [(0.5 * i, np.roll(small if key != "c" else astronaut, 3 * i, axis=1)) for i in range(count)]
        for key, count in lengths.items()
    }
    result = list(track_clips(clips.items(), large_px=16, detector=fast))
    assert [key for key, _ in result] == list(clips)
    for key, track in result:
        alone = track_faces(clips[key], large_px=16, detector=fast)
        np.testing.assert_array_equal(track.times_s, alone.times_s)
        np.testing.assert_array_equal(track.face_found, alone.face_found)
        np.testing.assert_allclose(track.boxes, alone.boxes, atol=1)


def test_what_a_clip_raises_is_raised(fast: CoarseToFine, astronaut: np.ndarray) -> None:
    def frames() -> Iterator[tuple[float, np.ndarray]]:
        yield 0.0, astronaut
        raise RuntimeError("decoder")

    with pytest.raises(RuntimeError, match="decoder"):
        list(track_clips([("a", frames())], detector=fast))


def test_decoding_stays_a_little_ahead(astronaut: np.ndarray) -> None:
    waiting, most = 0, 0

    def frames() -> Iterator[tuple[float, np.ndarray]]:
        nonlocal waiting, most
        for i in range(300):
            waiting += 1
            most = max(most, waiting)
            yield 0.5 * i, astronaut

    class Counting:
        def detect(self, batch: list[np.ndarray]) -> list[list[DetectedFace]]:
            nonlocal waiting
            waiting -= len(batch)
            return [[] for _ in batch]

    ((_, track),) = track_clips([("a", frames())], large_px=0, detector=Counting())
    assert len(track.faces) == 300 and most <= 16 + 8_000_000 // (360 * 512) + 3
