"""Define the sound of emotions: shifts of eight prosody parameters, and the signal processing that applies them.

Directions follow Juslin & Laukka (2003, Psychological Bulletin 129(5):770-814, table 7) and Scherer (2003, Speech
Communication 40:227-256): anger loud, high, fast, with strong high frequencies; fear fast, high, with little range;
happiness fast, high, wide, medium loud; sadness slow, soft, low, narrow, with weak high frequencies; disgust slow and
low; surprise, which those report less of, high and wide. Sizes are our choice.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import signal

#: Parameter -> unit. `pitch` semitones, `rate` and `range` natural logarithms, `volume` and `tilt` decibels (level
#: above 1 kHz against below), the others a share.
PARAMETERS: tuple[str, ...] = ("pitch", "rate", "range", "volume", "tilt", "tremor", "breath", "rough")
#: Shift at full intensity, in the order of `PARAMETERS`.
EFFECTS: dict[str, tuple[float, ...]] = {
    "anger": (2.6, 0.20, 0.45, 8.0, 5.5, 0.0, 0.0, 0.65),
    "disgust": (-2.6, -0.22, 0.05, -0.5, -1.0, 0.0, 0.20, 0.65),
    "fear": (4.8, 0.26, -0.60, -1.5, 0.5, 0.75, 0.30, 0.0),
    "happiness": (3.4, 0.14, 0.60, 4.0, 2.5, 0.0, 0.0, 0.0),
    "sadness": (-2.8, -0.27, -0.55, -7.0, -5.0, 0.25, 0.35, 0.0),
    "surprise": (7.0, -0.08, 0.75, 2.5, 1.0, 0.0, 0.20, 0.0),
}
#: Standard deviation from one utterance of a person to the next.
UTTERANCE_SPREAD: tuple[float, ...] = (0.6, 0.05, 0.10, 1.0, 0.8, 0.08, 0.06, 0.06)
_SPEECH_RMS = 0.055
_TREMOR_HZ = 6.5


def effect(display: Mapping[str, float]) -> np.ndarray:
    """Compute (8,) shift for emotions with levels in [0, 1]: the mean weighted by level, as strong as the strongest."""
    if not display:
        return np.zeros(len(PARAMETERS))
    levels = np.array(list(display.values()))
    table = np.array([EFFECTS[name] for name in display])
    return levels.max() * (levels @ table) / levels.sum()


def colour_voice(
    waveform: np.ndarray, rate_hz: int, values: Mapping[str, float], rng: np.random.Generator
) -> np.ndarray:
    """Apply tremor, roughness, breath, spectral tilt and level. (samples,) float32 -> (samples,) float32."""
    samples = len(waveform)
    time_s = np.arange(samples) / rate_hz
    tremor, breath, rough = (float(np.clip(values[name], 0, 1)) for name in ("tremor", "breath", "rough"))
    sound = waveform.astype(np.float64)
    if tremor > 0.02:
        beat = np.sin(2 * np.pi * _TREMOR_HZ * time_s + rng.uniform(0, 2 * np.pi))
        # A delay of a sin(wt) shifts the pitch by a w: 6 % at full tremor.
        sound = np.interp(time_s - 0.06 * tremor / (2 * np.pi * _TREMOR_HZ) * beat, time_s, sound)
        sound = sound * (1 + 0.35 * tremor * np.sin(2 * np.pi * _TREMOR_HZ * time_s))
    if rough > 0.02:
        flutter = signal.lfilter(*signal.butter(2, [30, 90], "bandpass", fs=rate_hz), rng.standard_normal(samples))
        sound = sound * (1 + 0.8 * rough * flutter / (flutter.std() + 1e-9))
    if breath > 0.02:
        envelope = signal.lfilter(*signal.butter(1, 12, fs=rate_hz), np.abs(sound))
        air = signal.lfilter(*signal.butter(2, [1500, 7000], "bandpass", fs=rate_hz), rng.standard_normal(samples))
        sound = (1 - 0.3 * breath) * sound + 1.2 * breath * envelope * air / (air.std() + 1e-9)
    low = signal.lfilter(*signal.butter(1, 1000, fs=rate_hz), sound)
    sound = low + 10 ** (values["tilt"] / 20) * (sound - low)
    level = np.sqrt(np.mean(sound**2)) + 1e-9
    return (sound * (_SPEECH_RMS * 10 ** (values["volume"] / 20) / level)).astype(np.float32)


def record_in_room(
    waveform: np.ndarray, rate_hz: int, reverberation_s: float, wet: float, noise_db: float, rng: np.random.Generator
) -> np.ndarray:
    """Simulate a microphone in a room: decaying echoes, and a hiss that falls with frequency.

    Args:
        reverberation_s: time in which echoes fall by 60 dB; wet: their level against the direct sound.
        noise_db: level of the noise, decibels of full scale (root mean square).
    """
    length = int(reverberation_s * rate_hz)
    decay = rng.standard_normal(length) * 10 ** (-3 * np.arange(length) / max(length, 1))
    decay[: int(0.004 * rate_hz)] = 0
    decay *= wet / (np.sqrt(np.sum(decay**2)) + 1e-9)
    sound = waveform + signal.fftconvolve(waveform, decay)[: len(waveform)] if length else waveform
    hiss = rng.standard_normal(len(waveform))
    hiss = 0.7 * signal.lfilter([0.1], [1, -0.9], hiss) * 4 + 0.3 * hiss
    sound = sound + hiss / (hiss.std() + 1e-9) * 10 ** (noise_db / 20)
    return np.tanh(sound).astype(np.float32)
