"""Start, watch and stop one sweep of the workspace, as a job that survives the page and the server."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from mesm.errors import ConfigError, DataError
from mesm.files import write_atomic
from mesm.json_form import read_json
from mesm.runtime import workspace
from mesm.ui import jobs

POLL_S = 1.5
_TITLE = "title.json"


@dataclass(frozen=True)
class SweepJob:
    """Hold the process of a sweep that runs, or has ended and was not cleared yet.

    Attributes:
        title: checkpoint and corpus.
    """

    folder: Path
    title: str

    @property
    def running(self) -> bool:
        """Return True if the process of the sweep is alive."""
        return jobs.is_running(self.folder)

    @property
    def share(self) -> float:
        """Share of the clips that are done, in [0, 1]."""
        return jobs.read_progress(self.folder)

    @property
    def failure(self) -> str:
        """Return the error sentence of an ended sweep; "" if it wrote its record."""
        return "" if self.running else jobs.read_failure(self.folder, "sweep")

    def stop(self) -> None:
        """End the process and clear the folder; a sweep writes its record only when it is complete."""
        jobs.stop_job(self.folder)
        self.clear()

    def clear(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


def start_sweep(checkpoint: Path, corpus: Path, top_ps: str, against: Path | None) -> SweepJob:
    """Start the sweep of a checkpoint's folder over a corpus's; its record goes to the workspace.

    Raises:
        ConfigError: another sweep of this workspace is running.
    """
    other = current_sweep()
    if other is not None:
        if other.running:
            raise ConfigError(f"a sweep of {other.title} is running; stop it first")
        other.clear()
    job = SweepJob(_folder(), f"{checkpoint.name}@{corpus.name}")
    job.folder.mkdir(parents=True)
    write_atomic(job.folder / _TITLE, json.dumps(job.title).encode())
    options = [str(checkpoint), "--corpus", str(corpus), "--top-p", top_ps]
    options += ["--against", str(against)] if against is not None else []
    jobs.start_job(job.folder, "sweep", [*options, "--progress", str(job.folder.resolve() / jobs.PROGRESS)])
    return job


def current_sweep() -> SweepJob | None:
    """Return the workspace's sweep, running or ended; None if there is none."""
    if not (_folder() / _TITLE).exists():
        return None
    try:
        return SweepJob(_folder(), str(read_json(_folder() / _TITLE)))
    except DataError:  # it can still be watched and stopped
        return SweepJob(_folder(), "a sweep")


def _folder() -> Path:
    return workspace() / "jobs" / "sweep"
