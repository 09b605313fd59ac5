"""A sweep started from a page: the command as a process of its own, which writes down how far it is."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from mesm.runtime import workspace

_KEY = "sweep-job"
POLL_S = 1.5


@dataclass
class Job:
    """One running or finished sweep.

    Attributes:
        folder: private, with the progress and what the command said; gone with `close`.
        cancelled: by the visitor.
    """

    target: str
    process: subprocess.Popen[bytes]
    folder: Path
    cancelled: bool = False

    @property
    def share(self) -> float:
        """How far it is, in [0, 1]."""
        try:
            found = json.loads((self.folder / "progress.json").read_text())
            return float(min(1.0, found["done"] / max(found["total"], 1)))
        except (OSError, ValueError, KeyError):
            return 0.0  # not started to count, or caught between two writes

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self.process.poll() is None

    @property
    def failure(self) -> str:
        """The command's last sentence if it failed, else ""."""
        if self.running or self.cancelled or self.process.returncode == 0:
            return ""
        said = (self.folder / "said").read_text(errors="replace").strip().splitlines()
        sentence = next((line for line in reversed(said) if line.startswith("mesm sweep: ")), "")
        return sentence.removeprefix("mesm sweep: ") or "the sweep ended early; run its command to see why"

    def cancel(self) -> None:
        """Stop it; it writes a record only when it is complete."""
        self.cancelled = True
        self.process.terminate()

    def close(self) -> None:
        """Remove its private folder."""
        for file in self.folder.glob("*"):
            file.unlink(missing_ok=True)
        self.folder.rmdir()


def command(checkpoint: str, corpus: str, top_p: str, against: str) -> list[str]:
    """What is run, as a person would type it."""
    return ["mesm", "sweep", checkpoint, "--corpus", corpus, "--top-p", top_p] + (
        ["--against", against] if against else []
    )


def start(checkpoint: Path, corpus: Path, top_p: str, against: Path | None) -> Job:
    """Begin a sweep of these folders; the record goes to the workspace."""
    folder = Path(tempfile.mkdtemp(prefix="mesm-sweep-"))
    options = command(str(checkpoint), str(corpus), top_p, str(against) if against else "")[1:]
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "mesm", *options, "--progress", str(folder / "progress.json"),
             "--out", str(workspace().resolve() / "records")],
            stdout=said, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            cwd=Path(__file__).resolve().parents[2],
        )  # fmt: skip
    return Job(f"{checkpoint.name}@{corpus.name}", process, folder)


def current() -> Job | None:
    """The sweep of this visit."""
    return st.session_state.get(_KEY)


def keep(job: Job | None) -> None:
    """Remember a sweep, or forget the last one."""
    old = st.session_state.pop(_KEY, None)
    if old is not None and old is not job:
        old.close()
    if job is not None:
        st.session_state[_KEY] = job
