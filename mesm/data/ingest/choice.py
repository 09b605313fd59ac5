"""Find the faces of a clip with several, and follow the one that the user chose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mesm.data.ingest.faces import (
    SECOND_FACE_PROBABILITY,
    DetectedFace,
    Detector,
    centre_box,
    crop_box,
    cut,
    shared_detector,
)

#: Faces that are offered at most, and the side of their pictures.
MOST_FACES, CHOICE_PX = 6, 96
#: The chosen face is looked for in a window this many times its size: room for a head that moves in half a second.
WINDOW = 2.0


@dataclass(frozen=True)
class FaceChoice:
    """Hold one of the faces of a frame.

    Attributes:
        at: x and y of its middle and its longer side, as shares of the frame's width, height and shorter side.
        picture: (96, 96, 3) uint8.
    """

    at: tuple[float, float, float]
    picture: np.ndarray


def find_choices(frame: np.ndarray, detector: Detector | None = None) -> list[FaceChoice]:
    """Find every face of an (H, W, 3) uint8 frame, the largest first.

    A detector names the largest face only, so each one is painted over before the next is detected.
    """
    detector, rest = detector or shared_detector(), frame.copy()
    height, width = frame.shape[:2]
    choices: list[FaceChoice] = []
    while len(choices) < MOST_FACES:
        (face,) = detector.detect([rest])
        if face is None or (choices and face.probability < SECOND_FACE_PROBABILITY):
            break
        x0, y0, x1, y1 = crop_box(face.box, height, width)
        at = ((x0 + x1) / 2 / width, (y0 + y1) / 2 / height, max(x1 - x0, y1 - y0) / min(height, width))
        choices.append(FaceChoice(at, cut(frame, (x0, y0, x1, y1), CHOICE_PX)))
        rest[y0:y1, x0:x1] = 128
    return choices


class ChosenFace:
    """Follow one face: search around its place in the frame before.

    Args:
        at: a `FaceChoice.at`.
        detector: finds the largest face of the window; MTCNN unless given.
    """

    def __init__(self, at: tuple[float, float, float], detector: Detector | None = None) -> None:
        self.at, self.detector = at, detector

    def detect(self, frames: Sequence[np.ndarray]) -> list[DetectedFace | None]:
        """Find the chosen face of each frame, in order; None where it is not visible."""
        self.detector = self.detector or shared_detector()
        return [self._follow(self.detector, frame) for frame in frames]

    def _follow(self, detector: Detector, frame: np.ndarray) -> DetectedFace | None:
        height, width = frame.shape[:2]
        middle = np.array([self.at[0] * width, self.at[1] * height])
        half = max(WINDOW * self.at[2] * min(height, width) / 2, 1)
        x0, y0 = np.maximum(middle - half, 0).astype(int)
        x1, y1 = np.minimum(np.ceil(middle + half), (width, height)).astype(int)
        if x1 - x0 < 1 or y1 - y0 < 1:
            x0, y0, x1, y1 = centre_box(height, width)
        (face,) = detector.detect([np.ascontiguousarray(frame[y0:y1, x0:x1])])
        if face is None:
            return None
        box = face.box + np.array([x0, y0, x0, y0], np.float32)
        side = float(max(box[2] - box[0], box[3] - box[1]))
        self.at = (
            float(box[0] + box[2]) / 2 / width,
            float(box[1] + box[3]) / 2 / height,
            side / min(height, width),
        )
        return replace(face, box=box, points=face.points + np.array([x0, y0], np.float32), others=0)
