"""Raw clips of every kind -> `Sample`, or one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from mesm.batch import Sample, Word
from mesm.data.ingest import Limits, ingest_arrays, ingest_clip
from mesm.errors import DataError
from tests.data.made_clips import RATE_HZ, grey, tone

Make = Callable[..., Path]


def test_astronaut(astronaut_clip: Path) -> None:
    heard: list[tuple[str, float]] = []
    sample = ingest_clip(
        astronaut_clip,
        " We  have\nlift-off. ",
        progress=lambda what, share: heard.append((what, share)),
    )
    assert sample.clip_id == "astronaut" and sample.text == "We have lift-off."
    assert sample.faces.shape == (3, 48, 48, 3) and sample.faces_large.shape == (3, 96, 96, 3)
    assert sample.face_times_s.tolist() == [0.0, 0.5, 1.0]
    assert sample.face_found.all() and sample.quality == ()
    assert sample.mel.shape == (4, 128, 32)
    assert sample.duration_s == pytest.approx(1.5, abs=0.05)
    assert [word.text for word in sample.words] == ["We", "have", "lift-off."]
    moved = np.diff(sample.face_boxes[:, 0])
    np.testing.assert_allclose(moved, 20, atol=4)  # the picture moves 4 px a frame, 5 frames between two crops
    shares = [share for _, share in heard]
    assert shares == sorted(shares) and shares[-1] == 1.0 and len(shares) >= 4


def test_in_memory_is_the_same(astronaut: np.ndarray) -> None:
    frames = [astronaut, np.roll(astronaut, 20, axis=1)]
    sample = ingest_arrays(
        frames, [0.0, 0.5], tone(0.9), RATE_HZ, "Hello.", clip_id="m", words=[Word("Hello.", 0, 0.4)]
    )
    assert sample.faces.shape == (2, 48, 48, 3) and sample.mel.shape == (3, 128, 32)
    assert sample.duration_s == pytest.approx(0.9, abs=1e-3)
    assert sample.words == (Word("Hello.", 0, 0.4),)
    with pytest.raises(ValueError):
        ingest_arrays(frames, [0.0], None, RATE_HZ, "", clip_id="m")


def test_video_without_sound(make_clip: Make, astronaut: np.ndarray) -> None:
    sample = ingest_clip(make_clip("v.mp4", [astronaut] * 6), "text")
    assert sample.mel.shape == (0, 128, 32) and sample.quality == ("no_audio",)
    assert len(sample.faces) == 2 and sample.duration_s == pytest.approx(0.6, abs=0.02)


def test_video_without_a_face(make_clip: Make) -> None:
    sample = ingest_clip(make_clip("v.mp4", [grey(80)] * 6, waveform=tone(0.6)), "text")
    assert sample.quality == ("no_face",) and not sample.face_found.any()
    assert abs(float(sample.faces.mean()) - 80) < 3


def test_one_frame_and_silence(make_clip: Make, astronaut: np.ndarray) -> None:
    sample = ingest_clip(make_clip("v.mp4", [astronaut], waveform=np.zeros(RATE_HZ, np.float32)), "")
    assert len(sample.faces) == 1 and sample.face_found.all()
    assert sample.quality == ("silence", "no_words") and sample.text == "" and sample.words == ()
    assert np.all(sample.mel[:-1] == -10)


@pytest.mark.parametrize("kind", ["png", "jpg", "webp"])
def test_picture_and_wav(tmp_path: Path, make_clip: Make, astronaut: np.ndarray, kind: str) -> None:
    Image.fromarray(astronaut).save(tmp_path / f"p.{kind}")
    voice = make_clip("v.wav", waveform=tone(1.0), audio_codec="pcm_s16le")
    sample = ingest_clip(tmp_path / f"p.{kind}", "text", audio_path=voice)
    assert len(sample.faces) == 1 and sample.face_found.all() and sample.quality == ()
    assert sample.mel.shape == (3, 128, 32) and sample.duration_s == pytest.approx(1.0, abs=1e-3)
    alone = ingest_clip(tmp_path / f"p.{kind}", "text")
    assert alone.quality == ("no_audio",) and alone.duration_s == 0


@pytest.mark.parametrize(("name", "codec"), [("a.wav", "pcm_s16le"), ("a.mp3", "mp3"), ("a.webm", "libopus")])
def test_sound_only(make_clip: Make, name: str, codec: str) -> None:
    sample = ingest_clip(make_clip(name, waveform=tone(1.0, rate_hz=48_000), audio_codec=codec, rate_hz=48_000), "text")
    assert sample.faces.shape == (0, 48, 48, 3) and sample.quality == ("no_video",)
    assert sample.duration_s == pytest.approx(1.0, abs=0.1)


def test_cover_picture_is_no_video(tmp_path: Path, make_clip: Make) -> None:
    song, path = make_clip("a.m4a", waveform=tone(0.5)), tmp_path / "cover.mp4"
    with av.open(str(song)) as source, av.open(str(path), "w") as out:
        stream = out.add_stream_from_template(source.streams.audio[0])
        cover = out.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        out.mux(cover.encode(av.VideoFrame.from_ndarray(grey(50), format="rgb24")))
        out.mux(cover.encode(None))
        for packet in source.demux(audio=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    assert "no_video" in ingest_clip(path, "text").quality


def test_part(make_clip: Make, astronaut: np.ndarray) -> None:
    path = make_clip("v.mp4", [grey(0, 360, 512)] * 10 + [astronaut] * 10, waveform=tone(2.0))
    sample = ingest_clip(path, "text", start_s=1.2, end_s=1.9)
    assert sample.face_found.tolist() == [True, True] and sample.duration_s == pytest.approx(0.7, abs=0.01)
    assert sample.quality == ("shortened",)
    with pytest.raises(DataError, match="give 0 <= start < end"):
        ingest_clip(path, "text", start_s=2, end_s=1)
    with pytest.raises(DataError, match="give 0 <= start < end"):
        ingest_clip(path, "text", end_s=0)
    with pytest.raises(DataError, match="neither a picture nor a sound"):
        ingest_clip(path, "text", start_s=50, end_s=51)


def test_spaces_and_unicode_in_the_path(tmp_path: Path, astronaut_clip: Path) -> None:
    path = tmp_path / "ein schöner Ordner – 日本" / "clip #1: 'quoted' %d.mp4"
    path.parent.mkdir()
    path.write_bytes(astronaut_clip.read_bytes())
    sample = ingest_clip(path, "text")
    assert sample.face_found.all() and sample.clip_id == path.stem


def test_wrong_extension(tmp_path: Path, astronaut_clip: Path, astronaut: np.ndarray) -> None:
    (tmp_path / "video.wav").write_bytes(astronaut_clip.read_bytes())
    assert len(ingest_clip(tmp_path / "video.wav", "text").faces) == 3
    Image.fromarray(astronaut).save(tmp_path / "picture.mp4", format="PNG")
    assert len(ingest_clip(tmp_path / "picture.mp4", "text").faces) == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"\x00" * 5000, "cannot be read"),
        (b"Dear diary, today nothing happened. " * 200, "cannot be read"),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n", "cannot be read"),
        (b"ffconcat version 1.0\nfile /etc/hostname\n", "cannot be read"),
        (b"\x80\x04\x95 pickle", "cannot be read"),
        (b"\x89PNG\r\n\x1a\n", "cannot be read"),
    ],
)
def test_not_media(tmp_path: Path, content: bytes, sentence: str) -> None:
    for name in ("clip.mp4", "clip.txt", "clip.m3u8"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=sentence) as caught:
            ingest_clip(tmp_path / name, "text")
        assert name in str(caught.value) and "\n" not in str(caught.value)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        ingest_clip(tmp_path / "nothing.mp4", "text")
    with pytest.raises(DataError, match="is a folder"):
        ingest_clip(tmp_path, "text")


def test_cut_off_at_the_end(tmp_path: Path, make_clip: Make) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 48, 64, 3), dtype=np.uint8)
    whole = make_clip("v.mkv", list(noise), waveform=tone(6.0)).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    sample = ingest_clip(tmp_path / "cut.mkv", "text")
    assert "cut_off" in sample.quality and 3 <= len(sample.faces) < 12


def test_cut_off_without_its_index(tmp_path: Path, astronaut_clip: Path) -> None:
    (tmp_path / "cut.mp4").write_bytes(astronaut_clip.read_bytes()[: astronaut_clip.stat().st_size // 2])
    with pytest.raises(DataError, match="may be cut off"):
        ingest_clip(tmp_path / "cut.mp4", "text")


def test_too_long(astronaut_clip: Path) -> None:
    with pytest.raises(DataError, match="above the limit of 1 s"):
        ingest_clip(astronaut_clip, "text", limits=Limits(max_duration_s=1))


def test_sample_checks_its_shapes() -> None:
    with pytest.raises(DataError, match="faces must be"):
        Sample("x", "", np.zeros((1, 47, 48, 3), np.uint8), np.zeros((0, 128, 32), np.float16), 0.0)
