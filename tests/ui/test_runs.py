"""Runs of a workspace: read from folders, and real processes of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mesm.config import RunConfig
from mesm.errors import ConfigError
from mesm.presets import PRESETS
from mesm.ui.runs import processes as runs
from mesm.ui.runs.processes import FAILED, FINISHED, RUNNING, STOPPED


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MESM_HOME", str(tmp_path))
    return tmp_path


def write_run(home: Path, name: str, epochs: int) -> Path:
    place = home / "runs" / name
    place.mkdir(parents=True)
    (place / runs.CONFIG).write_text(json.dumps(PRESETS["marionette-fe2e"].to_dict()))
    lines = [json.dumps({"epoch": e, "loss": 1 / (e + 1), "valid_f1": 40.0 + e}) for e in range(epochs)]
    (place / runs.METRICS).write_text("\n".join([*lines, '{"epoch": 9, "lo']))  # a half-written line
    return place


def test_what_a_folder_tells(home: Path) -> None:
    stopped, done = write_run(home, "stopped", 2), write_run(home, "done", 7)
    (done / "checkpoint").mkdir()
    (done / "checkpoint" / "model.safetensors").write_bytes(b"x")
    failed = write_run(home, "failed", 0)
    (failed / runs.LOG).write_text(
        f"epoch 0: 0%\rmesm train: {failed} holds a run with other settings; choose another\n"
    )
    found = runs.find_runs()
    assert {name: run.status for name, run in found.items()} == {
        "stopped": STOPPED, "done": FINISHED, "failed": FAILED,
    }  # fmt: skip
    assert (
        len(found["stopped"].epochs) == 2 and found["stopped"].wanted_epochs == PRESETS["marionette-fe2e"].train.epochs
    )
    assert found["failed"].said == "failed holds a run with other settings; choose another"
    assert str(home) not in found["failed"].said
    (stopped / runs.CONFIG).write_text("{broken")
    assert runs.read_run(stopped).config is None


def test_a_process_is_known_by_more_than_its_number(home: Path) -> None:
    place = write_run(home, "a", 0)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    mark = {"pid": child.pid, "started": runs._started(child.pid)}
    (place / runs.PROCESS).write_text(json.dumps(mark))
    assert runs.read_run(place).status == RUNNING
    (place / runs.PROCESS).write_text(json.dumps(mark | {"started": "1"}))
    assert runs.read_run(place).status == STOPPED  # the number was given to another process
    runs.stop(runs.read_run(place))
    assert child.poll() is None  # and that one is left alone
    (place / runs.PROCESS).write_text(json.dumps(mark))
    runs.stop(runs.read_run(place))
    assert runs.read_run(place).status == STOPPED
    with pytest.raises(OSError):
        os.kill(child.pid, 0)


def test_a_run_that_cannot_begin_says_why(home: Path) -> None:
    """A real `mesm train`, on a corpus that is not there."""
    run = runs.start("nowhere", "marionette-fe2e", home / "no-corpus", {}, 0, None)
    until = time.monotonic() + 60
    while runs.is_running(run.folder) and time.monotonic() < until:
        time.sleep(0.2)
    ended = runs.read_run(run.folder)
    assert ended.status == FAILED and "no-corpus" in ended.said
    with pytest.raises(ConfigError, match="already"):
        runs.start("nowhere", "marionette-fe2e", home, {}, 0, None)
    with pytest.raises(ConfigError, match="before it began"):
        runs.resume(ended)


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", ".hidden", "a b"])
def test_no_name_leads_out_of_the_workspace(home: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="will not do"):
        runs.start(name, "marionette-fe2e", home, {}, 0, None)
    assert not (home / "runs").exists() or not list((home / "runs").iterdir())


def test_settings_are_checked_before_a_process_starts(home: Path) -> None:
    assert runs.parse_settings("train.epochs=3\n\n model.width = 0.5 ") == {"train.epochs": "3", "model.width": "0.5"}
    for text in ("epochs=3", "train.epochs"):
        with pytest.raises(ConfigError, match="no setting"):
            runs.parse_settings(text)
    with pytest.raises(ConfigError, match="no setting 'epocs'"):
        runs.start("x", "marionette-fe2e", home, {"train.epocs": "3"}, 0, None)
    assert not (home / "runs" / "x").exists()


@pytest.mark.parametrize("name", PRESETS)
def test_train_again_makes_the_same_run(name: str) -> None:
    chosen = PRESETS[name]
    changed = RunConfig(
        replace(chosen.model, width=0.5 if chosen.model.cnn == "stem5x5" else 1.0, top_p=0.4),
        replace(chosen.train, epochs=3, precision="bfloat16", top_p_range=(0.2, 1.0), seed=4),
    )
    preset, departures = runs.nearest_preset(changed)
    again = runs.check_settings(preset, departures)
    assert again == replace(changed, train=replace(changed.train, seed=0))
