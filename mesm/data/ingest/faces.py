"""Detect and crop faces: MTCNN finds the box, one rule cuts it. The only file that imports facenet_pytorch.

The crop is facenet-pytorch's own (image_size 48, margin 2, post_process False), made from the box here, so that the
crop for the model, the larger one for the eye and the regions of a rendered face all follow one rectangle.
"""

from __future__ import annotations

import itertools
import math
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
#: Boxes from this probability on are faces; below it an arm or a torso is often the largest.
SURE_PROBABILITY = 0.95
#: A face is the same person's as half a second before if its middle moved by at most this share of its side, and the
#: side grew or shrank by at most this factor.
_MOVED, _GROWN = 0.75, 2.0
#: Frames (2 s) in which a person out of sight is waited for while others stay where they were.
_PATIENCE = 4
#: The brightest hundredth of a black frame is below this grey level.
_BLACK_LEVEL = 24
#: Frames that are searched together: at most so many, and of so many pixels in all, which bounds the memory.
BATCH_FRAMES = 16
BATCH_PIXELS = 4_000_000


@dataclass(frozen=True)
class DetectedFace:
    """Hold one face of a frame.

    Attributes:
        box: (4,) x0, y0, x1, y1 as detected, in pixels of the frame.
        points: (5, 2) eyes, nose, mouth corners in pixels of the frame.
        probability: of being a face.
    """

    box: np.ndarray
    points: np.ndarray
    probability: float

    @property
    def is_sure(self) -> bool:
        """Return whether the probability reaches `SURE_PROBABILITY`."""
        return self.probability >= SURE_PROBABILITY

    @property
    def area(self) -> float:
        """Return the area of the box in pixels."""
        return float(np.prod(self.box[2:] - self.box[:2]))


class Detector(Protocol):
    """Describe a detector: it finds the faces of frames."""

    def detect(self, frames: Sequence[np.ndarray]) -> list[list[DetectedFace]]:
        """Detect the faces: one list per (H, W, 3) uint8 frame, empty where there is no face."""


def choose_face(faces: Sequence[DetectedFace]) -> DetectedFace | None:
    """Return the largest of a frame's sure faces, else its most probable one; None for none."""
    sure = [face for face in faces if face.is_sure]
    if sure:
        return max(sure, key=lambda face: face.area)
    return max(faces, key=lambda face: face.probability, default=None)


class WholeFrame:
    """Take the centred square of each frame as the face: the pictures were cropped by those who released them."""

    def detect(self, frames: Sequence[np.ndarray]) -> list[list[DetectedFace]]:
        """Return one face per frame, without points."""
        boxes = [np.array(centre_box(*frame.shape[:2]), np.float32) for frame in frames]
        return [[DetectedFace(box, np.full((5, 2), np.nan, np.float32), 1.0)] for box in boxes]


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

    def detect(self, frames: Sequence[np.ndarray]) -> list[list[DetectedFace]]:
        """Detect the faces of each frame; frames of equal size run together."""
        faces: list[list[DetectedFace]] = []
        start = 0
        while start < len(frames):
            stop = start + 1
            limit = min(len(frames), start + batch_frames(frames[start]))
            while stop < limit and frames[stop].shape == frames[start].shape:
                stop += 1
            faces += self._detect_equal(frames[start:stop])
            start = stop
        return faces

    def _detect_equal(self, frames: Sequence[np.ndarray]) -> list[list[DetectedFace]]:
        height, width = frames[0].shape[:2]
        if min(height, width) <= MIN_FACE_PX:
            return [[] for _ in frames]
        try:
            with self._lock:
                self._mtcnn.min_face_size = MIN_FACE_PX * max(1.0, max(height, width) / FULL_SEARCH_PX)
                boxes, probabilities, points = self._mtcnn.detect(np.stack(frames), landmarks=True)
        except (RuntimeError, IndexError):
            # facenet-pytorch fails on a proposal that lies wholly outside its frame; find which frame it is.
            if len(frames) == 1:
                return [[]]
            return [face for frame in frames for face in self._detect_equal([frame])]
        return [_faces(*one) for one in zip(boxes, probabilities, points, strict=True)]


def _faces(boxes: Any, probabilities: Any, points: Any) -> list[DetectedFace]:
    """Return the faces of a frame; MTCNN answers None for none."""
    if boxes is None:
        return []
    return [
        DetectedFace(np.asarray(box, np.float32), np.asarray(point, np.float32), float(probability))
        for box, probability, point in zip(boxes, probabilities, points, strict=True)
    ]


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
class _Place:
    """Hold the middle of a face and its longer side, in pixels."""

    x: float
    y: float
    side: float

    @classmethod
    def of(cls, face: DetectedFace) -> _Place:
        """Return the place of a face."""
        x0, y0, x1, y1 = (float(edge) for edge in face.box)
        return cls((x0 + x1) / 2, (y0 + y1) / 2, max(x1 - x0, y1 - y0, 1.0))

    def moved(self, other: _Place) -> float:
        """Return the distance to another place, in sides."""
        return math.hypot(other.x - self.x, other.y - self.y) / ((self.side + other.side) / 2)

    def is_same(self, other: _Place) -> bool:
        """Return whether a person can be at the one place now and at the other half a second later."""
        return self.moved(other) <= _MOVED and 1 / _GROWN <= other.side / self.side <= _GROWN


class FaceFollower:
    """Stay with one person from frame to frame: the first sure face of `choose_face`, or a chosen one.

    Where the person is out of sight for less than 2 s and everybody else stays, the frame counts as one without a face;
    a cut to other people begins again. A chosen face is never left for another.

    Args:
        at: the chosen face: x and y of its middle and its longer side, as shares of the frame's width, height and
            shorter side.
    """

    def __init__(self, at: tuple[float, float, float] | None = None) -> None:
        self.at = at
        self.place: _Place | None = None
        self.others: list[_Place] = []
        self.missed = 0

    def follow(self, faces: Sequence[DetectedFace], height: int, width: int) -> DetectedFace | None:
        """Return the person's face among those of the next frame, None where it is out of sight."""
        if self.at is not None and self.place is None:
            self.place = _Place(self.at[0] * width, self.at[1] * height, max(self.at[2] * min(height, width), 1.0))
        same = [] if self.place is None else [face for face in faces if self.place.is_same(_Place.of(face))]
        if same and self.place is not None:
            place = self.place
            face: DetectedFace | None = min(same, key=lambda one: (not one.is_sure, place.moved(_Place.of(one))))
        else:
            face = None if self._waits(faces) else choose_face(faces)
        if face is not None and (same or face.is_sure):
            self.place, self.missed = _Place.of(face), 0
        if faces:
            self.others = [_Place.of(other) for other in faces if other is not face]
        return face

    def _waits(self, faces: Sequence[DetectedFace]) -> bool:
        """Return whether the person is only out of sight: everybody in the frame was beside it before."""
        if self.at is not None:
            return True
        if self.place is None or not faces or self.missed >= _PATIENCE:
            return False
        stays = all(any(other.is_same(_Place.of(face)) for other in self.others) for face in faces)
        self.missed += stays
        return stays


def has_others(face: DetectedFace | None, faces: Sequence[DetectedFace]) -> bool:
    """Return whether there is a sure face beside `face`; boxes around each other's middle are one face."""
    sure = [other for other in faces if other.is_sure and other is not face]
    return any(face is None or not (_holds(face, other) or _holds(other, face)) for other in sure)


def _holds(face: DetectedFace, other: DetectedFace) -> bool:
    place = _Place.of(other)
    return bool(face.box[0] <= place.x <= face.box[2] and face.box[1] <= place.y <= face.box[3])


def is_black(frame: np.ndarray) -> bool:
    """Return whether an (H, W, 3) uint8 frame shows nothing but black."""
    return bool(np.quantile(frame[::4, ::4], 0.99) < _BLACK_LEVEL)


@dataclass(frozen=True)
class FaceTrack:
    """Hold the crops of one clip; the arrays are those of `mesm.batch.Sample`.

    Attributes:
        several: whether some frame shows more than one face.
        black: (S,) bool, frames that show nothing but black.
    """

    faces: np.ndarray
    faces_large: np.ndarray
    times_s: np.ndarray
    boxes: np.ndarray
    points: np.ndarray
    face_found: np.ndarray
    several: bool
    black: np.ndarray

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
        if self.black.all():
            flags.append("black_picture")
        elif self.black[0]:
            flags.append("black_start")
        return tuple(flags)


class FaceTrackBuilder:
    """Collect the crops of one clip, frame by frame, so that a long clip never lies in memory."""

    def __init__(self, large_px: int, face_at: tuple[float, float, float] | None = None) -> None:
        self.large_px, self.follower = large_px, FaceFollower(face_at)
        self.times_s: list[float] = []
        self.faces: list[np.ndarray] = []
        self.large: list[np.ndarray] = []
        self.boxes: list[tuple[int, int, int, int]] = []
        self.points: list[np.ndarray] = []
        self.face_found: list[bool] = []
        self.several = False
        self.black: list[bool] = []

    def add(self, time_s: float, frame: np.ndarray, faces: Sequence[DetectedFace]) -> None:
        """Cut one frame, by the rectangle of the followed face or by the fallback."""
        height, width = frame.shape[:2]
        face = self.follower.follow(faces, height, width)
        box = centre_box(height, width) if face is None else crop_box(face.box, height, width)
        self.times_s.append(time_s)
        self.boxes.append(box)
        self.faces.append(cut(frame, box, FACE_SIZE_PX))
        if self.large_px:
            self.large.append(cut(frame, box, self.large_px))
        self.points.append(np.full((5, 2), np.nan) if face is None else in_crop(face.points, box))
        self.face_found.append(face is not None)
        self.several |= has_others(face, faces)
        self.black.append(is_black(frame))

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
            black=np.array(self.black, bool),
        )


def track_faces(
    frames: Iterable[tuple[float, np.ndarray]],
    *,
    large_px: int = 96,
    detector: Detector | None = None,
    face_at: tuple[float, float, float] | None = None,
) -> FaceTrack:
    """Find one person's face in every frame and cut it out.

    Args:
        frames: (time in seconds, (H, W, 3) uint8 RGB) in the order of time; read once, a few at a time.
        large_px: side of the larger crop; 0 for none.
        detector: MTCNN unless given.
        face_at: the face to follow, a `FaceChoice.at`; `choose_face` decides unless given.
    """
    builder, frames = FaceTrackBuilder(large_px, face_at), iter(frames)
    for first in frames:
        # The networks are built when there is something to look at: not for a sound, nor for a file that is none.
        detector = detector or shared_detector()
        batch = [first, *itertools.islice(frames, batch_frames(first[1]) - 1)]
        for (time_s, frame), faces in zip(batch, detector.detect([frame for _, frame in batch]), strict=True):
            builder.add(time_s, frame, faces)
    return builder.track()
