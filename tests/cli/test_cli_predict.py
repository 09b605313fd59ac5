"""`mesm predict`: lists of clips, rows written as they come, and a stopped command that goes on."""

from __future__ import annotations

import csv
import os
from concurrent.futures import Future
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Self

import numpy as np
import pytest

from mesm.cli import main
from mesm.data.clip_list import list_clips
from mesm.errors import DataError
from mesm.records.checkpoint import CheckpointMetrics
from mesm.records.prediction import Prediction
from tests.data.made_clips import grey, tone, write_clip

HEAD = "path,text,happiness,sadness,decided,flags,error,top_p,checkpoint"


class Scorer:
    """A predictor whose first score is the length of the text; it counts its calls and can be made to stop."""

    labels, name, sha256, config = ("happiness", "sadness"), "made", "0" * 64, SimpleNamespace(top_p=0.5)
    metrics = CheckpointMetrics()

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.stop_at: str | None = None

    def predict(self, path: Path, text: str, top_p: float | None, guarded: bool = True) -> Prediction:
        if not path.is_file():
            raise DataError(f"{path} does not exist; check the path")
        if text == self.stop_at:
            raise KeyboardInterrupt
        self.texts.append(text)
        return Prediction("c", self.labels, np.array([len(text) / 100, 0]), np.array([0.05, 0.5]), {}, {}, ("a flag",))


class NoDecoders(nullcontext[None]):
    """Pass the path on in the place of the decoded clip."""

    ahead = 2

    def __init__(self, workers: int, *, guarded: bool = True) -> None:
        super().__init__()
        assert 1 <= workers <= 3

    def __enter__(self) -> Self:
        return self

    def read(self, path: Path, text: str, timeout_s: float) -> Future[Path]:
        future: Future[Path] = Future()
        future.set_result(path)
        return future


@pytest.fixture
def scorer(monkeypatch: pytest.MonkeyPatch) -> Scorer:
    scorer = Scorer()
    monkeypatch.setattr("mesm.analysis.predictor.load", lambda name: scorer)
    monkeypatch.setattr("mesm.data.ingest.Decoders", NoDecoders)
    return scorer


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A table of three clips, the second of them missing."""
    for name in ("a", "c"):
        (tmp_path / f"{name}.bin").write_bytes(b"clip")
    (tmp_path / "list.csv").write_text("path,text\na.bin,first\nb.bin,second\nc.bin,third\n")
    return tmp_path / "list.csv"


def predict(*arguments: object) -> int:
    return main(["predict", *map(str, arguments)])


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_stopped_command_goes_on(clips: Path, scorer: Scorer, capsys: pytest.CaptureFixture[str]) -> None:
    out = clips.with_name("scores.csv")
    scorer.stop_at = "third"
    assert predict(clips, "--out", out) == 130
    assert "2 of 3 clips written to" in capsys.readouterr().err and not out.exists()
    part = out.with_name("scores.csv.part")
    assert [row["text"] for row in read(part)] == ["first", "second"] and part.read_text().startswith(HEAD)
    with part.open("a") as file:
        file.write('x.bin,"a torn li')
    scorer.stop_at = None
    clips.with_name("b.bin").write_bytes(b"clip")
    assert predict(clips, "--out", out) == 0
    assert "3 clips scored (1 of them before), 0 failed" in capsys.readouterr().out
    assert scorer.texts == ["first", "second", "third"] and not part.exists()
    rows = read(out)
    assert [(row["text"], row["happiness"], row["decided"], row["flags"], row["error"]) for row in rows] == [
        ("first", "0.05", "happiness", "a flag", ""), ("second", "0.06", "happiness", "a flag", ""),
        ("third", "0.05", "happiness", "a flag", ""),
    ]  # fmt: skip
    assert {row["checkpoint"] for row in rows} == {"made 000000000000"} and {row["top_p"] for row in rows} == {"0.5"}


def test_only_the_same_clip_words_and_weights_are_kept(clips: Path, scorer: Scorer) -> None:
    out = clips.with_name("scores.csv")
    clips.write_text("path,text\na.bin,first\nc.bin,third\n")
    for change, again in (
        ([], ["first", "third"]),
        ([], []),
        (["--top-p", "0.4"], ["first", "third"]),
        (["--restart", "--top-p", "0.4"], ["first", "third"]),
    ):
        scorer.texts.clear()
        assert predict(clips, "--out", out, *change) == 0
        assert scorer.texts == again
    scorer.texts.clear()
    os.utime(clips.with_name("a.bin"), (2**33, 2**33))  # recorded again since
    clips.write_text("path,text\na.bin,first\nc.bin,other words\n")
    assert predict(clips, "--out", out, "--top-p", "0.4") == 0 and scorer.texts == ["first", "other words"]
    scorer.sha256 = "1" * 64
    scorer.texts.clear()
    assert predict(clips, "--out", out, "--top-p", "0.4") == 0 and len(scorer.texts) == 2


def test_a_bad_row_is_its_own_error(clips: Path, scorer: Scorer) -> None:
    out = clips.with_name("scores.csv")
    clips.write_bytes("﻿File; Transcript \na.bin;déjà vu\na.bin;Well; no\n;x\nc.bin;=1+1\n".encode("utf-16"))
    assert predict(clips, "--out", out) == 0
    first, second, third, last = read(out)
    assert (first["text"], first["happiness"]) == ("déjà vu", "0.07")
    assert second["error"] == "row 2 (line 3) has 3 cells, the header 2: quote the text" and not second["happiness"]
    assert third["error"].startswith("row 3 (line 4) names no path") and third["path"] == ""
    assert last["text"] == "'=1+1"
    assert scorer.texts == ["déjà vu", "=1+1"]
    assert predict(clips, "--out", out) == 0 and len(scorer.texts) == 2  # the cell with the apostrophe is the same


def test_a_name_that_is_not_utf8(tmp_path: Path, scorer: Scorer, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    name = os.fsdecode(b"caf\xe9.mp4")
    (folder / name).write_bytes(b"damaged")
    (folder / os.fsdecode(b"\xe9.xyz")).write_bytes(b"other")
    assert predict(folder, "--out", tmp_path / "scores.csv") == 0
    assert read(tmp_path / "scores.csv")[0]["path"] == str(folder / r"caf\xe9.mp4")
    assert r"are not searched): \xe9.xyz" in capsys.readouterr().out
    assert predict(folder, "--out", tmp_path / "scores.csv") == 0 and scorer.texts == [""]
    assert main(["ingest", str(folder / name), "--out", str(tmp_path / "corpus")]) == 2
    assert "holds a byte that is not UTF-8; give it another name" in capsys.readouterr().err
    assert main(["ingest", str(folder / name), "--clip-id", "a\nb", "--out", str(tmp_path / "corpus")]) == 2
    assert "holds a control character" in capsys.readouterr().err


def test_an_out_that_cannot_be_written_is_found_first(
    clips: Path, scorer: Scorer, capsys: pytest.CaptureFixture[str]
) -> None:
    clips.with_name("file").write_text("x")
    clips.with_name("table.csv").write_text("a,b\n1,2\n")
    for out, sentence in (
        (clips.with_name("file") / "scores.csv", "cannot write"),
        (clips.parent, "is a folder"),
        (clips, "is the list of clips itself"),
        (clips.with_name("table.csv"), "holds something else than these scores"),
    ):
        assert predict(clips, "--out", out) == 2 and sentence in capsys.readouterr().err
    assert scorer.texts == [] and not list(clips.parent.glob("*.part"))
    assert clips.with_name("table.csv").read_text() == "a,b\n1,2\n" and clips.read_text().startswith("path,text")
    assert predict(clips, "--out", clips.with_name("table.csv"), "--restart") == 0


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("path,txt\na.bin,x\n", "no column 'text', it has 'path', 'txt'"),
        ("clip,text\na.bin,x\n", "no column 'path', it has 'clip', 'text'"),
        ("path,text\n", "holds no clip"),
        ("", "is empty"),
    ],
)
def test_a_table_without_its_columns_is_refused_first(
    content: str, sentence: str, clips: Path, scorer: Scorer, capsys: pytest.CaptureFixture[str]
) -> None:
    clips.write_text(content)
    assert predict(clips, "--out", clips.with_name("o.csv")) == 2 and sentence in capsys.readouterr().err


def test_content_decides_what_is_a_clip(tmp_path: Path) -> None:
    frames, sound = [grey(90)] * 3, tone(0.3)
    write_clip(tmp_path / "b.mp4", frames, waveform=sound).rename(tmp_path / "b.dat")
    write_clip(tmp_path / "a.mp4", frames).rename(tmp_path / "a.M4V")
    write_clip(tmp_path / "d.m4a", waveform=sound)
    write_clip(tmp_path / "a.m4a", waveform=sound)
    for name in ("damaged.mp4", "notes.md", "list.csv", ".hidden.mp4", "e.txt"):
        (tmp_path / name).write_text("words")
    (tmp_path / "a.TXT").write_text("I don’t", encoding="cp1252")
    (tmp_path / "d.txt").write_bytes(b"a\0\0b")
    (tmp_path / "more").mkdir()
    clips, left_out = list_clips(tmp_path)
    assert [clip.path.name for clip in clips] == ["a.M4V", "b.dat", "d.m4a", "damaged.mp4"]
    assert [clip.text for clip in clips] == ["I don’t", "", "", ""] and "is not text" in clips[2].error
    assert left_out == ["a.m4a", "e.txt", "list.csv", "more/", "notes.md"]
    one, nothing = list_clips(tmp_path / "a.M4V")
    assert one == clips[:1] and nothing == []


def test_one_clip_is_printed_without_a_file(tmp_path: Path, scorer: Scorer, capsys: pytest.CaptureFixture[str]) -> None:
    write_clip(tmp_path / "a.mp4", [grey(90)] * 8, tone(0.5))
    (tmp_path / "a.txt").write_text("beside it")
    assert main(["predict", str(tmp_path / "a.mp4")]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines() == ["happiness   0.0900  decided", "sadness     0.0000"]
    assert "flag: a flag" in printed.err and scorer.texts == ["beside it"]
    assert main(["predict", str(tmp_path / "a.mp4"), "--text", "other"]) == 0 and scorer.texts[-1] == "other"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "a.txt"]


def test_several_clips_need_a_file(clips: Path, scorer: Scorer, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(clips)]) == 2 and "name the CSV to write with --out" in capsys.readouterr().err
    assert main(["predict", str(clips), "--text", "x", "--out", "y.csv"]) == 2
    assert "--text holds the words of a single clip; name its file" in capsys.readouterr().err and not scorer.texts
