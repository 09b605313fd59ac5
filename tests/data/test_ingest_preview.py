"""Previews that a browser plays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from mesm.data.ingest import encode_arrays, encode_preview, ingest_clip
from mesm.errors import DataError
from tests.data.made_clips import RATE_HZ, tone


def described(path: Path) -> list[tuple[str, str]]:
    with av.open(str(path)) as container:
        return [(s.codec_context.name, getattr(s.codec_context, "pix_fmt", "") or "") for s in container.streams]


def test_video(make_clip: Callable[..., Path], astronaut: np.ndarray, tmp_path: Path) -> None:
    source = make_clip("v.avi", [astronaut[:359, :511]] * 12, codec="mpeg4", waveform=tone(1.2), audio_codec="mp3")
    preview = encode_preview(source, tmp_path / "new folder" / "p.mp4")
    assert described(preview) == [("h264", "yuv420p"), ("aac", "")]
    content = preview.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat"), "a browser wants the index first"
    assert encode_preview(source, preview).read_bytes() == content
    first, again = ingest_clip(source, "t"), ingest_clip(preview, "t")
    assert again.face_found.all() and again.duration_s == pytest.approx(first.duration_s, abs=0.1)
    assert [p.name for p in preview.parent.iterdir()] == ["p.mp4"]


def test_picture_and_sound(make_clip: Callable[..., Path], astronaut: np.ndarray, tmp_path: Path) -> None:
    Image.fromarray(astronaut).save(tmp_path / "p.png")
    voice = make_clip("v.wav", waveform=tone(2.0), audio_codec="pcm_s16le")
    preview = encode_preview(tmp_path / "p.png", tmp_path / "p.mp4", audio_path=voice)
    assert ingest_clip(preview, "t").duration_s == pytest.approx(2.0, abs=0.1)
    assert len(described(encode_preview(voice, tmp_path / "sound.mp4"))) == 1


def test_arrays(astronaut: np.ndarray, tmp_path: Path) -> None:
    preview = encode_arrays([astronaut] * 5, 12.5, tone(0.4), RATE_HZ, tmp_path / "p.mp4", max_px=200)
    with av.open(str(preview)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, float(stream.average_rate or 0)) == (200, 140, 12.5)
    with pytest.raises(DataError, match="neither a frame nor a sound"):
        encode_arrays([], 25, None, RATE_HZ, tmp_path / "none.mp4")
    assert not (tmp_path / "none.mp4").exists()
