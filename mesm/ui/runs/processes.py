"""Training runs of the workspace: what is there, and starting, stopping and resuming one as `mesm train` apart.

A page has no background task: a run is a process of its own that goes on when the page, or the server, is closed.
Beside what the trainer writes, a run's folder holds `process.json` (which process, since when) and `log.txt`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mesm import runtime
from mesm.config import RunConfig
from mesm.errors import ConfigError, DataError
from mesm.files import slug, write_atomic
from mesm.presets import PRESETS

PROCESS, LOG, CONFIG, METRICS = "process.json", "log.txt", "config.json", "metrics.jsonl"
RUNNING, FINISHED, STOPPED, FAILED = "running", "finished", "stopped", "failed"
#: Letters of a log that are read for its last line.
_LOG_TAIL = 4000


@dataclass(frozen=True)
class Run:
    """One run as its folder tells it.

    Attributes:
        status: running, finished, stopped (it can be resumed) or failed.
        config: None before the trainer has written it.
        epochs: the lines of its metrics.jsonl.
        said: last line of its log where it failed.
    """

    name: str
    folder: Path
    status: str
    config: RunConfig | None
    epochs: tuple[dict[str, Any], ...]
    said: str = ""

    @property
    def wanted_epochs(self) -> int:
        """How many there will be; 0 if not known yet."""
        return self.config.train.epochs if self.config is not None else 0


def folder() -> Path:
    """Where the workspace keeps its runs."""
    return runtime.workspace() / "runs"


def find_runs() -> dict[str, Run]:
    """Every run by name; the one begun last comes first."""
    places = [path for path in folder().glob("*") if (path / CONFIG).is_file() or (path / PROCESS).is_file()]
    places.sort(key=lambda path: -_begun(path))
    return {path.name: read_run(path) for path in places}


def _begun(place: Path) -> float:
    marks = [place / CONFIG, place / PROCESS]
    return min((mark.stat().st_mtime for mark in marks if mark.is_file()), default=0.0)


def read_run(place: Path) -> Run:
    """A run from its folder; whatever is damaged or half-written counts as not there."""
    config = None
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        config = RunConfig.from_dict(json.loads((place / CONFIG).read_text()))
    epochs = []
    with contextlib.suppress(OSError):
        for line in (place / METRICS).read_text().splitlines():
            with contextlib.suppress(json.JSONDecodeError):  # the last line may be half-written
                epochs.append(json.loads(line))
    status, said = STOPPED, ""
    if (place / "checkpoint" / "model.safetensors").is_file():
        status = FINISHED
    if is_running(place):
        status = RUNNING
    elif status == STOPPED and (said := _last_words(place)):
        status = FAILED
    return Run(place.name, place, status, config, tuple(epochs), said)


def _last_words(place: Path) -> str:
    """The sentence that `mesm train` ended with, or the last line of a trace; "" if it was stopped from outside."""
    try:
        lines = (place / LOG).read_text(errors="replace")[-_LOG_TAIL:].strip().splitlines()
    except OSError:
        return ""
    last = lines[-1].split("\r")[-1] if lines else ""
    if last.startswith("mesm train: "):
        return last.removeprefix("mesm train: ").replace(f"{place.parent}{os.sep}", "")
    return last if any(line.startswith("Traceback") for line in lines) else ""


def is_running(place: Path) -> bool:
    """Whether the process that was started for this run is alive, and is that process and not a later one."""
    found = _process(place)
    return found is not None and _started(found["pid"]) == found["started"]


def _process(place: Path) -> dict[str, Any] | None:
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((place / PROCESS).read_text())
        if isinstance(found, dict) and isinstance(found.get("pid"), int):
            return found
    return None


def _started(pid: int) -> str:
    """What tells a living process from a later one of the same number; "" for none."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # a child of this server that has ended goes only when it is asked for
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] == "Z" else fields[19]
    except OSError:
        pass
    if Path("/proc/self/stat").is_file():
        return ""
    try:  # no /proc: the number has to do
        os.kill(pid, 0)
    except OSError:
        return ""
    return str(pid)


def start(name: str, preset: str, corpus: Path, settings: Mapping[str, str], seed: int, init: Path | None) -> Run:
    """Begin a run.

    Args:
        name: of its folder.
        settings: `model.width` -> "0.5" and the like, on top of the preset's.
        init: checkpoint to start from.

    Raises:
        ConfigError: the name is taken or is none, or a setting does not exist.
    """
    if not name.strip() or slug(name) != name or name.startswith("."):
        raise ConfigError(f"the name {name!r} will not do for a folder; use letters, digits, - and .")
    place = folder() / name
    if place.exists():
        raise ConfigError(f"there is a run named {name} already; choose another name, or resume it")
    check_settings(preset, settings)
    arguments = ["--preset", preset, "--corpus", str(corpus), "--out", str(place), "--seed", str(seed)]
    arguments += ["--init", str(init)] if init is not None else []
    for key, value in settings.items():
        arguments += ["--set", f"{key}={value}"]
    place.mkdir(parents=True)
    return _launch(place, arguments)


def resume(run: Run) -> Run:
    """Go on with a run that was stopped."""
    if run.status == RUNNING:
        raise ConfigError(f"run {run.name} is running; stop it first")
    if run.config is None:
        raise ConfigError(f"run {run.name} ended before it began; start it again under another name")
    return _launch(run.folder, ["--resume", str(run.folder)])


def stop(run: Run, patience_s: float = 5.0) -> None:
    """End a run's process; what it had saved stays, and it can be resumed from there."""
    found = _process(run.folder)
    if found is None or not is_running(run.folder):
        return
    for ask in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(found["pid"], ask)
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            if not is_running(run.folder):
                return
            time.sleep(0.05)


def _launch(place: Path, arguments: Sequence[str]) -> Run:
    try:
        with (place / LOG).open("wb") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "mesm", "train", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # it outlives the server, and can be ended with all its workers
                env={**os.environ, "PYTHONPATH": _search_path()},
            )
    except OSError as error:
        raise DataError(f"the run cannot be started ({error.strerror}); look at the workspace's space") from error
    mark = {"pid": child.pid, "started": _started(child.pid)}
    write_atomic(place / PROCESS, (json.dumps(mark) + "\n").encode())
    return read_run(place)


def _search_path() -> str:
    here = str(Path(__file__).resolve().parents[2])
    return os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH", "")]))


def parse_settings(text: str) -> dict[str, str]:
    """`train.epochs=3` lines -> settings.

    Raises:
        ConfigError: a line is not a setting.
    """
    found = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        key, equals, value = line.partition("=")
        if not equals or key.partition(".")[0] not in ("model", "train"):
            raise ConfigError(f"{line!r} is no setting; write model.width=0.5 or train.epochs=3, one a line")
        found[key.strip()] = value.strip()
    return found


def check_settings(preset: str, settings: Mapping[str, str]) -> RunConfig:
    """The run that they make, before a process is started for it.

    Raises:
        ConfigError: a setting does not exist or has no such value.
    """
    return PRESETS[preset].with_settings(dict(settings))


def nearest_preset(config: RunConfig) -> tuple[str, dict[str, str]]:
    """The preset that a run departs least from, and its departures as settings: enough to train it again."""

    def departures(name: str) -> dict[str, str]:
        preset = PRESETS[name].flat()
        own = ("train.corpus", "train.init_from", "train.seed")
        return {k: json.dumps(v) for k, v in config.flat().items() if k not in own and v != preset[k]}

    name = min(PRESETS, key=lambda preset: len(departures(preset)))
    return name, departures(name)
