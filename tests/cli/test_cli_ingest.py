"""`mesm ingest` as a user calls it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from mesm.cli import ingest
from mesm.data.store import Corpus
from mesm.errors import DataError


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    ingest.add_arguments(parser)
    return ingest.run(parser.parse_args(arguments))


def test_clip_after_clip_into_one_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture, out = tmp_path / "my picture.png", tmp_path / "clips"
    Image.fromarray(data.astronaut()[:300]).save(picture)
    assert run(str(picture), "--text", "Hello there.", "--out", str(out)) == 0
    assert run(str(picture), "--out", str(out), "--clip-id", "again", "--speaker", "collins") == 0
    corpus = Corpus(out)
    assert corpus.ids() == ("my picture", "again") and corpus.manifest.complete
    assert corpus["my picture"].face_found.all() and corpus["my picture"].text == "Hello there."
    assert corpus.media_path("my picture") == out / "media" / "00000-my-picture.mp4"
    message = capsys.readouterr().out
    assert "1, one every 500 ms; a face in 1" in message and "no_audio" in message
    with pytest.raises(DataError, match="already has a clip 'again'"):
        run(str(picture), "--out", str(out), "--clip-id", "again")


def test_a_bad_file_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(bytes(100))
    with pytest.raises(DataError, match="cannot be read"):
        run(str(tmp_path / "bad.mp4"), "--out", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_arguments_need_no_torch() -> None:
    import subprocess

    code = "import argparse, sys; from mesm.cli import ingest; ingest.add_arguments(argparse.ArgumentParser()); "
    code += "sys.exit(any(m in sys.modules for m in ('torch', 'av', 'numpy')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
