"""Runs of a workspace: read from folders, and real processes of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mesm.config import RunConfig
from mesm.errors import ConfigError, DataError, MesmError
from mesm.locks import LOCK_NAME, FolderLock
from mesm.presets import PRESETS
from mesm.records.training_log import LOG_NAME
from mesm.studies.learning.chart_data import run_style
from mesm.training.recipes import CorpusFacts, plan_recipe
from mesm.training.run_folder import RECIPE
from mesm.ui import jobs
from mesm.ui.runs import training_runs
from mesm.ui.runs.training_runs import FAILED, FINISHED, RUNNING, STOPPED
from tests.training.corpora import tinted_corpus


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MESM_HOME", str(tmp_path))
    return tmp_path


def write_run(home: Path, name: str, epochs: int) -> Path:
    place = home / "runs" / name
    place.mkdir(parents=True)
    (place / training_runs.CONFIG).write_text(json.dumps(PRESETS["marionette-fe2e"].to_dict()))
    lines = [json.dumps({"epoch": e, "loss": 1 / (e + 1), "valid_f1": 40.0 + e}) for e in range(epochs)]
    (place / LOG_NAME).write_text("\n".join([*lines, '{"epoch": 9, "lo']))  # a half-written line
    return place


def test_what_a_folder_tells(home: Path) -> None:
    stopped, done = write_run(home, "stopped", 2), write_run(home, "done", 7)
    (done / "checkpoint").mkdir()
    (done / "checkpoint" / "model.safetensors").write_bytes(b"x")
    failed = write_run(home, "failed", 0)
    (failed / jobs.LOG).write_text(
        f"epoch 0: 0%\rmesm train: {failed} holds a run with other settings; choose another\n"
    )
    by_name = training_runs.list_runs()
    assert {name: run.status for name, run in by_name.items()} == {
        "stopped": STOPPED, "done": FINISHED, "failed": FAILED,
    }  # fmt: skip
    assert (
        len(by_name["stopped"].epochs) == 2
        and by_name["stopped"].planned_epochs == PRESETS["marionette-fe2e"].train.epochs
    )
    assert by_name["failed"].failure == "failed holds a run with other settings; choose another"
    assert str(home) not in by_name["failed"].failure
    (stopped / training_runs.CONFIG).write_text("{broken")
    assert training_runs.read_run(stopped).config is None


def test_the_run_of_a_recipe_is_one_run(home: Path) -> None:
    recipe = plan_recipe("mesm", CorpusFacts(("anger", "neutral")))
    folder = home / "runs" / "staged"
    folder.mkdir(parents=True)
    (folder / RECIPE).write_text(json.dumps(recipe.to_dict()))
    for name, epochs in (("1-dense", 12), ("2-sparse", 2)):
        (folder / name).mkdir()
        lines = [json.dumps({"epoch": e, "loss": 1.0, "valid_f1": 40.0}) for e in range(epochs)]
        (folder / name / LOG_NAME).write_text("\n".join(lines))
    run = training_runs.list_runs()["staged"]
    assert run.status == STOPPED and run.config == recipe.stages[1].run and run.plan == tuple(recipe.lines())
    assert [report.epoch for report in run.epochs] == list(range(14)) and run.planned_epochs == 30
    (folder / RECIPE).write_text("{broken")
    damaged = training_runs.list_runs()["staged"]
    assert damaged.config is None and "recipe.json is damaged" in damaged.failure


def test_a_run_that_cannot_begin_says_why(home: Path) -> None:
    """A real `mesm train`, from a checkpoint that is not there; what the page can check is refused without a folder."""
    corpus = tinted_corpus(home / "corpora" / "tinted", 2, 2, 0)
    for settings, place, sentence in (
        ({}, home / "no-corpus", "no-corpus is no corpus"),
        ({}, corpus, "has no known action units and prosody; set train.auxiliary.weight=0"),
    ):
        with pytest.raises(MesmError, match=sentence):
            training_runs.start_run("nowhere", "marionette-fe2e", place, settings, 0, None)
    assert not (home / "runs").exists()
    settings = {"train.auxiliary.weight": "0"}
    run = training_runs.start_run("nowhere", "marionette-fe2e", corpus, settings, 0, home / "no-checkpoint")
    until = time.monotonic() + 60
    while jobs.is_running(run.folder) and time.monotonic() < until:
        time.sleep(0.2)
    ended = training_runs.read_run(run.folder)
    assert ended.status == FAILED and "no-checkpoint" in ended.failure
    with pytest.raises(ConfigError, match="already"):
        training_runs.start_run("nowhere", "marionette-fe2e", home, {}, 0, None)
    with pytest.raises(ConfigError, match="before it began"):
        training_runs.resume_run(ended)


HOLD = """
import sys
from pathlib import Path
from mesm.locks import FolderLock
from mesm.stopping import Stopped, StopSignals
try:
    with FolderLock(Path(sys.argv[1]), "run"), StopSignals():
        print("held", flush=True)
        sys.stdin.readline()
except Stopped as stopped:
    sys.exit(stopped.status)
"""


def test_a_run_of_a_command_is_running_until_it_ends(home: Path) -> None:
    """As `mesm train` in a terminal holds it: no process.json, a lock; it cannot be resumed, and stops by a signal."""
    folder = write_run(home, "cli", 2)
    command = [sys.executable, "-c", HOLD, str(folder)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None and child.stdout.readline()
    run = training_runs.read_run(folder)
    assert run.status == RUNNING
    with pytest.raises(ConfigError, match="is running; stop it first"):
        training_runs.resume_run(run)
    training_runs.stop_run(run)
    assert child.wait() == 143 and training_runs.read_run(folder).status == STOPPED
    owner = {"pid": os.getpid(), "started": "1", "since": 0.0}  # a later process of the same number
    for lock in (json.dumps(owner), json.dumps(owner | {"pid": 10**40}), "{", "[" * 999):
        (folder / LOCK_NAME).write_text(lock)
        assert training_runs.read_run(folder).status == STOPPED
    for mark in ({"pid": 1}, {"pid": 10**40, "started": ""}, {"pid": 0, "started": ""}, {"pid": -1, "started": ""}, []):
        (folder / jobs.PROCESS).write_text(json.dumps(mark))
        assert training_runs.read_run(folder).status == STOPPED
        training_runs.stop_run(run)


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", ".hidden", "a b", "/tmp/x", "é", "x" * 300, "a\0b"])
def test_no_name_leads_out_of_the_workspace(home: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be a folder"):
        training_runs.start_run(name, "marionette-fe2e", home, {}, 0, None)
    assert not (home / "runs").exists() or not list((home / "runs").iterdir())
    run = training_runs.read_run(write_run(home, "kept", 1))
    with pytest.raises(ConfigError, match="cannot be a folder"):
        training_runs.rename_run(run, name)
    assert list(training_runs.list_runs()) == ["kept"]


def test_a_renamed_run_is_the_same_run(home: Path) -> None:
    write_run(home, "other", 1)
    run = training_runs.read_run(write_run(home, "old", 2))
    for taken, sentence in (("other", "there is a run named other"), ("people-mesm", "there is a checkpoint named")):
        with pytest.raises(ConfigError, match=sentence):
            training_runs.rename_run(run, taken)
    training_runs.rename_run(run, "new")
    again = training_runs.list_runs()["new"]
    assert not run.folder.exists() and again == replace(run, name="new", folder=again.folder)
    with pytest.raises(DataError, match="run old is gone"):
        training_runs.rename_run(run, "newer")


def test_a_run_is_deleted_whole_or_not_at_all(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, gone = write_run(home, "kept", 1), write_run(home, "gone", 1)
    (gone / "checkpoint").mkdir()
    jobs.mark_process(kept, os.getpid())
    with pytest.raises(ConfigError, match="run kept is running; stop it first"):
        training_runs.delete_run(training_runs.read_run(kept))
    (kept / jobs.PROCESS).unlink()
    with FolderLock(kept, "run"), pytest.raises(ConfigError, match="is running"):
        training_runs.delete_run(training_runs.read_run(kept))
    assert (kept / LOG_NAME).is_file()
    monkeypatch.setattr(shutil, "rmtree", lambda folder, ignore_errors: None)  # cut short
    training_runs.delete_run(training_runs.read_run(gone))
    assert list(training_runs.list_runs()) == ["kept"] and len(list((home / "runs").iterdir())) == 2
    monkeypatch.undo()
    monkeypatch.setenv("MESM_HOME", str(home))
    training_runs.delete_run(training_runs.read_run(kept))
    assert list((home / "runs").iterdir()) == []


def test_the_time_left_follows_the_last_epochs(home: Path) -> None:
    folder = write_run(home, "long", 0)
    totals = [600.0, 610, 620, 630, 8, 20]  # two stages: each counts from 0
    lines = [json.dumps({"epoch": e, "seconds": s}) for e, s in enumerate(totals)]
    (folder / LOG_NAME).write_text("\n".join(lines))
    stopped = training_runs.read_run(folder)
    assert stopped.epoch_seconds == (600, 10, 10, 10, 8, 12) and stopped.seconds_left is None
    running = replace(stopped, status=RUNNING, planned_epochs=10)
    assert running.seconds_left == pytest.approx(4 * (10 + 8 + 12) / 3)
    assert replace(running, planned_epochs=2).seconds_left == 0 and replace(running, epochs=()).seconds_left is None


def test_settings_are_checked_before_a_process_starts(home: Path) -> None:
    assert training_runs.parse_settings("train.epochs=3\n\n model.width = 0.5 ") == {
        "train.epochs": "3",
        "model.width": "0.5",
    }
    with pytest.raises(ConfigError, match=r"train\.lr has a field of its own and a line"):
        training_runs.join_settings({"train.lr": "0.1"}, {"train.epochs": "3", "train.lr": "0.2"})
    for text in ("epochs=3", "train.epochs"):
        with pytest.raises(ConfigError, match="not a setting"):
            training_runs.parse_settings(text)
    corpus = tinted_corpus(home / "corpora" / "tinted", 2, 2, 0)
    with pytest.raises(ConfigError, match="no setting 'epocs'"):
        training_runs.start_run("x", "marionette-fe2e", corpus, {"train.epocs": "3"}, 0, None)
    assert not (home / "runs" / "x").exists()


@pytest.mark.parametrize("name", PRESETS)
def test_train_again_makes_the_same_run(name: str) -> None:
    chosen = PRESETS[name]
    changes: dict[str, float] = {"dropout": 0.3} | ({"top_p": 0.4} if chosen.model.has_attention else {})
    changed = RunConfig(
        replace(chosen.model, **changes),
        replace(chosen.train, epochs=3, precision="bfloat16", top_p_range=(0.2, 1.0), seed=4),
    )
    preset, differences = training_runs.nearest_preset(changed)
    again = PRESETS[preset].with_settings(differences)
    assert again == replace(changed, train=replace(changed.train, seed=0))


def test_a_colour_stays_with_its_run(home: Path) -> None:
    """Whatever comes before or after it, is deleted or renamed."""
    for age, name in enumerate(("c", "a", "b")):  # created in this order
        folder = write_run(home, name, 1)
        os.utime(folder / training_runs.CONFIG, (1000 + age, 1000 + age))
    numbers = {name: run.number for name, run in training_runs.list_runs().items()}
    assert numbers == {"c": 0, "a": 1, "b": 2}
    assert list(numbers) == ["b", "a", "c"]  # the latest first
    os.utime(write_run(home, "aa", 1) / training_runs.CONFIG, (2000, 2000))
    later = {name: run.number for name, run in training_runs.list_runs().items()}
    assert {name: later[name] for name in numbers} == numbers
    os.utime(write_run(home, "copied", 1) / training_runs.CONFIG, (500, 500))  # an older run, from elsewhere
    by_name = training_runs.list_runs()
    assert {name: by_name[name].number for name in later} == later and by_name["copied"].number == 4
    training_runs.delete_run(by_name["a"])
    training_runs.rename_run(by_name["c"], "d")
    rest = {name: run.number for name, run in training_runs.list_runs().items()}
    assert rest == {"b": 2, "aa": 3, "copied": 4, "d": 0}
    assert training_runs.read_run(write_run(home, "next", 1)).number == 1  # the colour of the deleted one is free
    for damage in ("", "-1", "9" * 30, "²", "x"):
        (home / "runs" / "next" / "colour.json").write_text(damage)
        assert training_runs.list_runs()["next"].number == 1
    styles = [(run_style(n).colour, run_style(n).marker) for n in range(12)]
    assert len(set(styles)) == 12


def test_no_more_than_a_few_runs_at_once(home: Path) -> None:
    for name in ("one", "two"):
        jobs.mark_process(write_run(home, name, 1), os.getpid())
    stopped = training_runs.read_run(write_run(home, "three", 1))
    with pytest.raises(ConfigError, match=r"one.*are running, and at most 2 may at a time; stop one or wait"):
        training_runs.resume_run(stopped)
    with pytest.raises(ConfigError, match="at most 2"):
        training_runs.start_run("four", "marionette-fe2e", home, {}, 0, None)
    assert not (home / "runs" / "four").exists()
