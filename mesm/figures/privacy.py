"""Blur or sketch the faces of people whose corpus does not allow publishing them.

Only the faces change; masks and maps are drawn over them as before.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from mesm.batch import FACE_SIZE_PX, Sample
from mesm.errors import ConfigError
from mesm.figures.export import PRIVACY

#: A face of 48 px is reduced to squares of this many pixels: four by four values identify no one.
_BLOCK_PX = 12
_PAPER, _LINE = (236, 236, 232), (60, 64, 70)
#: dlib's 68 points as lines: jaw, brows, nose, eyes and lips; True closes the line.
_LINES: tuple[tuple[range, bool], ...] = (
    (range(17), False), (range(17, 22), False), (range(22, 27), False), (range(27, 31), False), (range(31, 36), False),
    (range(36, 42), True), (range(42, 48), True), (range(48, 60), True), (range(60, 68), True),
)  # fmt: skip


def default_privacy(licence: str) -> str:
    """Return "none" for CC0, "blur" for every other and for an unknown licence."""
    return "none" if licence.upper().startswith("CC0") else "blur"


def private_faces(sample: Sample, privacy: str) -> Sample:
    """Return the sample with its faces blurred or sketched and its large crops removed.

    Raises:
        ConfigError: an unknown privacy.
    """
    if privacy not in PRIVACY:
        raise ConfigError(f"--privacy {privacy!r} must be one of {', '.join(PRIVACY)}")
    if privacy == "none" or not len(sample.faces):
        return sample
    faces = np.stack([blurred(face) for face in sample.faces])
    if privacy == "sketch":
        faces = np.stack([_sketched(sample, i) for i in range(len(sample.faces))])
    return replace(sample, faces=faces, faces_large=np.zeros((0, 1, 1, 3), np.uint8), media="")


def blurred(face: np.ndarray) -> np.ndarray:
    """Return a face, whose side is a multiple of the smallest crop's, as the means of four by four squares, smoothed."""
    cells, side = FACE_SIZE_PX // _BLOCK_PX, len(face)
    means = face.reshape(cells, side // cells, cells, side // cells, 3).mean(axis=(1, 3))
    picture = Image.fromarray(np.rint(means).astype(np.uint8)).resize((side,) * 2, Image.Resampling.BICUBIC)
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(2)))


def _sketched(sample: Sample, number: int) -> np.ndarray:
    """Draw landmarks as lines, else the five points, else an empty ground."""
    scale = 4
    image = Image.new("RGB", (FACE_SIZE_PX * scale,) * 2, _PAPER)
    draw = ImageDraw.Draw(image)
    for line, closed in _lines(sample, number):
        points = [(float(x) * scale, float(y) * scale) for x, y in line]
        if len(points) == 1:
            (x, y), r = points[0], 1.2 * scale
            draw.ellipse((x - r, y - r, x + r, y + r), fill=_LINE)
        else:
            draw.line([*points, *points[:1]] if closed else points, fill=_LINE, width=scale)
    return np.asarray(image.resize((FACE_SIZE_PX,) * 2, Image.Resampling.BOX))


def _lines(sample: Sample, number: int) -> list[tuple[np.ndarray, bool]]:
    truth = sample.truth
    if truth is not None and len(truth.landmarks) == len(sample.faces) and np.ptp(truth.landmarks[number]) > 0:
        return [(truth.landmarks[number][list(points)], closed) for points, closed in _LINES]
    if len(sample.face_points) == len(sample.faces) and np.isfinite(sample.face_points[number]).all():
        left, right, nose, *mouth = sample.face_points[number]
        return [(left[None], False), (right[None], False), (nose[None], False), (np.stack(mouth), False)]
    return []
