"""Run commands of `mesm` as jobs: processes that go on when the page, or the server, is closed.

A job is a folder with `process.json` (pid and start time, which distinguish the process from a later one of the same number),
`log.txt` (output of the command) and, where the command reports it, `progress.json` ({"done", "total"}).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mesm.errors import DataError
from mesm.files import read_regular, write_atomic
from mesm.json_form import from_json, read_json
from mesm.locks import is_alive, process_start

PROCESS, LOG, PROGRESS = "process.json", "log.txt", "progress.json"
#: Bytes at the end of a log that are searched for its last line.
_LOG_TAIL = 4000


def start_job(folder: Path, verb: str, arguments: Sequence[str]) -> None:
    """Start `mesm VERB ARGUMENTS` in a folder that exists.

    Raises:
        DataError: the process cannot be started.
    """
    source = str(Path(__file__).resolve().parents[2])
    search_path = os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH", "")]))
    try:
        with (folder / LOG).open("wb") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "mesm", verb, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # it outlives the server, and can be stopped with all its workers
                env={**os.environ, "PYTHONPATH": search_path},
            )
    except OSError as error:
        raise DataError(
            f"mesm {verb} cannot be started ({error.strerror}); check the space of the workspace"
        ) from error
    mark_process(folder, child.pid)


def mark_process(folder: Path, pid: int) -> None:
    """Write pid and start time of a job's process into its folder."""
    mark = {"pid": pid, "started": process_start(pid)}
    write_atomic(folder / PROCESS, (json.dumps(mark) + "\n").encode())


def is_running(folder: Path) -> bool:
    """Return whether the process of a job is alive; a later process of the same number does not count."""
    process = _read_process(folder)
    return process is not None and is_alive(*process)


def stop_job(folder: Path, patience_s: float = 5.0) -> None:
    """End the process of a job and its workers: SIGTERM, and SIGKILL after `patience_s` seconds."""
    process = _read_process(folder)
    if process is None or not is_running(folder):
        return
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process[0], signal_number)
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            if not is_running(folder):
                return
            time.sleep(0.05)


def read_failure(folder: Path, verb: str) -> str:
    """Return the error sentence of `mesm VERB`, or the last line of a traceback; "" if it did not fail by itself."""
    try:
        lines = read_regular(folder / LOG, _LOG_TAIL, end=True).decode(errors="replace").strip().splitlines()
    except OSError:
        return ""
    last = lines[-1].split("\r")[-1] if lines else ""
    prefix = f"mesm {verb}: "
    if last.startswith(prefix):
        return last.removeprefix(prefix).replace(f"{folder.parent}{os.sep}", "")
    return last if any(line.startswith("Traceback") for line in lines) else ""


def read_progress(folder: Path) -> float:
    """Return the share of a job that is done, in [0, 1]; 0 before its first report."""
    try:
        progress = from_json(_Progress, read_json(folder / PROGRESS))
    except DataError:
        return 0.0
    return min(1.0, max(0.0, progress.done / max(progress.total, 1)))


@dataclass(frozen=True)
class _Process:
    """Hold pid and start time of a job's process."""

    pid: int
    started: str


@dataclass(frozen=True)
class _Progress:
    """Hold the number of items that are done, and of all."""

    done: float
    total: float


def _read_process(folder: Path) -> tuple[int, str] | None:
    with contextlib.suppress(DataError):
        process = from_json(_Process, read_json(folder / PROCESS))
        if 1 < process.pid < 2**31:  # others are groups of processes, or none at all
            return process.pid, process.started
    return None
