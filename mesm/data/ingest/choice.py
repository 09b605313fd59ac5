"""List the faces of a frame to choose from; `faces.FaceFollower` follows the chosen one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mesm.data.ingest.faces import Detector, choose_face, crop_box, cut, shared_detector

#: Faces that are offered at most, and the side of their pictures.
MOST_FACES, CHOICE_PX = 6, 96


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
    """Find the sure faces of an (H, W, 3) uint8 frame, the largest first, or the one that `choose_face` takes."""
    (faces,) = (detector or shared_detector()).detect([frame])
    sure = sorted((face for face in faces if face.is_sure), key=lambda face: -face.area)[:MOST_FACES]
    first = choose_face(faces)
    height, width = frame.shape[:2]
    choices: list[FaceChoice] = []
    for face in sure or ([] if first is None else [first]):
        x0, y0, x1, y1 = crop_box(face.box, height, width)
        at = ((x0 + x1) / 2 / width, (y0 + y1) / 2 / height, max(x1 - x0, y1 - y0) / min(height, width))
        choices.append(FaceChoice(at, cut(frame, (x0, y0, x1, y1), CHOICE_PX)))
    return choices
