"""Kinds of film and sound that phones, recorders and editors write, each with its right answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from av.audio.resampler import AudioResampler

from mesm.data.ingest import ingest_arrays, ingest_clip, probe_untrusted
from mesm.data.ingest.audio import mel_chunks, read_sound, read_waveform, to_mono_16k, voice_level
from mesm.data.ingest.video import FrameSampler
from tests.data.made_clips import displayed, grey, speech_like, tone, write_sounds

Make = Callable[..., Path]
CASES = Path(__file__).parent / "cases"


def rms(waveform: np.ndarray) -> float:
    return float(np.sqrt(np.mean(waveform**2)))


def test_a_plain_film_is_its_frames_and_its_sound(astronaut_clip: Path) -> None:
    sample = ingest_clip(astronaut_clip, "I never thought they would come.")
    assert sample.quality == () and len(sample.faces) == 3
    resampler = AudioResampler(format="fltp", layout="mono", rate=16_000)
    with av.open(str(astronaut_clip)) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    with av.open(str(astronaut_clip)) as container:
        frames = [*container.decode(audio=0), None]
        plain = np.concatenate([piece.to_ndarray()[0] for frame in frames for piece in resampler.resample(frame)])
    again = ingest_arrays(pictures[::5], [0.0, 0.5, 1.0], plain, 16_000, sample.text, clip_id="again")
    for name in ("faces", "faces_large", "face_boxes", "mel"):
        np.testing.assert_array_equal(getattr(sample, name), getattr(again, name))
    np.testing.assert_array_equal(read_waveform(astronaut_clip), plain)
    np.testing.assert_array_equal(sample.mel, mel_chunks(plain))


@pytest.mark.parametrize(
    "first", [np.zeros(44_100), tone(1.0, level=0.5), 0.1 * np.random.default_rng(0).normal(size=44_100)]
)
def test_the_track_with_the_voice_is_read(tmp_path: Path, first: np.ndarray) -> None:
    voice = speech_like(1.0, level=0.2)
    sound = read_sound(write_sounds(tmp_path / "a.mkv", first, voice))
    assert sound is not None and sound.flags == ("two_sound_tracks",)
    assert rms(sound.waveform) == pytest.approx(rms(voice), rel=0.05)


def test_of_two_voices_the_first(tmp_path: Path) -> None:
    sound = read_sound(write_sounds(tmp_path / "a.mkv", speech_like(1.0, level=0.2), speech_like(1.0, level=0.3)))
    assert sound is not None and rms(sound.waveform) == pytest.approx(rms(speech_like(1.0, level=0.2)), rel=0.05)
    assert voice_level(np.zeros(100, np.float32)) == voice_level(np.zeros(0, np.float32)) == 0


@pytest.mark.parametrize(
    ("gains", "flags", "level"),
    [
        ((1, -1), ("out_of_phase",), 2),
        ((1, -0.7), ("out_of_phase",), 1.7),
        ((1, 1), (), 2),
        ((1, 0), (), 1),  # a voice on one side only
    ],
)
def test_channels_that_cancel_are_subtracted(
    tmp_path: Path, gains: tuple[float, float], flags: tuple[str, ...], level: float
) -> None:
    voice = speech_like(1.0, level=0.3)
    path = write_sounds(tmp_path / "a.wav", np.stack([gain * voice for gain in gains]))
    sound = read_sound(path)
    assert sound is not None and sound.flags == flags
    assert rms(sound.waveform) == pytest.approx(level * 0.5**0.5 * rms(voice), rel=0.05)
    left = read_waveform(path, channel=0)
    assert left is not None and rms(left) == pytest.approx(rms(voice), rel=0.05)
    assert flags == tuple(flag for flag in ingest_clip(path, "Hello.").quality if flag == "out_of_phase")


@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.parametrize(("name", "codec"), [("a.wav", "pcm_s16le"), ("a.mp4", "aac")])
def test_of_surround_sound_the_centre_is_read(tmp_path: Path, name: str, codec: str, silent: bool) -> None:
    voice, music = speech_like(1.0, level=0.2), tone(1.0, 500, level=0.5)
    channels = np.stack([music, -music, voice, music, music, music])
    if silent:  # a stereo recording in the frame of six channels
        channels = np.stack([voice, voice, *4 * [np.zeros_like(voice)]])
    sound = read_sound(write_sounds(tmp_path / name, channels, codec=codec))
    assert sound is not None
    expected = to_mono_16k(voice, 44_100)
    size = min(len(expected), len(sound.waveform))
    assert np.corrcoef(expected[:size], sound.waveform[:size])[0, 1] > 0.95
    if not silent:
        assert rms(sound.waveform) == pytest.approx(rms(voice), rel=0.05)


def test_surround_and_telephone(tmp_path: Path) -> None:
    voice = speech_like(1.0)
    centre = np.zeros((6, len(voice)))
    centre[2] = voice
    sound = read_sound(write_sounds(tmp_path / "a.wav", centre))
    assert sound is not None and sound.flags == () and rms(sound.waveform) > 0.1 * rms(voice)
    phone = read_sound(write_sounds(tmp_path / "b.wav", speech_like(1.0, 8000), codec="pcm_mulaw", rate_hz=8000))
    assert phone is not None and len(phone.waveform) == pytest.approx(16_000, abs=20)


def test_a_track_without_packets_is_no_sound(tmp_path: Path, make_clip: Make) -> None:
    empty = make_clip("v.mp4", [grey(90)] * 6, waveform=np.zeros(0, np.float32))
    assert ingest_clip(empty, "Hello.").quality == ("no_face", "no_audio")
    voice = speech_like(1.0)
    sound = read_sound(write_sounds(tmp_path / "a.mkv", voice[:0], voice))
    assert sound is not None and sound.flags == () and rms(sound.waveform) == pytest.approx(rms(voice), rel=0.05)


def test_repeated_frames_are_no_damage() -> None:
    # A still of the demo corpus's clip m0-00006 with its sound, by FFmpeg's libtheora (-loop 1 -r 25 -t 3.4 -g 250).
    sample = ingest_clip(CASES / "repeats.ogv", "Hello there.")
    assert sample.quality == () and sample.duration_s == pytest.approx(3.4, abs=0.01) and len(sample.faces) == 7


def test_the_length_is_measured_where_the_header_has_none(tmp_path: Path) -> None:
    path = tmp_path / "recorder.webm"
    with av.open(str(path), "w", options={"live": "1"}) as out:
        stream = out.add_stream("libvpx", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(70):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(grey(90), format="rgb24")))
        out.mux(stream.encode(None))
    with av.open(str(path)) as container:
        assert container.duration is None
    assert probe_untrusted(path).duration_s == pytest.approx(14.0, abs=0.21)
    assert "shortened" in ingest_clip(path, "Hello.", end_s=10.0).quality
    assert "shortened" not in ingest_clip(path, "Hello.", end_s=50.0).quality


def test_a_black_start_and_a_black_film(make_clip: Make) -> None:
    assert "black_start" in ingest_clip(make_clip("a.mp4", [grey(0)] * 10 + [grey(120)] * 10), "Hello.").quality
    assert "black_picture" in ingest_clip(make_clip("b.mp4", [grey(3)] * 10), "Hello.").quality
    assert ingest_clip(make_clip("c.mp4", [grey(60)] * 10), "Hello.").quality == ("no_face", "no_audio")


def test_a_picture_that_begins_after_the_sound(make_clip: Make) -> None:
    times_ms = [1000 + 100 * i for i in range(10)]
    sample = ingest_clip(make_clip("a.mkv", [grey(90)] * 10, times_ms, waveform=tone(2.0)), "Hello.")
    assert "late_picture" in sample.quality and len(sample.faces) == 4


#: The bright quarter of the stored picture is its upper left one; matrix -> where a player shows it.
TURNS = {
    (1, 0, 0, 1): "upper left",
    (-1, 0, 0, 1): "upper right",  # mirrored, as a selfie
    (1, 0, 0, -1): "lower left",
    (-1, 0, 0, -1): "lower right",
    (0, 1, -1, 0): "upper right",
    (0, -1, 1, 0): "lower left",
    (0, 1, 1, 0): "upper left",
    (0, -1, -1, 0): "lower right",
}


@pytest.mark.parametrize("matrix", TURNS)
def test_phones_turn_and_mirror(make_clip: Make, matrix: tuple[int, int, int, int]) -> None:
    stored = np.zeros((48, 64, 3), np.uint8)
    stored[:24, :32] = 200
    (_, frame), *_ = FrameSampler(displayed(make_clip("v.mp4", [stored] * 3), *matrix))
    assert frame.shape == ((64, 48, 3) if matrix[0] == 0 else (48, 64, 3))
    height, width = frame.shape[0] // 2, frame.shape[1] // 2
    quarters = {
        "upper left": frame[:height, :width],
        "upper right": frame[:height, width:],
        "lower left": frame[height:, :width],
        "lower right": frame[height:, width:],
    }
    assert max(quarters, key=lambda name: quarters[name].mean()) == TURNS[matrix]
