"""Report a training in progress to a callback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mesm.records.training_log import EpochReport


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


TrainingProgress = Callable[[StepReport | EpochReport], None]
