"""The Runs page: fields of the form, a run renamed and deleted, its checkpoint chosen."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mesm.cli import parser
from mesm.presets import PRESETS
from mesm.records.training_log import LOG_NAME
from mesm.ui import jobs, workspace_job
from mesm.ui.runs import training_runs, view
from tests.app.app_page import open_page, texts


@pytest.fixture
def workspace(empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = empty_home / "runs" / "first"
    folder.mkdir(parents=True)
    preset = PRESETS["marionette-fe2e"].with_settings({"train.lr": "0.0002", "model.dropout": "0.3"})
    (folder / training_runs.CONFIG).write_text(json.dumps(preset.to_dict()))
    rows = [{"epoch": e, "loss": 1.0, "valid_f1": 40.0, "seconds": 60.0 * (e + 1), "lr": 1e-4} for e in range(2)]
    (folder / LOG_NAME).write_text("\n".join(map(json.dumps, rows)))
    monkeypatch.setattr(view, "list_training_corpora", lambda: {"noise": empty_home / "corpora" / "noise"})
    return empty_home


def test_fields_of_the_form_and_train_again(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    monkeypatch.setattr(training_runs, "start_run", lambda *run, **more: started.append(run))
    page = open_page("pages/runs.py", alone=True)
    page.button(key="again-first").click().run()
    assert (
        page.number_input(key="run-train.lr").value == 0.0002
        and page.number_input(key="run-train.epochs").value is None
    )
    assert "model.dropout=0.3" in page.text_area(key="run-settings").value
    page.number_input(key="run-train.epochs").set_value(3)
    page.number_input(key="run-train.batch_size").set_value(8)
    page.number_input(key="run-model.width").set_value(0.25)
    page.text_area(key="run-settings").set_value("model.width=0.5")
    next(button for button in page.button if button.label == "Start").click().run()
    assert "Model.width has a field of its own and a line" in texts(page) and not started
    page.text_area(key="run-settings").set_value("train.warmup=0.2")
    next(button for button in page.button if button.label == "Start").click().run()
    assert not page.exception
    _, plan, _, settings, seed, _ = started[0]
    expected = {
        "train.epochs": "3",
        "train.lr": "0.0002",
        "train.batch_size": "8",
        "model.width": "0.25",
        "train.warmup": "0.2",
    }
    assert plan == "marionette-fe2e" and settings == expected and seed == 1
    assert PRESETS[plan].with_settings(settings).train.lr == 0.0002


def test_rename_and_delete(workspace: Path) -> None:
    page = open_page("pages/runs.py", alone=True)
    page.text_input(key="new-name-first").set_value("../second")
    page.button(key="rename-first").click().run()
    assert "cannot be a folder's name" in texts(page) and (workspace / "runs" / "first").is_dir()
    page.text_input(key="new-name-first").set_value("second")
    page.button(key="rename-first").click().run()
    assert not page.exception and page.multiselect(key="shown-runs").value == ["second"]
    assert "cannot be a folder's name" not in texts(page) and list(training_runs.list_runs()) == ["second"]
    page.button(key="delete-second").click().run()
    assert not page.exception and list((workspace / "runs").iterdir()) == []
    assert "There is no run in this workspace yet." in texts(page)


def test_a_corpus_is_built_watched_and_stopped(empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []

    def start(folder: Path, verb: str, arguments: list[str]) -> None:
        started.append([verb, *arguments])
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
        jobs.mark_process(folder, child.pid)
        (folder / jobs.PROGRESS).write_text('{"done": 64, "total": 256}')

    monkeypatch.setattr(jobs, "start_job", start)
    page = open_page("pages/runs.py", alone=True)
    page.button(key="demo-build").click().run()
    (words,) = started
    command = parser().parse_args(words)
    assert (command.action, command.preset) == ("build", "small") and command.progress.endswith(jobs.PROGRESS)
    assert Path(command.out) == (empty_home / "corpora" / "small").resolve() and Path(command.out).parent.is_dir()
    assert not page.exception and page.button(key="corpus-stop") and "Stop keeps the clips" in texts(page)
    page.button(key="corpus-stop").click().run()
    assert workspace_job.current("corpus") is None and page.button(key="demo-build")


def test_a_build_that_fails_says_why(empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "start_job", lambda folder, verb, arguments: None)
    job = workspace_job.start("corpus", "corpus small", ["build"])
    (job.folder / jobs.LOG).write_text("mesm corpus: rendering needs espeak-ng; install it\n")
    page = open_page("pages/runs.py", alone=True)
    assert "Rendering needs espeak-ng; install it." in [error.value for error in page.error] and not page.exception
    assert page.button(key="demo-build") and not job.folder.exists()
