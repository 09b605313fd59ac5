"""Files: whole or not at all, under safe names; the labels that a prediction decides for."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from mesm.errors import DataError
from mesm.files import check_writable, slug, sweep_parts, write_atomic
from mesm.records.prediction import Prediction


def test_an_interrupted_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = write_atomic(tmp_path / "a.json", b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="No space left on device; free some space"):
        write_atomic(target, b"new")
    assert target.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1


def test_slugs_are_safe() -> None:
    assert slug("../../etc/pass wd") == "pass-wd" and slug("///") == "unnamed"


def test_decided_labels() -> None:
    made = Prediction("c", ("anger", "fear"), np.array([0.4, 0.6]), np.array([0.4, 0.7]), {}, {})
    assert made.decided == ("anger",)


def test_a_place_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "folder")
    assert not list(tmp_path.iterdir()), "the check leaves nothing behind"
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/self/new")):
        with pytest.raises(DataError, match=r"cannot write in .*; choose a folder of your own"):
            check_writable(place)
        with pytest.raises(DataError, match="cannot write "):
            write_atomic(place / "x", b"x")


def test_parts_of_killed_writers_are_swept_and_nothing_else(tmp_path: Path) -> None:
    for name in (".state.pt.abcdefgh.part", ".hidden", "shard.part"):
        (tmp_path / name).write_text("x")
    (tmp_path / ".best.abcdefgh.part").mkdir()
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / ".a.mp4.abcdefgh.part").write_text("x")
    sweep_parts(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {".hidden", "shard.part", "media"}
    assert not list((tmp_path / "media").iterdir())


def test_an_interrupt_leaves_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "a", b"x")
    assert not list(tmp_path.iterdir())
