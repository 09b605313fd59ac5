"""Read the log of a training run: metrics.jsonl, one line per epoch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from mesm.errors import DataError
from mesm.files import read_regular
from mesm.json_form import from_json, members, parse_json

LOG_NAME = "metrics.jsonl"
#: As much of a log as is read: some hundred thousand epochs.
_LOG_BYTES = 64 * 2**20


@dataclass(frozen=True)
class EpochReport:
    """Hold one epoch; a line of the log.

    Attributes:
        epoch: from 0.
        loss: mean over the steps, None if the epoch had ended before the run was resumed.
        valid_f1: average over the classes in percent, None if no class has a value; so `valid_wacc` and `valid_auc`.
        seconds: of training since the run began, without validation.
        lr: learning rate of the trunk.
        valid_loss: label loss on the validation split; None in a log of an earlier version.
    """

    epoch: int
    loss: float | None = None
    valid_f1: float | None = None
    valid_wacc: float | None = None
    valid_auc: float | None = None
    seconds: float | None = None
    lr: float | None = None
    valid_loss: float | None = None


def read_log(folder: str | os.PathLike[str]) -> Iterator[EpochReport]:
    """Yield the epochs of a run so far; a half-written or damaged line is left out."""
    try:
        lines = read_regular(Path(folder) / LOG_NAME, _LOG_BYTES).splitlines()
    except OSError:
        return
    for line in lines:
        try:
            row = members(parse_json(line, LOG_NAME))
            report = from_json(EpochReport, {f.name: row[f.name] for f in fields(EpochReport) if f.name in row})
        except DataError:
            continue
        if report.epoch >= 0:
            yield report
