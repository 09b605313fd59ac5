"""Start a sweep as a job of the workspace; its record goes to the workspace."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from mesm.ui import workspace_job
from mesm.ui.workspace_job import WorkspaceJob

VERB = "sweep"
current_sweep = partial(workspace_job.current, VERB)


def start_sweep(checkpoint: Path, corpus: Path, top_ps: str, against: Path | None) -> WorkspaceJob:
    """Start the sweep of a checkpoint's folder over a corpus's.

    Raises:
        ConfigError: another sweep of this workspace is running.
    """
    options = [str(checkpoint), "--corpus", str(corpus), "--top-p", top_ps]
    options += ["--against", str(against)] if against is not None else []
    return workspace_job.start(VERB, f"{checkpoint.name}@{corpus.name}", options)
