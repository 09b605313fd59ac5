"""Jobs: real processes, known by pid and start time, stopped with their group; the error sentence of their log."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mesm.errors import ConfigError
from mesm.ui import jobs
from mesm.ui.efficiency import sweep_job


def sleeping_job(folder: Path) -> subprocess.Popen[bytes]:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    jobs.mark_process(folder, child.pid)
    return child


def test_a_process_is_known_by_more_than_its_number(tmp_path: Path) -> None:
    child = sleeping_job(tmp_path)
    mark = json.loads((tmp_path / jobs.PROCESS).read_text())
    assert jobs.is_running(tmp_path)
    (tmp_path / jobs.PROCESS).write_text(json.dumps(mark | {"started": "1"}))
    assert not jobs.is_running(tmp_path)  # the number belongs to another process
    jobs.stop_job(tmp_path)
    assert child.poll() is None  # and that one is left alone
    (tmp_path / jobs.PROCESS).write_text(json.dumps(mark))
    jobs.stop_job(tmp_path)
    assert not jobs.is_running(tmp_path)
    with pytest.raises(OSError):
        os.kill(child.pid, 0)


def test_the_log_tells_a_failure_from_a_stop(tmp_path: Path) -> None:
    log = tmp_path / jobs.LOG
    assert jobs.read_failure(tmp_path, "sweep") == ""
    log.write_text(f"10%\rmesm sweep: {tmp_path} has no split 'valid'\n")
    assert jobs.read_failure(tmp_path, "sweep") == f"{tmp_path.name} has no split 'valid'"
    assert jobs.read_failure(tmp_path, "train") == ""
    log.write_text("Traceback (most recent call last):\nMemoryError\n")
    assert jobs.read_failure(tmp_path, "sweep") == "MemoryError"


def test_progress_is_a_share(tmp_path: Path) -> None:
    assert jobs.read_progress(tmp_path) == 0
    for text, share in (('{"done": 3, "total": 4}', 0.75), ('{"done": 3, "to', 0), ('{"done": 0, "total": 0}', 0)):
        (tmp_path / jobs.PROGRESS).write_text(text)
        assert jobs.read_progress(tmp_path) == share


def test_one_sweep_at_a_time_and_another_server_sees_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESM_HOME", str(tmp_path))
    monkeypatch.setattr(jobs, "start_job", lambda folder, verb, arguments: sleeping_job(folder))
    assert sweep_job.current_sweep() is None
    job = sweep_job.start_sweep(tmp_path / "some-mesm", tmp_path / "corpus", "0.5", None)
    assert sweep_job.current_sweep() == job and job.running and job.title == "some-mesm@corpus"  # read from the folder
    with pytest.raises(ConfigError, match="some-mesm@corpus is running"):
        sweep_job.start_sweep(tmp_path / "other", tmp_path / "corpus", "0.5", None)
    job.stop()
    assert not job.running and sweep_job.current_sweep() is None


@pytest.mark.slow
def test_a_sweep_that_cannot_begin_gives_its_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESM_HOME", str(tmp_path))
    job = sweep_job.start_sweep(tmp_path / "no-checkpoint", tmp_path / "no-corpus", "0.5", None)
    until = time.monotonic() + 120
    while job.running and time.monotonic() < until:
        time.sleep(0.2)
    assert "no-checkpoint" in job.failure
    job.clear()
    assert not (tmp_path / "records").exists()
