"""A stranger's file, decoded apart."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from mesm.data.ingest import ingest_clip, ingest_untrusted
from mesm.errors import DataError


def test_same_as_inside(astronaut_clip: Path, tmp_path: Path) -> None:
    heard: list[str] = []
    preview = tmp_path / "p.mp4"
    apart = ingest_untrusted(
        astronaut_clip, "Hello “you”", preview_path=preview, progress=lambda what, share: heard.append(what)
    )
    inside = ingest_clip(astronaut_clip, "Hello “you”")
    for key, value in vars(inside).items():
        other = getattr(apart, key)
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            np.testing.assert_allclose(other, value, atol=0.05, err_msg=key)
        elif isinstance(value, np.ndarray):
            assert np.mean(other == value) > 0.99, key
        else:
            assert other == value, key
    assert preview.stat().st_size > 1000
    assert heard[0] == "starting the decoder" and heard[-1] == "making the preview"


def test_a_bad_file_is_one_sentence_without_the_folder(tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video at all" * 100)
    with pytest.raises(DataError, match=r"^bad\.mp4 cannot be read as video or sound"):
        ingest_untrusted(tmp_path / "bad.mp4", "text")


def test_time_limit(astronaut_clip: Path) -> None:
    start = time.monotonic()
    with pytest.raises(DataError, match="within 0 s"):
        ingest_untrusted(astronaut_clip, "text", timeout_s=0.3)
    assert time.monotonic() - start < 5


def test_memory_limit(astronaut_clip: Path) -> None:
    pytest.importorskip("resource")
    with pytest.raises(DataError, match="100 MB of memory"):
        ingest_untrusted(astronaut_clip, "text", memory_mb=100, timeout_s=30)
