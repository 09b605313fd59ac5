"""Convert sound: any file -> 16 kHz mono -> mel power -> log10 -> chunks of 400 ms.

The spectrogram is the paper's: window and transform of 25 ms, hop 12.5 ms, 128 HTK mel bands without area
normalisation, power 2. It equals `librosa.feature.melspectrogram(htk=True, norm=None, power=2)`, which the tests
use as oracle; it is computed here because importing librosa's filters compiles for many seconds.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import lru_cache

import av
import numpy as np
from av.audio.resampler import AudioResampler

from mesm.batch import CHUNK_HOPS, MEL_BANDS, MEL_FLOOR, SAMPLE_RATE_HZ
from mesm.data.ingest.media import Decoding, Limits, audio_streams, open_media, origin_s
from mesm.data.signal_settings import HOP, WINDOW
from mesm.errors import DataError

#: Root mean square below which a clip counts as silent: -60 dB of full scale.
SILENCE_RMS = 1e-3
#: A sample this close to full scale is clipped; a clip is flagged when more than this share of its samples are.
CLIPPED_LEVEL, CLIPPED_SHARE = 0.999, 1e-3
#: Two channels whose mix has less than this share of their power (-6 dB) are of opposite phase.
CANCELLED_SHARE = 0.25
#: A later sound track is read in place of the first, and a mix in place of its centre, where its voice is this much louder
#: (6 dB).
_LOUDER = 2.0
#: FFmpeg's name of the channel in front of the listener.
_CENTRE = "FC"
#: Windows at either end of a waveform that lie partly outside it.
_EDGE_HOPS = 2
_BLOCK_HOPS = 4096
#: A hole in the file's clock longer than this (0.1 s) is filled with silence, so that what follows stays in place.
_GAP_SAMPLES = 1600


def _mel(frequency_hz: np.ndarray | float) -> np.ndarray:
    """Convert hertz to HTK's mel scale."""
    return 2595.0 * np.log10(1.0 + np.asarray(frequency_hz, np.float64) / 700.0)


@lru_cache(maxsize=1)
def mel_filters() -> np.ndarray:
    """Compute the triangular HTK filters. (128, 201) float32, peak 1, not writable."""
    bins_hz = np.linspace(0, SAMPLE_RATE_HZ / 2, WINDOW // 2 + 1)
    edges_mel = np.linspace(_mel(0.0), _mel(SAMPLE_RATE_HZ / 2), MEL_BANDS + 2)
    edges_hz = 700.0 * (10.0 ** (edges_mel / 2595.0) - 1.0)
    width = np.diff(edges_hz)
    ramps = edges_hz[:, None] - bins_hz[None, :]
    rising = -ramps[:-2] / width[:-1, None]
    falling = ramps[2:] / width[1:, None]
    filters = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    filters.flags.writeable = False
    return filters


def mel_power(waveform: np.ndarray) -> np.ndarray:
    """Compute the mel power spectrogram of a 16 kHz waveform.

    Args:
        waveform: (samples,) float32 in [-1, 1].

    Returns:
        (128, 1 + samples // 200) float32; hop i is centred on sample 200 i, the ends are zero-padded.
    """
    padded = np.pad(np.asarray(waveform, np.float32), WINDOW // 2)
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)
    filters = mel_filters()
    blocks = []
    for start in range(0, len(windows), _BLOCK_HOPS):  # bounded memory for long recordings
        spectrum = np.fft.rfft(windows[start : start + _BLOCK_HOPS] * hann, axis=1)
        blocks.append(filters @ (spectrum.real**2 + spectrum.imag**2).T.astype(np.float32))
    return np.concatenate(blocks, axis=1)


def mel_chunks(waveform: np.ndarray) -> np.ndarray:
    """Compute log mel power in chunks of 32 hops; chunk i covers 400 i to 400 (i + 1) ms.

    Args:
        waveform: (samples,) float32 at 16 kHz.

    Returns:
        (ceil(samples / 6400), 128, 32) float16 of log10(power + `MEL_FLOOR`); the last chunk is padded with power 0.
    """
    samples = len(waveform)
    if samples == 0:
        return np.zeros((0, MEL_BANDS, CHUNK_HOPS), np.float16)
    hops = -(-samples // HOP)
    chunks = -(-hops // CHUNK_HOPS)
    power = np.zeros((MEL_BANDS, chunks * CHUNK_HOPS), np.float32)
    power[:, :hops] = mel_power(waveform)[:, :hops]
    logs = np.log10(power + np.float32(MEL_FLOOR)).astype(np.float16)
    return np.ascontiguousarray(logs.reshape(MEL_BANDS, chunks, CHUNK_HOPS).transpose(1, 0, 2))


def sound_flags(waveform: np.ndarray) -> tuple[str, ...]:
    """Return `silence` and `clipping`, where they apply to a (samples,) waveform."""
    flags = []
    if len(waveform) == 0 or float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64)))) < SILENCE_RMS:
        flags.append("silence")
    elif float(np.mean(np.abs(waveform) >= CLIPPED_LEVEL)) > CLIPPED_SHARE:
        flags.append("clipping")
    return tuple(flags)


def to_mono_16k(waveform: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """Resample a mono waveform at any rate to (samples,) float32 at 16 kHz, by the resampler that files go through."""
    waveform = np.ascontiguousarray(waveform, dtype=np.float32)
    if waveform.ndim != 1:
        raise DataError(f"the waveform has shape {waveform.shape}; give one channel, shape (samples,)")
    if sample_rate_hz == SAMPLE_RATE_HZ or len(waveform) == 0:
        return waveform
    frame = av.AudioFrame.from_ndarray(waveform[None], format="flt", layout="mono")
    frame.sample_rate = int(sample_rate_hz)
    resampler = AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ)
    pieces = [piece.to_ndarray()[0] for part in (frame, None) for piece in resampler.resample(part)]
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)


@dataclass(frozen=True)
class Sound:
    """Hold the sound of a file.

    Attributes:
        waveform: (samples,) float32 in [-1, 1] at 16 kHz.
        flags: `two_sound_tracks` and `out_of_phase`, where they apply.
    """

    waveform: np.ndarray
    flags: tuple[str, ...] = ()


def read_waveform(
    path: str | os.PathLike[str],
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    channel: int | None = None,
    limits: Limits | None = None,
) -> np.ndarray | None:
    """Read the waveform of `read_sound`: (samples,) float32, or None when the file has no sound."""
    sound = read_sound(path, start_s=start_s, end_s=end_s, channel=channel, limits=limits)
    return None if sound is None else sound.waveform


def read_sound(
    path: str | os.PathLike[str],
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    channel: int | None = None,
    limits: Limits | None = None,
) -> Sound | None:
    """Read the sound of a file, all channels mixed or one of two, at 16 kHz, on the clock of the clip.

    Of several tracks the one with the voice is read (`voice_level`), the first among equals. Two channels of opposite
    phase are subtracted: their sum would cancel the voice. Of surround sound the centre channel alone is read, which
    carries the dialogue of films and series, unless the mix has the voice (a silent centre).

    Args:
        path: any file with sound.
        start_s: with `end_s`, the part to read.
        end_s: see `start_s`.
        channel: 0 (left) or 1 (right) of a sound with two channels, where two people were recorded; a sound with
            another number of channels is mixed.
        limits: see `Limits`.

    A sound that starts after the picture is preceded by silence, so that second 0 is second 0 of the clip.

    Returns:
        The sound, or None when the file has none.
    """
    limits, start_s = limits or Limits(), start_s or 0.0
    seconds = limits.max_duration_s if end_s is None else end_s - start_s
    with open_media(path) as container:
        count = len(audio_streams(container))
    tracks = [_read_track(path, number, start_s, round(seconds * SAMPLE_RATE_HZ), channel) for number in range(count)]
    sounds = [track for track in tracks if track is not None and len(track.waveform)]
    if not sounds:
        if end_s is None and any(track is not None for track in tracks):
            raise DataError(f"the sound of {path} cannot be decoded; convert it to wav and try again")
        return None
    sound = sounds[0]
    if len(sounds) > 1:
        levels = [voice_level(one.waveform) for one in sounds]
        sound = sounds[next(n for n, level in enumerate(levels) if level >= max(levels) / _LOUDER)]
        sound = replace(sound, flags=("two_sound_tracks", *sound.flags))
    if end_s is not None:
        return replace(sound, waveform=sound.waveform[: round(seconds * SAMPLE_RATE_HZ)])
    if len(sound.waveform) > limits.max_duration_s * SAMPLE_RATE_HZ:
        raise DataError(
            f"{path} has more than {limits.max_duration_s:.0f} s of sound, above the limit; "
            "cut it, or give a start and an end"
        )
    return sound


def voice_level(waveform: np.ndarray) -> float:
    """Compute the strength of syllables in a waveform: root mean square of 2 to 10 Hz in its level at 300 to 3400 Hz.

    It is high where somebody speaks, low for tones and noise of the same level, and 0 for silence.
    """
    edges_mel = np.linspace(0, _mel(SAMPLE_RATE_HZ / 2), MEL_BANDS + 2)[1:-1]
    bands = (edges_mel > _mel(300.0)) & (edges_mel < _mel(3400.0))
    level = np.sqrt(mel_power(waveform)[bands].sum(axis=0))[_EDGE_HOPS:-_EDGE_HOPS]
    if not len(level):
        return 0.0
    spectrum = np.fft.rfft(level - level.mean())
    rate_hz = np.fft.rfftfreq(len(level), HOP / SAMPLE_RATE_HZ)
    return float(np.sqrt(np.sum(np.abs(spectrum[(rate_hz >= 2) & (rate_hz <= 10)]) ** 2)) / len(level))


def _read_track(
    path: str | os.PathLike[str], number: int, start_s: float, enough: int, channel: int | None
) -> Sound | None:
    """Decode one track of a file: None for one without packets, an empty waveform for one that cannot be decoded."""
    with open_media(path) as container:
        stream = audio_streams(container)[number]
        zero = origin_s(container) + start_s
        frames = Decoding(container, stream, zero - 0.5)
        names = [channel.name for channel in stream.layout.channels]
        if _CENTRE in names and len(names) > 1:
            (mix,), channels = _decode(frames, zero, enough, "mono", stream.layout.name)
            centre = channels[names.index(_CENTRE)]
            sound = Sound(centre if voice_level(centre) >= voice_level(mix) / _LOUDER else mix)
        elif stream.channels != 2:
            ((mix,),) = _decode(frames, zero, enough, "mono")
            sound = Sound(mix)
        elif channel is not None:
            (sides,) = _decode(frames, zero, enough, "stereo")
            sound = Sound(sides[channel])
        else:
            (mix,), (left, right) = _decode(frames, zero, enough, "mono", "stereo")
            sound = _in_phase(mix, left, right)
    return sound if frames.packets else None


def _in_phase(mix: np.ndarray, left: np.ndarray, right: np.ndarray) -> Sound:
    """Return the mix of two channels, or their difference, as loud, where the mix cancels what they hold."""
    power = (np.mean(left**2) + np.mean(right**2)) / 2 if len(mix) else 0.0
    if power > SILENCE_RMS**2 and np.mean(mix**2) < CANCELLED_SHARE * power:
        return Sound(np.clip((left - right) * np.float32(0.5**0.5), -1.0, 1.0), ("out_of_phase",))
    return Sound(mix)


def _decode(frames: Decoding, zero: float, enough: int, *layouts: str) -> list[np.ndarray]:
    """Decode samples from second `zero` of the container's clock on, a little more than `enough`.

    Returns:
        (channels, samples) float32 for each of the layouts; no samples where nothing can be decoded.
    """
    resamplers = [AudioResampler(format="fltp", layout=layout, rate=SAMPLE_RATE_HZ) for layout in layouts]
    pieces: list[list[np.ndarray]] = [[np.zeros((r.layout.nb_channels, 0), np.float32)] for r in resamplers]
    before: int | None = None  # samples on the clip's clock that come before the first piece; negative: to be cut off
    total = 0
    for frame in frames:
        if not isinstance(frame, av.AudioFrame):
            continue
        at = total
        if frame.pts is not None and frame.time_base is not None:
            # A damaged time may lie centuries ahead: no silence is made beyond what is wanted.
            at = min(round((float(frame.pts * frame.time_base) - zero) * SAMPLE_RATE_HZ), enough + 1)
        if before is None:
            before = at
        gap = at - before - total
        if gap > _GAP_SAMPLES:
            for some in pieces:
                some.append(np.zeros((len(some[0]), gap), np.float32))
            total += gap
        for resampler, some in zip(resamplers, pieces, strict=True):
            new = [piece.to_ndarray() for piece in resampler.resample(frame)]
            total += sum(piece.shape[1] for piece in new) if some is pieces[0] else 0
            some += new
        if before + total > enough:
            break
    waveforms = []
    for resampler, some in zip(resamplers, pieces, strict=True):
        if before is not None:
            some += [piece.to_ndarray() for piece in resampler.resample(None)]
            some.insert(0, np.zeros((len(some[0]), max(before, 0)), np.float32))
        waveform = np.concatenate(some, axis=1)[:, max(-(before or 0), 0) :]
        waveforms.append(np.clip(np.nan_to_num(waveform), -1.0, 1.0))
    return waveforms
