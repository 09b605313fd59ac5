"""`mesm ingest` as a user calls it."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from mesm.cli import ingest
from mesm.data.store import Corpus
from mesm.errors import DataError
from mesm.locks import FolderLock


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    ingest.add_arguments(parser)
    return ingest.run(parser.parse_args(arguments))


@pytest.mark.slow
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
    code = "import argparse, sys; from mesm.cli import ingest; ingest.add_arguments(argparse.ArgumentParser()); "
    code += "sys.exit(any(m in sys.modules for m in ('torch', 'av', 'numpy')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


ADD = """
import sys
from pathlib import Path
from mesm.cli.ingest import _open_in_turn
from tests.data.made_samples import make_sample
with _open_in_turn(Path(sys.argv[1])) as writer:
    writer.add(make_sample(sys.argv[2]))
"""


def test_writers_at_the_same_time_take_turns(tmp_path: Path) -> None:
    children = [subprocess.Popen([sys.executable, "-c", ADD, str(tmp_path / "two"), f"c{n}"]) for n in range(3)]
    assert [child.wait() for child in children] == [0, 0, 0]
    assert sorted(Corpus(tmp_path / "two").ids()) == ["c0", "c1", "c2"]


@pytest.mark.slow
def test_commands_at_the_same_time_add_all_their_clips(tmp_path: Path) -> None:
    picture, out = tmp_path / "a.png", tmp_path / "two"
    Image.fromarray(data.astronaut()[:300]).save(picture)
    command = [sys.executable, "-m", "mesm", "ingest", str(picture), "--out", str(out), "--clip-id"]
    children = [subprocess.Popen([*command, f"c{n}"], stdout=subprocess.DEVNULL) for n in range(3)]
    assert [child.wait() for child in children] == [0, 0, 0]
    corpus = Corpus(out)
    assert sorted(corpus.ids()) == ["c0", "c1", "c2"] and len(list((out / "media").iterdir())) == 3
    corpus.verify()


@pytest.mark.slow
def test_a_folder_that_stays_busy_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "PATIENCE_S", 0.2)
    picture = tmp_path / "a.png"
    Image.fromarray(data.astronaut()[:300]).save(picture)
    with FolderLock(tmp_path / "two", "corpus"), pytest.raises(DataError, match="corpus two is being written"):
        run(str(picture), "--out", str(tmp_path / "two"))
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("mesm.data.ingest.ingest_clip", None)  # the place is checked before the work
    with pytest.raises(DataError, match="cannot write in"):
        run(str(picture), "--out", str(tmp_path / "file"))
