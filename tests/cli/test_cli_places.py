"""A place that cannot be written, and an error of the machine, are one sentence; the place is found before the work."""

from __future__ import annotations

import errno
import os
import shlex
from pathlib import Path

import pytest

from mesm.cli import main

#: A folder in which even root cannot write. No input of these commands exists, so that any work would fail first.
NO_PLACE = "/proc/self/new"


@pytest.mark.parametrize(
    "line",
    [
        "ingest a.mp4 --out {}",
        "predict clips --out {}/scores.csv",
        "train --preset marionette-fe2e --corpus none --out {}",
        "train --resume {}",
        "search --preset marionette-fe2e --corpus none --space none.toml --out {}",
        "ablate --corpus none --preset mosei --out {}",
        "corpus build marionette --out {}",
        "corpus import manifest none.csv {}",
        "corpus split none {} --splits random",
        "corpus export none --out {}",
        "convert none.pt {} --labels mosei",
        "figure scores none@none --clip a --out {}/a.pdf",
        "evaluate none --corpus none --out {}",
        "sweep none --corpus none --out {}",
        "seeds none --corpus none --out {}",
        "reproduce table3 --corpus none --records {}",
    ],
)
def test_found_before_the_work(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(shlex.split(line.format(NO_PLACE))) == 2
    error = capsys.readouterr().err
    assert "cannot write in /proc/self/new" in error and error.count("\n") == 1


def test_the_default_places_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MESM_HOME", NO_PLACE)
    assert main(["evaluate", "none", "--corpus", "none"]) == 2
    assert f"cannot write in {NO_PLACE}/records" in capsys.readouterr().err
    monkeypatch.chdir("/proc/self")
    assert main(["figure", "scores", "none@none", "--clip", "a"]) == 2
    assert "cannot write in" in capsys.readouterr().err


def test_an_error_of_the_machine_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def fail(_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/disk/file")

    monkeypatch.setattr("mesm.cli.ingest.run", fail)
    assert main(["ingest", "a.mp4", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        "mesm ingest: /disk/file: No space left on device; check the place and its free space\n"
    )
