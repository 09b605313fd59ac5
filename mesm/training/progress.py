"""Reports of a training in progress, and the callback that receives them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class StepReport:
    """Report one batch.

    Attributes:
        batch: number of the batch in its epoch, from 1; `batches` of them make an epoch.
        clips: in the batch.
        wait_s: seconds spent waiting for data since the epoch began.
    """

    epoch: int
    batch: int
    batches: int
    clips: int
    loss: float
    wait_s: float


@dataclass(frozen=True)
class EpochReport:
    """Report one epoch; a line of metrics.jsonl.

    Attributes:
        loss: mean over the steps of this process since it started, None if the epoch had ended before.
        valid_f1: average over the classes in percent, None if no class has a value; so `valid_wacc` and `valid_auc`.
        seconds: of training since the run began, validation not counted.
        lr: of the trunk.
    """

    epoch: int
    loss: float | None
    valid_f1: float | None
    valid_wacc: float | None
    valid_auc: float | None
    seconds: float
    lr: float


TrainingProgress = Callable[[StepReport | EpochReport], None]
