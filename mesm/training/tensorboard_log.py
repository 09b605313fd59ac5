"""Write the numbers of a run for TensorBoard, beside metrics.jsonl: `tensorboard --logdir RUN/tensorboard`."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from pathlib import Path

from mesm.errors import BackendUnavailable
from mesm.training.progress import EpochReport, StepReport

FOLDER = "tensorboard"


class TensorBoardLog:
    """Write a trainer's reports to event files: the loss of every step, every number of every epoch.

    A resumed run marks the step it starts from, and TensorBoard drops what the killed one had written beyond it.

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
                "--tensorboard needs the package tensorboard; pip install 'mesm[train]'"
            ) from error
        self._event, self._summary, self._log = event_pb2.Event, summary_pb2.Summary, event_pb2.SessionLog
        self._writer = EventFileWriter(str(Path(folder) / FOLDER))
        self._batches = 0
        self._started = False

    def __call__(self, report: StepReport | EpochReport) -> None:
        """Write one report."""
        if isinstance(report, StepReport):
            self._batches = report.batches
            self._write({"step/loss": report.loss}, report.epoch * report.batches + report.batch)
            return
        numbers = {k: v for k, v in asdict(report).items() if v is not None and k != "epoch"}
        self._write({f"epoch/{k}": v for k, v in numbers.items()}, (report.epoch + 1) * self._batches)
        self._writer.flush()

    def _write(self, values: dict[str, float], step: int) -> None:
        if not self._started:
            start = self._log(status=self._log.START)
            self._writer.add_event(self._event(wall_time=time.time(), step=step, session_log=start))
            self._started = True
        summary = self._summary(value=[self._summary.Value(tag=k, simple_value=v) for k, v in values.items()])
        self._writer.add_event(self._event(wall_time=time.time(), step=step, summary=summary))
