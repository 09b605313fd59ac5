"""Detect and crop faces: MTCNN finds the box, one rule cuts it. The only file that imports facenet_pytorch.

The crop is facenet-pytorch's own (image_size 48, margin 2, post_process False), made from the box here, so that the
crop for the model, the larger one for the eye and the regions of a rendered face all follow one rectangle.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from PIL import Image

from mesm.batch import FACE_SIZE_PX
from mesm.data.signal_settings import MARGIN_PX, MIN_FACE_PX
from mesm.errors import BackendUnavailable

#: Frames with a longer side than this are searched for proportionally larger faces only: 4K costs what 720p does.
FULL_SEARCH_PX = 1280
#: A second face counts for the flag `several_faces` from this probability on.
SECOND_FACE_PROBABILITY = 0.95
#: Frames that are searched together: at most so many, and of so many pixels in all, which bounds the memory.
BATCH_FRAMES = 16
BATCH_PIXELS = 4_000_000


@dataclass(frozen=True)
class DetectedFace:
    """Hold the face chosen in one frame.

    Attributes:
        box: (4,) x0, y0, x1, y1 as detected, in pixels of the frame.
        points: (5, 2) eyes, nose, mouth corners in pixels of the frame.
        probability: of being a face.
        others: how many further faces were seen with at least `SECOND_FACE_PROBABILITY`.
    """

    box: np.ndarray
    points: np.ndarray
    probability: float
    others: int = 0


class Detector(Protocol):
    """Describe a detector: it finds one face of each frame."""

    def detect(self, frames: Sequence[np.ndarray]) -> list[DetectedFace | None]:
        """Detect the faces: one entry per (H, W, 3) uint8 frame; None where there is no face."""


def batch_frames(frame: np.ndarray) -> int:
    """Return the number of frames of this size that are searched together."""
    return max(1, min(BATCH_FRAMES, BATCH_PIXELS // (frame.shape[0] * frame.shape[1])))


class MtcnnDetector:
    """Detect faces with MTCNN on a CPU or GPU, safe to share between threads."""

    def __init__(self, device: str = "cpu") -> None:
        try:
            from facenet_pytorch import MTCNN
        except ImportError as error:
            raise BackendUnavailable(
                "face detection needs facenet-pytorch; pip install facenet-pytorch==2.5.3"
            ) from error
        self._mtcnn: Any = MTCNN(
            image_size=FACE_SIZE_PX, margin=MARGIN_PX, min_face_size=MIN_FACE_PX, post_process=False, device=device
        )
        self._lock = threading.Lock()

    def detect(self, frames: Sequence[np.ndarray]) -> list[DetectedFace | None]:
        """Detect the largest face of each frame; frames of equal size run together."""
        faces: list[DetectedFace | None] = []
        start = 0
        while start < len(frames):
            stop = start + 1
            limit = min(len(frames), start + batch_frames(frames[start]))
            while stop < limit and frames[stop].shape == frames[start].shape:
                stop += 1
            faces += self._detect_equal(frames[start:stop])
            start = stop
        return faces

    def _detect_equal(self, frames: Sequence[np.ndarray]) -> list[DetectedFace | None]:
        height, width = frames[0].shape[:2]
        if min(height, width) <= MIN_FACE_PX:
            return [None] * len(frames)
        try:
            with self._lock:
                self._mtcnn.min_face_size = MIN_FACE_PX * max(1.0, max(height, width) / FULL_SEARCH_PX)
                boxes, probabilities, points = self._mtcnn.detect(np.stack(frames), landmarks=True)
        except (RuntimeError, IndexError):
            # facenet-pytorch fails on a proposal that lies wholly outside its frame; find which frame it is.
            if len(frames) == 1:
                return [None]
            return [face for frame in frames for face in self._detect_equal([frame])]
        return [_largest(*one) for one in zip(boxes, probabilities, points, strict=True)]


def _largest(boxes: Any, probabilities: Any, points: Any) -> DetectedFace | None:
    """Return the first face of a frame: MTCNN lists them by falling area."""
    if boxes is None or len(boxes) == 0:
        return None
    others = int(np.sum(np.asarray(probabilities[1:], float) >= SECOND_FACE_PROBABILITY))
    return DetectedFace(
        np.asarray(boxes[0], np.float32), np.asarray(points[0], np.float32), float(probabilities[0]), others
    )


@lru_cache(maxsize=1)
def shared_detector() -> MtcnnDetector:
    """Return the one detector per process, built at its first use."""
    return MtcnnDetector()


def crop_box(box: np.ndarray, height: int, width: int) -> tuple[int, int, int, int]:
    """Add facenet-pytorch's margin to a box: 2 of the 48 pixels of the crop, cut off at the frame's edge.

    Args:
        box: (4,) detected x0, y0, x1, y1.

    Returns:
        Whole pixels x0, y0, x1, y1 with x0 < x1 and y0 < y1.
    """
    share = MARGIN_PX / (FACE_SIZE_PX - MARGIN_PX) / 2
    margin_x, margin_y = share * (box[2] - box[0]), share * (box[3] - box[1])
    x0, y0 = int(max(box[0] - margin_x, 0)), int(max(box[1] - margin_y, 0))
    x1, y1 = int(min(box[2] + margin_x, width)), int(min(box[3] + margin_y, height))
    x0, y0 = min(x0, width - 1), min(y0, height - 1)
    return x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)


def centre_box(height: int, width: int) -> tuple[int, int, int, int]:
    """Return the fallback of a frame without a face: the centred square of the frame's shorter side."""
    side = min(height, width)
    x0, y0 = (width - side) // 2, (height - side) // 2
    return x0, y0, x0 + side, y0 + side


def cut(frame: np.ndarray, box: tuple[int, int, int, int], size_px: int) -> np.ndarray:
    """Cut one rectangle of an (H, W, 3) uint8 frame, resized to (size_px, size_px, 3) uint8."""
    return np.asarray(Image.fromarray(frame).crop(box).resize((size_px, size_px), Image.Resampling.BILINEAR))


def in_crop(points: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """Convert (n, 2) x, y in pixels of the frame -> in pixels of the 48-px crop of `box`."""
    x0, y0, x1, y1 = box
    return (points - np.array([x0, y0])) * np.array([FACE_SIZE_PX / (x1 - x0), FACE_SIZE_PX / (y1 - y0)])


@dataclass(frozen=True)
class FaceTrack:
    """Hold the crops of one clip; the arrays are those of `mesm.batch.Sample`."""

    faces: np.ndarray
    faces_large: np.ndarray
    times_s: np.ndarray
    boxes: np.ndarray
    points: np.ndarray
    face_found: np.ndarray
    several: bool

    def flags(self) -> tuple[str, ...]:
        """Return the quality flags of the picture."""
        if len(self.faces) == 0:
            return ("no_video",)
        flags = []
        if not self.face_found.any():
            flags.append("no_face")
        elif not self.face_found.all():
            flags.append("some_faces_missing")
        if self.several:
            flags.append("several_faces")
        return tuple(flags)


class FaceTrackBuilder:
    """Collect the crops of one clip, frame by frame, so that a long clip never lies in memory."""

    def __init__(self, large_px: int) -> None:
        self.large_px = large_px
        self.times_s: list[float] = []
        self.faces: list[np.ndarray] = []
        self.large: list[np.ndarray] = []
        self.boxes: list[tuple[int, int, int, int]] = []
        self.points: list[np.ndarray] = []
        self.face_found: list[bool] = []
        self.several = False

    def add(self, time_s: float, frame: np.ndarray, face: DetectedFace | None) -> None:
        """Cut one frame, by the rectangle of its face or by the fallback."""
        height, width = frame.shape[:2]
        box = centre_box(height, width) if face is None else crop_box(face.box, height, width)
        self.times_s.append(time_s)
        self.boxes.append(box)
        self.faces.append(cut(frame, box, FACE_SIZE_PX))
        if self.large_px:
            self.large.append(cut(frame, box, self.large_px))
        self.points.append(np.full((5, 2), np.nan) if face is None else in_crop(face.points, box))
        self.face_found.append(face is not None)
        self.several |= face is not None and face.others > 0

    def track(self) -> FaceTrack:
        """Return everything so far, as arrays."""
        large = max(self.large_px, 1)
        return FaceTrack(
            faces=np.array(self.faces, np.uint8).reshape(-1, FACE_SIZE_PX, FACE_SIZE_PX, 3),
            faces_large=np.array(self.large, np.uint8).reshape(-1, large, large, 3),
            times_s=np.array(self.times_s, np.float32),
            boxes=np.array(self.boxes, np.float32).reshape(-1, 4),
            points=np.array(self.points, np.float32).reshape(-1, 5, 2),
            face_found=np.array(self.face_found, bool),
            several=self.several,
        )


def track_faces(
    frames: Iterable[tuple[float, np.ndarray]],
    *,
    large_px: int = 96,
    detector: Detector | None = None,
) -> FaceTrack:
    """Find and cut the face of every frame.

    Args:
        frames: (time in seconds, (H, W, 3) uint8 RGB) in the order of time; read once, a few at a time.
        large_px: side of the larger crop; 0 for none.
        detector: MTCNN unless given.
    """
    builder, frames = FaceTrackBuilder(large_px), iter(frames)
    for first in frames:
        # The networks are built when there is something to look at: not for a sound, nor for a file that is none.
        detector = detector or shared_detector()
        batch = [first, *itertools.islice(frames, batch_frames(first[1]) - 1)]
        for (time_s, frame), face in zip(batch, detector.detect([frame for _, frame in batch]), strict=True):
            builder.add(time_s, frame, face)
    return builder.track()
