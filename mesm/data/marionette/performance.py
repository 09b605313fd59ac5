"""Draw a clip in time: action units with onset, apex and offset, lips in speech, blinks, gaze, head motion."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mesm.data.marionette.action_units import AU_COLUMN, AU_NUMBERS
from mesm.data.marionette.scene import View
from mesm.data.marionette.voices import SpokenSentence

#: Share of the jaw's opening, parting of the lips, and rounding, by the first letter of espeak's phoneme mnemonics
#: (stress marks removed). What is not listed is a consonant that leaves the lips a little apart.
_MOUTH: dict[str, tuple[float, float, float]] = {
    "p": (0.0, 0.0, 0.0), "b": (0.0, 0.0, 0.0), "m": (0.0, 0.0, 0.0), "f": (0.05, 0.1, 0.0),
    "v": (0.05, 0.1, 0.0), "_": (0.0, 0.0, 0.0), "a": (1.0, 0.7, 0.0), "A": (1.0, 0.6, 0.0),
    "V": (0.7, 0.6, 0.0), "3": (0.4, 0.4, 0.3), "0": (0.8, 0.4, 0.3), "O": (0.7, 0.3, 0.6),
    "o": (0.5, 0.3, 0.8), "u": (0.25, 0.2, 1.0), "U": (0.3, 0.3, 0.7), "w": (0.2, 0.2, 1.0),
    "e": (0.55, 0.7, 0.0), "E": (0.6, 0.7, 0.0), "i": (0.25, 0.7, 0.0), "I": (0.35, 0.6, 0.0),
    "@": (0.4, 0.4, 0.0),
}  # fmt: skip
_CONSONANT = (0.18, 0.35, 0.0)
#: What full opening, parting and rounding mean in action units 26 and 25 and in the lips' rounding.
_JAW, _LIPS, _ROUND = 0.38, 0.55, 0.55
_TYPICAL_JAW = 0.15
_STEP_S = 0.01
_CROSSING_S = 0.06
_BLINK_S = 0.26


@dataclass(frozen=True)
class Performance:
    """Hold the face at the times of its F frames.

    Attributes:
        units: (F, A) all causes together; `emotion_units` (F, A) the emotion's part.
        rounding: (F,) of the lips.
        envelope: (F,) how far the emotion's display is from onset (0) to apex (1).
        views: of each frame.
    """

    units: np.ndarray
    emotion_units: np.ndarray
    rounding: np.ndarray
    envelope: np.ndarray
    views: tuple[View, ...]


def _ease(value: np.ndarray) -> np.ndarray:
    share = np.clip(value, 0, 1)
    return share * share * (3 - 2 * share)


def emotion_track(
    apex: np.ndarray, times_s: np.ndarray, duration_s: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw onset, apex and offset of the display: (F, A) intensities, and the (F,) envelope they share.

    Each unit starts and tires a little earlier or later than the others.
    """
    start = rng.uniform(-0.15, 0.16 * duration_s)
    rise = rng.uniform(0.25, 0.6)
    end = duration_s * rng.uniform(0.74, 1.05)
    fall, rest = rng.uniform(0.4, 0.9), rng.uniform(0.25, 0.7)

    def envelope(late: np.ndarray | float) -> np.ndarray:
        time = times_s[:, None] - np.atleast_1d(late)[None]
        return _ease((time - start) / rise) * (1 - (1 - rest) * _ease((time - end) / fall))

    late = rng.normal(0, 0.07, len(apex))
    breathing = 1 + 0.06 * np.sin(2 * np.pi * (0.7 * times_s[:, None] + rng.uniform(0, 1, len(apex))))
    return apex * envelope(late) * breathing, envelope(0.0)[:, 0]


def mouth_track(utterance: SpokenSentence, lead_s: float, times_s: np.ndarray) -> np.ndarray:
    """Compute the jaw, lips and rounding of the speech at the given times. (F, 3) in [0, 1].

    The shape follows the phonemes, its size the sound's envelope.
    """
    wave = utterance.waveform
    length = len(wave) / utterance.sample_rate_hz
    grid = np.arange(0, length + _STEP_S, _STEP_S)
    shapes = np.zeros((len(grid), 3))
    starts = np.array([start for start, _ in utterance.phonemes])
    names = [name.lstrip("',%=") for _, name in utterance.phonemes]
    table = np.array([_MOUTH.get(name[:1] or "_", _CONSONANT) for name in names]).reshape(-1, 3)
    if len(table):
        shapes = table[np.clip(np.searchsorted(starts, grid, side="right") - 1, 0, None)]
        shapes[grid < starts[0]] = 0
    width = max(1, round(_CROSSING_S / _STEP_S))
    kernel = np.hanning(2 * width + 3)[1:-1]
    shapes = np.stack([np.convolve(shapes[:, k], kernel / kernel.sum(), "same") for k in range(3)], axis=1)
    hop = max(1, int(utterance.sample_rate_hz * _STEP_S))
    blocks = np.abs(wave[: len(wave) // hop * hop]).reshape(-1, hop).mean(axis=1) if len(wave) >= hop else np.zeros(1)
    loud = np.convolve(blocks, np.ones(9) / 9, "same")
    loud = np.sqrt(np.clip(loud / (np.percentile(loud, 90) + 1e-9), 0, 1.2))
    shapes[:, 0] *= np.interp(grid, np.arange(len(loud)) * _STEP_S, loud, right=0)
    return np.stack([np.interp(times_s - lead_s, grid, shapes[:, k], left=0, right=0) for k in range(3)], axis=1)


def blink_track(times_s: np.ndarray, duration_s: float, rng: np.random.Generator) -> np.ndarray:
    """Draw (F,) closure of the lids: about one blink in four seconds."""
    closed = np.zeros(len(times_s))
    for centre in rng.uniform(0, duration_s, rng.poisson(duration_s / 4)):
        closed = np.maximum(closed, np.clip(1 - np.abs(times_s - centre) / (_BLINK_S / 2), 0, 1))
    return _ease(closed * 1.4)


def _wander(times_s: np.ndarray, size: float, rng: np.random.Generator) -> np.ndarray:
    """Draw (F,) slow motion round zero with about this standard deviation."""
    speeds, phases = rng.uniform(0.12, 0.75, 3), rng.uniform(0, 2 * np.pi, 3)
    return size * np.sin(2 * np.pi * speeds[None] * times_s[:, None] + phases).sum(axis=1) / np.sqrt(1.5)


def _gaze(times_s: np.ndarray, duration_s: float, rng: np.random.Generator) -> np.ndarray:
    """Draw (F, 2) shift of the irises, constant between saccades."""
    jumps = np.sort(rng.uniform(0, duration_s, rng.poisson(duration_s * 0.7)))
    places = rng.normal(0, (0.024, 0.011), (len(jumps) + 1, 2))
    return places[np.searchsorted(jumps, times_s, side="right")]


def draw_view(rng: np.random.Generator) -> View:
    """Draw camera, light, backdrop and sensor of one clip."""
    azimuth, height = rng.uniform(-1.1, 1.1), rng.uniform(0, 0.9)
    grey = rng.uniform(0.08, 0.85)
    top = np.clip(grey + rng.normal(0, 0.09, 3), 0.02, 0.95)
    bottom = np.clip(top * rng.uniform(0.55, 1.25), 0.02, 0.95)
    tint = np.array([1.0, 0.98, 0.955]) + rng.normal(0, 0.015, 3)
    return View(
        yaw=float(rng.uniform(-0.32, 0.32)),
        pitch=float(rng.uniform(-0.14, 0.12)),
        roll=float(rng.uniform(-0.10, 0.10)),
        half=float(rng.uniform(1.72, 2.10)),
        dx=float(rng.uniform(-0.18, 0.18)),
        dy=float(rng.uniform(-0.22, 0.02)),
        light=(float(np.sin(azimuth) * np.cos(height)), float(np.sin(height)), float(np.cos(azimuth) * np.cos(height))),
        key=float(rng.uniform(0.42, 0.80)),
        ambient=float(rng.uniform(0.20, 0.42)),
        tint=(float(tint[0]), float(tint[1]), float(tint[2])),
        background_top=(float(top[0]), float(top[1]), float(top[2])),
        background_bottom=(float(bottom[0]), float(bottom[1]), float(bottom[2])),
        noise=float(rng.uniform(0.004, 0.022)),
        jpeg=int(rng.integers(55, 96)),
        seed=int(rng.integers(2**31)),
    )


def perform(
    apex: np.ndarray,
    utterance: SpokenSentence,
    lead_s: float,
    duration_s: float,
    times_s: np.ndarray,
    rng: np.random.Generator,
) -> Performance:
    """Draw the whole face at `times_s`; the draws do not depend on the number of times.

    Args:
        apex: (A,) action units of the emotion at its apex.
        lead_s: silence before the utterance.
    """
    emotion, envelope = emotion_track(apex, times_s, duration_s, rng)
    view = draw_view(rng)
    yaw, pitch, roll = (_wander(times_s, size, rng) for size in (0.055, 0.030, 0.025))
    sway_x, sway_y = _wander(times_s, 0.02, rng), _wander(times_s, 0.015, rng)
    gaze, blinks = _gaze(times_s, duration_s, rng), blink_track(times_s, duration_s, rng)
    mouth = mouth_track(utterance, lead_s, times_s)
    units = emotion.copy()
    # Closed lips (p, b, m) close whatever the emotion parts.
    speaking = mouth[:, 1] > 0.02
    units[:, AU_COLUMN[25]] = np.where(speaking, 0.6 * units[:, AU_COLUMN[25]], units[:, AU_COLUMN[25]])
    units[:, AU_COLUMN[25]] += _LIPS * mouth[:, 1]
    units[:, AU_COLUMN[26]] += _JAW * mouth[:, 0]
    units[:, AU_COLUMN[45]] = np.maximum(units[:, AU_COLUMN[45]], blinks)
    pitch += 0.05 * (mouth[:, 0] - _TYPICAL_JAW)  # the head nods with the stress
    views = tuple(
        replace(
            view,
            yaw=view.yaw + float(yaw[f]),
            pitch=view.pitch + float(pitch[f]),
            roll=view.roll + float(roll[f]),
            dx=view.dx + float(sway_x[f]),
            dy=view.dy + float(sway_y[f]),
            gaze=(float(gaze[f, 0]), float(gaze[f, 1])),
            seed=(view.seed + round(time * 1000)) % 2**31,
        )
        for f, time in enumerate(times_s)
    )
    assert units.shape == (len(times_s), len(AU_NUMBERS))
    return Performance(np.clip(units, 0, 1.35), np.clip(emotion, 0, 1.35), _ROUND * mouth[:, 2], envelope, views)
