"""A run's numbers for TensorBoard, beside metrics.jsonl: `tensorboard --logdir RUN/tensorboard`."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from mesm.errors import BackendUnavailable

FOLDER = "tensorboard"


class Board:
    """A trainer's report that writes event files: the loss of every step, every number of every epoch.

    A run that goes on marks from where, and TensorBoard drops what the killed one had written beyond it.

    Args:
        folder: of the run.

    Raises:
        BackendUnavailable: tensorboard is not installed.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        try:
            from tensorboard.compat.proto import event_pb2, summary_pb2
            from tensorboard.summary.writer.event_file_writer import EventFileWriter
        except ImportError as error:
            raise BackendUnavailable(
                "--tensorboard needs the package tensorboard; pip install 'tensorboard>=2.18,<3'"
            ) from error
        self._event, self._summary, self._log = event_pb2.Event, summary_pb2.Summary, event_pb2.SessionLog
        self._writer = EventFileWriter(str(Path(folder) / FOLDER))
        self._batches = 0
        self._started = False

    def __call__(self, row: dict[str, Any]) -> None:
        """Write one report."""
        if row["kind"] == "step":
            self._batches = row["batches"]
            self._write({"step/loss": row["loss"]}, row["epoch"] * row["batches"] + row["batch"])
            return
        values = {f"epoch/{k}": v for k, v in row.items() if isinstance(v, (int, float)) and k not in ("kind", "epoch")}
        self._write(values, (row["epoch"] + 1) * self._batches)
        self._writer.flush()

    def _write(self, values: dict[str, float], step: int) -> None:
        if not self._started:
            start = self._log(status=self._log.START)
            self._writer.add_event(self._event(wall_time=time.time(), step=step, session_log=start))
            self._started = True
        summary = self._summary(value=[self._summary.Value(tag=k, simple_value=v) for k, v in values.items()])
        self._writer.add_event(self._event(wall_time=time.time(), step=step, summary=summary))
