"""Synthesise speech with espeak-ng (from the wheel `espeakng-loader`), with the times of words and phonemes.

The library keeps state from one utterance to the next (phase of flutter), and seeds its chance with the time of day
when it starts, so that the same call gives other bytes later. Each utterance therefore loads it again, 25 ms, and sets
the seed: the same sentence sounds the same in every process.
"""

from __future__ import annotations

import _ctypes
import ctypes
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mesm.batch import Word
from mesm.data.marionette.head import NEEDS_EXTRA
from mesm.errors import BackendUnavailable, DataError

_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4  # espeak_PARAMETER
_SYNCHRONOUS, _PHONEME_EVENTS, _UTF8 = 2, 1, 1
_EVENT_END, _EVENT_WORD, _EVENT_PHONEME = 0, 1, 7
#: Semitones above the voice's own pitch -> espeak's pitch parameter, measured on en-us+m3.
_SEMITONES = (-7.0, -3.6, 0.0, 4.1, 8.6)
_PITCHES = (0, 25, 50, 75, 99)
_NORMAL_WPM = 168
_RANDOM_SEED = 1
_VARIANTS = {
    "female": ("f1", "f2", "f3", "f4", "f5", "Annie", "belinda", "linda", "steph", "aunty"),
    "male": ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "adam", "david", "edward", "michael"),
}
_ACCENTS = ("en-us", "en-us", "en-us", "en", "en-gb-scotland", "en-gb-x-rp", "en-029")


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True)
class Voice:
    """Hold a person's way of speaking: the timbre, and by how much it departs from the timbre's own settings.

    Attributes:
        name: espeak-ng voice and variant, such as en-us+f2.
        pitch: semitones; `rate` natural logarithm; `range` natural logarithm; `volume` decibels.
    """

    name: str
    pitch: float = 0.0
    rate: float = 0.0
    range: float = 0.0
    volume: float = 0.0


#: Standard deviations between speakers of the fields of `Voice`.
SPEAKER_SPREAD = {"pitch": 0.9, "rate": 0.06, "range": 0.10, "volume": 1.0}


def draw_voice(rng: np.random.Generator, sex: str, age: float) -> Voice:
    """Draw a voice for one person."""
    accent, variant = rng.choice(_ACCENTS), rng.choice(_VARIANTS[sex])
    own = {key: float(rng.normal(0, spread)) for key, spread in SPEAKER_SPREAD.items()}
    own["rate"] -= 0.06 * age
    return Voice(f"{accent}+{variant}", **own)


@dataclass(frozen=True)
class SpokenSentence:
    """Hold one synthesised sentence.

    Attributes:
        waveform: (samples,) float32 at `sample_rate_hz`.
        words: with their times; phonemes: (start in seconds, espeak's mnemonic), silence is "_".
    """

    waveform: np.ndarray
    sample_rate_hz: int
    words: tuple[Word, ...]
    phonemes: tuple[tuple[float, str], ...]


class _Engine:
    """Hold one load of the library, for one utterance."""

    def __init__(self) -> None:
        try:
            import espeakng_loader
        except ImportError as error:
            raise BackendUnavailable(NEEDS_EXTRA.format("the package espeakng-loader")) from error
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        home = str(Path(espeakng_loader.get_data_path()).parent).encode()
        self.sample_rate_hz = int(self._library.espeak_Initialize(_SYNCHRONOUS, 0, home, _PHONEME_EVENTS))
        if self.sample_rate_hz <= 0:
            raise BackendUnavailable(
                "espeak-ng did not start; reinstall with pip install --force-reinstall espeakng-loader"
            )
        self._library.espeak_ng_SetRandSeed(ctypes.c_long(_RANDOM_SEED))
        self._callback = _CALLBACK(self._collect)
        self._library.espeak_SetSynthCallback(self._callback)
        self.pieces: list[np.ndarray] = []
        self.words: list[tuple[float, int]] = []
        self.phonemes: list[tuple[float, str]] = []

    def _collect(self, wave: ctypes._Pointer, count: int, events: ctypes._Pointer) -> int:
        if wave and count > 0:
            self.pieces.append(np.ctypeslib.as_array(wave, (count,)).copy())
        k = 0
        while events and events[k].type != _EVENT_END:
            event = events[k]
            if event.type == _EVENT_WORD:
                self.words.append((event.audio_position / 1000, event.text_position - 1))
            elif event.type == _EVENT_PHONEME:
                self.phonemes.append((event.audio_position / 1000, event.id.string.decode("ascii", "ignore")))
            k += 1
        return 0

    def synthesise(self, text: str, voice: str, settings: dict[int, int]) -> None:
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise DataError(f"espeak-ng has no voice {voice!r}; choose another, see espeak-ng --voices")
        for parameter, value in settings.items():
            self._library.espeak_SetParameter(parameter, value, 0)
        data = text.encode() + b"\0"
        self._library.espeak_Synth(data, len(data), 0, 0, 0, _UTF8, None, None)
        self._library.espeak_Synchronize()

    def close(self) -> None:
        self._library.espeak_Terminate()
        handle = self._library._handle
        del self._library
        _ctypes.dlclose(handle)


def speak(text: str, voice: Voice, pitch: float = 0.0, rate: float = 0.0, spread: float = 0.0) -> SpokenSentence:
    """Synthesise one sentence.

    Args:
        pitch: semitones above the voice's own; rate: natural logarithm of the tempo; spread: of the pitch range.
    """
    settings = {
        _RATE: round(float(np.clip(_NORMAL_WPM * np.exp(voice.rate + rate), 85, 330))),
        _VOLUME: 100,
        _PITCH: round(float(np.interp(voice.pitch + pitch, _SEMITONES, _PITCHES))),
        _RANGE: round(float(np.clip(50 * np.exp(voice.range + spread), 4, 99))),
    }
    engine = _Engine()
    try:
        engine.synthesise(text, voice.name, settings)
        waveform = np.concatenate(engine.pieces).astype(np.float32) / 32768
        words = _word_times(text, engine.words, len(waveform) / engine.sample_rate_hz)
        return SpokenSentence(waveform, engine.sample_rate_hz, words, tuple(engine.phonemes))
    finally:
        engine.close()


def _word_times(text: str, events: list[tuple[float, int]], end_s: float) -> tuple[Word, ...]:
    """Return the times of the words of `text`; one that the synthesiser joined to its neighbour gets an even share."""
    names = text.split()
    starts: list[float] = [np.nan] * len(names)
    place = 0
    offsets = []
    for name in names:
        place = text.index(name, place)
        offsets.append(place)
        place += len(name)
    for time_s, position in events:
        k = int(np.searchsorted(offsets, position, side="right")) - 1
        if k >= 0 and np.isnan(starts[k]):
            starts[k] = time_s
    known = [k for k, start in enumerate(starts) if not np.isnan(start)]
    if not known:
        return ()
    filled = np.interp(range(len(names) + 1), [*known, len(names)], [*(starts[k] for k in known), end_s]).clip(0, end_s)
    return tuple(
        Word(name, round(float(filled[k]), 3), round(float(max(filled[k + 1], filled[k])), 3))
        for k, name in enumerate(names)
    )
