"""Start, watch and stop one job of a kind per workspace; it survives the page and the server."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from mesm.errors import ConfigError, DataError
from mesm.estimate import decimal_text
from mesm.files import write_atomic
from mesm.json_form import read_json
from mesm.runtime import workspace
from mesm.ui import jobs

POLL_S = 1.5
_TITLE = "title.json"


@dataclass(frozen=True)
class WorkspaceJob:
    """Hold the process of a job that runs, or has ended and was not cleared yet.

    Attributes:
        verb: command of `mesm` that it runs.
        title: of its bar, such as the checkpoint and the corpus.
    """

    folder: Path
    verb: str
    title: str

    @property
    def running(self) -> bool:
        """Return True if its process is alive."""
        return jobs.is_running(self.folder)

    @property
    def share(self) -> float:
        """Share of the job that is done, in [0, 1]."""
        return jobs.read_progress(self.folder)

    @property
    def failure(self) -> str:
        """Return the error sentence of an ended job; "" if it did its work."""
        return "" if self.running else jobs.read_failure(self.folder, self.verb)

    def stop(self) -> None:
        """End the process and clear the job's folder; what a job writes is complete or can be completed."""
        jobs.stop_job(self.folder)
        self.clear()

    def clear(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


def start(verb: str, title: str, arguments: Sequence[str]) -> WorkspaceJob:
    """Start `mesm VERB ARGUMENTS --progress FILE` as the workspace's one job of this verb.

    Raises:
        ConfigError: another one is running.
    """
    other = current(verb)
    if other is not None:
        if other.running:
            raise ConfigError(f"{other.title} is running; stop it first")
        other.clear()
    job = WorkspaceJob(_folder(verb), verb, title)
    job.folder.mkdir(parents=True)
    write_atomic(job.folder / _TITLE, json.dumps(title).encode())
    jobs.start_job(job.folder, verb, [*arguments, "--progress", str(job.folder.resolve() / jobs.PROGRESS)])
    return job


def current(verb: str) -> WorkspaceJob | None:
    """Return the workspace's job of a verb, running or ended; None if there is none."""
    folder = _folder(verb)
    if not (folder / _TITLE).exists():
        return None
    try:
        return WorkspaceJob(folder, verb, str(read_json(folder / _TITLE)))
    except DataError:  # it can still be watched and stopped
        return WorkspaceJob(folder, verb, f"mesm {verb}")


@st.fragment(run_every=POLL_S)
def show_progress(verb: str, failed: str) -> None:
    """Show a bar that moves by itself, with a button that stops the job; when it has ended, run the whole page again.

    Args:
        failed: key of the session under which the error sentence of a failed job is kept.
    """
    job = current(verb)
    if job is None:
        return
    if job.running:
        bar, stop = st.columns([4, 1], vertical_alignment="center")
        bar.progress(job.share, f"{job.title}: {decimal_text(100 * job.share, 0)} %")
        if stop.button("Stop", width="stretch", key=f"{verb}-stop"):
            job.stop()
            st.rerun()
        return
    failure = job.failure
    job.clear()
    if failure:
        st.session_state[failed] = failure
    st.rerun()


def _folder(verb: str) -> Path:
    return workspace() / "jobs" / verb
