"""Check the half of a split screen that an import cuts out: whose mouth moves with the sound."""

from __future__ import annotations

import numpy as np
from PIL import Image

from mesm.batch import SAMPLE_RATE_HZ
from mesm.data.importers.plan import MediaSpan
from mesm.data.ingest.faces import DetectedFace, Detector, choose_face
from mesm.data.ingest.video import FrameSampler
from mesm.errors import DataError

#: The mouth is compared every 100 ms, faces are searched once a second, and the first 20 s decide.
_INTERVAL_MS, _SEARCH_EVERY, _LONGEST_S = 100, 10, 20.0
#: Motion and sound are averaged over so many intervals: a syllable, and the clocks of picture and sound.
_SMOOTH = 3
#: Correlation of the other mouth from which it moves with the sound: the larger of a fixed one and so many standard
#: deviations of chance, which grow as the clip gets shorter. This half's is then below half of it.
_MOVES, _DEVIATIONS = 0.4, 2.5
#: Fewest intervals with both faces: 3 s.
_FEWEST = 30
_PATCH = (24, 16)


def crop_half(frame: np.ndarray, side: str) -> np.ndarray:
    """Return the left or right half of an (H, W, 3) split-screen frame; the whole frame for ""."""
    middle = frame.shape[1] // 2
    if not side or not middle:
        return frame
    return np.ascontiguousarray(frame[:, :middle] if side == "left" else frame[:, middle:])


def other_half_speaks(part: MediaSpan, side: str, waveform: np.ndarray, detector: Detector) -> bool:
    """Return whether the other half's mouth moves with the sound, and the mouth of this half does not.

    Args:
        part: the split-screen video; one that cannot be decoded shows nothing.
        side: "left" or "right", the half that is cut out.
        waveform: (samples,) of the part, at 16 kHz.
    """
    own, other = mouth_correlations(part, side, waveform, detector)
    return other is not None and own is not None and other[0] >= other[1] and own[0] < own[1] / 2


def mouth_correlations(
    part: MediaSpan, side: str, waveform: np.ndarray, detector: Detector
) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
    """Correlate the motion of the mouths of this half and the other one with the level of the sound.

    Returns:
        For each half the correlation in [-1, 1] and the one from which it counts; None where too little is seen.
    """
    sides = (side, "right" if side == "left" else "left")
    mouths = {name: _Mouth() for name in sides}
    end_s = min(part.start_s + _LONGEST_S, np.inf if part.end_s is None else part.end_s)
    try:
        sampler = FrameSampler(part.path, start_s=part.start_s, end_s=end_s, interval_ms=_INTERVAL_MS)
        for number, (_, frame) in enumerate(sampler):
            for name, mouth in mouths.items():
                half = crop_half(frame, name)
                if number % _SEARCH_EVERY == 0:
                    mouth.place(choose_face(detector.detect([half])[0]))
                mouth.compare(half)
    except DataError:
        return None, None
    own, other = (_correlation(np.array(mouths[name].motion), waveform) for name in sides)
    return own, other


class _Mouth:
    """Measure the motion of one mouth: mean absolute difference of its grey levels from frame to frame, NaN unseen."""

    def __init__(self) -> None:
        self.motion: list[float] = []
        self._box: tuple[float, float, float, float] | None = None
        self._before: Image.Image | None = None

    def place(self, face: DetectedFace | None) -> None:
        """Lay the region round the mouth's corners, as wide as 1.2 distances of the eyes."""
        self._box = None
        if face is not None:
            x, y = face.points[3:].mean(0)
            width = 1.2 * float(np.linalg.norm(face.points[1] - face.points[0]))
            self._box = (x - width / 2, y - width / 3, x + width / 2, y + width / 2)

    def compare(self, half: np.ndarray) -> None:
        """Add the difference of a frame from the one before, in the same region."""
        picture, before = Image.fromarray(half).convert("L"), self._before
        self._before = picture
        if before is None:
            return
        if self._box is None:
            self.motion.append(np.nan)
            return
        now, then = (
            np.asarray(one.resize(_PATCH, Image.Resampling.BOX, box=_inside(self._box, one)), np.float32)
            for one in (picture, before)
        )
        self.motion.append(float(np.abs(now - then).mean()))


def _inside(box: tuple[float, float, float, float], picture: Image.Image) -> tuple[float, float, float, float]:
    """Return the part of a box that lies in the picture, at least a pixel wide and high."""
    x0, y0 = max(min(box[0], picture.width - 1), 0), max(min(box[1], picture.height - 1), 0)
    return x0, y0, min(max(box[2], x0 + 1), picture.width), min(max(box[3], y0 + 1), picture.height)


def _correlation(motion: np.ndarray, waveform: np.ndarray) -> tuple[float, float] | None:
    """Return the correlation of a mouth's motion with the level of the sound, and the one from which it counts."""
    step = SAMPLE_RATE_HZ * _INTERVAL_MS // 1000
    count = min(len(motion), len(waveform) // step)
    if count < _FEWEST:
        return None
    level = np.sqrt(np.sqrt(np.mean(waveform[: count * step].reshape(count, step) ** 2, axis=1)))
    window = np.ones(_SMOOTH) / _SMOOTH
    motion, level = (np.convolve(values, window, "valid") for values in (motion[:count], level))
    seen = np.isfinite(motion)
    if seen.sum() < _FEWEST - _SMOOTH or not motion[seen].std() or not level[seen].std():
        return None if seen.sum() < _FEWEST - _SMOOTH else (0.0, 1.0)
    limit = max(_MOVES, _DEVIATIONS * float(np.sqrt(_SMOOTH / seen.sum())))
    return float(np.corrcoef(motion[seen], level[seen])[0, 1]), limit
