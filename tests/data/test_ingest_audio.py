"""The spectrogram against librosa, the chunks, the clock."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesm.batch import SAMPLE_RATE_HZ
from mesm.data.ingest.audio import (
    mel_chunks,
    mel_filters,
    mel_power,
    read_waveform,
    sound_flags,
    to_mono_16k,
)
from mesm.data.ingest.media import Limits
from mesm.errors import DataError
from tests.data.made_clips import grey, tone

Make = Callable[..., Path]
#: Bands narrower than the spacing of the transform's bins, which hold no bin and stay at the floor.
EMPTY_BANDS = (0, 3, 6, 13)
PAPER = {"sr": SAMPLE_RATE_HZ, "n_fft": 400, "n_mels": 128, "htk": True, "norm": None}


@pytest.fixture(scope="module")
def speechlike() -> np.ndarray:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.05, 2 * SAMPLE_RATE_HZ + 77)
    return (noise * np.linspace(0, 1, len(noise)) + tone(2.1, 300, SAMPLE_RATE_HZ)[: len(noise)]).astype(np.float32)


def test_equal_to_librosa(speechlike: np.ndarray) -> None:
    librosa = pytest.importorskip("librosa")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # librosa warns of the empty bands
        filters = librosa.filters.mel(**PAPER)
        power = librosa.feature.melspectrogram(y=speechlike, hop_length=200, power=2.0, center=True, **PAPER)
    np.testing.assert_allclose(mel_filters(), filters, atol=1e-6)
    np.testing.assert_allclose(mel_power(speechlike), power, rtol=1e-4, atol=1e-7)
    assert tuple(np.flatnonzero(filters.sum(axis=1) == 0)) == EMPTY_BANDS


def test_long_sound_in_blocks_is_the_same(speechlike: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = mel_power(speechlike)
    monkeypatch.setattr("mesm.data.ingest.audio._BLOCK_HOPS", 7)
    np.testing.assert_allclose(mel_power(speechlike), whole, rtol=1e-5, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 20_000))
def test_chunks_are_the_spectrogram_cut_up(samples: int) -> None:
    waveform = np.random.default_rng(samples).normal(0, 0.1, samples).astype(np.float32)
    chunks = mel_chunks(waveform)
    assert chunks.shape == (-(-samples // 6400), 128, 32) and chunks.dtype == np.float16
    if samples:
        flat = chunks.transpose(1, 0, 2).reshape(128, -1)
        hops = -(-samples // 200)
        expected = np.log10(mel_power(waveform)[:, :hops] + 1e-10)
        np.testing.assert_allclose(flat[:, :hops], expected, atol=5e-3)
        assert np.all(flat[:, hops:] == -10)
        assert np.all(flat[list(EMPTY_BANDS)] == -10)


def test_flags() -> None:
    sound = tone(0.5, rate_hz=SAMPLE_RATE_HZ)
    assert sound_flags(sound) == ()
    assert sound_flags(sound * 1e-3) == sound_flags(np.zeros(100, np.float32)) == ("silence",)
    assert sound_flags(np.clip(sound * 10, -1, 1)) == ("clipping",)


def peak_hz(waveform: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform))))
    return float(spectrum.argmax() * SAMPLE_RATE_HZ / len(waveform))


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 48_000])
def test_any_rate_keeps_pitch_and_length(rate_hz: int) -> None:
    waveform = to_mono_16k(tone(1.0, 1000, rate_hz), rate_hz)
    assert len(waveform) == pytest.approx(SAMPLE_RATE_HZ, abs=2)
    assert peak_hz(waveform[1000:-1000]) == pytest.approx(1000, abs=2)


def test_two_channels_are_not_one() -> None:
    with pytest.raises(DataError, match="one channel"):
        to_mono_16k(np.zeros((2, 100), np.float32), 16_000)


@pytest.mark.parametrize(("name", "codec"), [("a.wav", "pcm_s16le"), ("a.m4a", "aac"), ("a.flac", "flac")])
def test_files_of_sound(make_clip: Make, name: str, codec: str) -> None:
    waveform = read_waveform(make_clip(name, waveform=tone(1.0, 700), audio_codec=codec))
    assert waveform is not None
    assert len(waveform) == pytest.approx(SAMPLE_RATE_HZ, abs=1100)
    assert peak_hz(waveform[2000:14000]) == pytest.approx(700, abs=3)
    assert np.abs(waveform[2000:14000]).max() == pytest.approx(0.3, abs=0.03)


def test_part_of_a_sound(make_clip: Make) -> None:
    sound = np.concatenate([tone(2.0, 400), tone(1.0, 1500)])
    path = make_clip("a.mp4", [grey(9)] * 30, waveform=sound)
    part = read_waveform(path, start_s=2.1, end_s=2.9)
    assert part is not None and len(part) == round(0.8 * SAMPLE_RATE_HZ)
    assert peak_hz(part) == pytest.approx(1500, abs=5)


def test_no_sound_and_too_much(make_clip: Make) -> None:
    assert read_waveform(make_clip("silent.mp4", [grey(9)] * 3)) is None
    with pytest.raises(DataError, match=r"more than 1 s"):
        read_waveform(make_clip("a.wav", waveform=tone(2.0), audio_codec="pcm_s16le"), limits=Limits(max_duration_s=1))


def test_sound_that_starts_late_stays_in_place(tmp_path: Path) -> None:
    import av

    path = tmp_path / "late.mkv"
    with av.open(str(path), "w") as out:
        video, audio = out.add_stream("libx264", rate=10), out.add_stream("pcm_s16le", rate=16_000, layout="mono")
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for _ in range(20):
            frame = av.VideoFrame.from_ndarray(grey(99), format="rgb24")
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        for start in [*range(8_000, 12_000, 1_000), *range(20_000, 24_000, 1_000)]:
            block = (tone(1000 / 16_000, 1000, 16_000)[None] * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            frame.sample_rate, frame.pts = 16_000, start
            frame.time_base = audio.codec_context.time_base or frame.time_base
            for packet in audio.encode(frame):
                out.mux(packet)
        out.mux(audio.encode(None))
    waveform = read_waveform(path)
    assert waveform is not None
    loud = [float(np.abs(waveform[a : a + 2000]).max()) > 0.1 for a in range(0, 24_000, 2_000)]
    assert loud == [False] * 4 + [True] * 2 + [False] * 4 + [True] * 2


def test_a_time_far_ahead_makes_no_silence_without_end(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "odd.mkv"), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=SAMPLE_RATE_HZ, layout="mono")
        for start in (0, SAMPLE_RATE_HZ * 3600 * 24 * 365):  # the second block claims to come a year later
            block = av.AudioFrame.from_ndarray(np.full((1, 8000), 9000, np.int16), format="s16", layout="mono")
            block.sample_rate, block.pts, block.time_base = SAMPLE_RATE_HZ, start, Fraction(1, SAMPLE_RATE_HZ)
            out.mux(stream.encode(block))
        out.mux(stream.encode(None))
    part = read_waveform(tmp_path / "odd.mkv", end_s=2.0)
    assert part is not None and len(part) <= 2 * SAMPLE_RATE_HZ and part[:7900].min() > 0.2 and not part[9000:].any()
    with pytest.raises(DataError, match="above the limit"):
        read_waveform(tmp_path / "odd.mkv")
