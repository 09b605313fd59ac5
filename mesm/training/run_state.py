"""Hold how far a run has come, and the epoch to keep; with the weights it is all that a resumed run needs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mesm.config import RunConfig, TrainConfig
from mesm.data.store import Corpus
from mesm.errors import ConfigError, DataError, MesmError
from mesm.records.checkpoint import CheckpointMetrics
from mesm.records.training_log import EpochReport, read_log
from mesm.training.run_folder import same_settings
from mesm.training.validation import Validation


@dataclass(frozen=True)
class BestEpoch:
    """Hold weights (on the CPU) and metrics of the epoch to keep so far."""

    weights: dict[str, torch.Tensor]
    metrics: CheckpointMetrics


@dataclass
class RunState:
    """Hold the progress of a run.

    Attributes:
        epoch: from 0; `next_batch` the batch in it that comes next.
        best_f1: of the epoch to keep so far, on the validation split; `best_epoch` its number.
        seconds: of training, validation left out.
        losses: of the open epoch's batches.
        log: the ended epochs.
    """

    epoch: int = 0
    next_batch: int = 0
    best_f1: float = -1.0
    best_epoch: int = -1
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)
    log: list[EpochReport] = field(default_factory=list)
    best: BestEpoch | None = None

    def is_over(self, config: TrainConfig) -> bool:
        """Return whether all epochs are done, or `patience` ended the run."""
        if config.patience and self.epoch - 1 - self.best_epoch >= config.patience:
            return True
        return self.epoch >= config.epochs

    def position(self) -> str:
        """Return the last step that was done, in words; epochs are counted from 1 there."""
        if self.next_batch:
            return f"epoch {self.epoch + 1} step {self.next_batch}"
        return f"epoch {self.epoch}" if self.epoch else "the start"

    def keep_if_best(self, config: TrainConfig, f1: float | None, model: nn.Module, metrics: CheckpointMetrics) -> bool:
        """Take the open epoch's weights if it is the one to keep so far; return whether it is."""
        # Without an F1 no epoch is better than another, and the last is kept.
        if config.keep == "last" or f1 is None or f1 > self.best_f1:
            self.best_f1, self.best_epoch = f1 or 0.0, self.epoch
            weights = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
            self.best = BestEpoch(weights, metrics)
            return True
        return False

    def end_epoch(self, validation: Validation, lr: float) -> None:
        """Log the open epoch and open the next one."""
        loss = round(float(np.mean(self.losses)), 5) if self.losses else None
        summary = validation.summary
        scores = (summary["f1"], summary["wacc"], summary["auc"])
        self.log.append(EpochReport(self.epoch, loss, *scores, round(self.seconds, 1), lr, validation.loss))
        self.epoch, self.next_batch, self.losses = self.epoch + 1, 0, []

    def to_stored(self) -> dict[str, object]:
        """Return tensors and JSON values for state.pt."""
        return {
            "position": [self.epoch, self.next_batch, self.best_f1, self.best_epoch, self.seconds],
            "losses": self.losses,
            "log": [asdict(report) for report in self.log],
            "best": self.best and [self.best.weights, json.dumps(self.best.metrics.to_json())],
        }

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any], folder: Path) -> RunState:
        """Read what `to_stored` returned; the log of an earlier version is the file in the run's folder."""
        epoch, next_batch, best_f1, best_epoch, seconds = stored["position"]
        state = cls(epoch, next_batch, best_f1, best_epoch, seconds)
        state.losses = list(stored.get("losses", []))
        if "log" in stored:
            state.log = [EpochReport(**line) for line in stored["log"]]
        else:
            state.log = [report for report in read_log(folder) if report.epoch < state.epoch]
        if stored.get("best"):
            weights, metrics = stored["best"]
            weights = {name: value.cpu() for name, value in weights.items()}
            state.best = BestEpoch(weights, CheckpointMetrics.from_json(json.loads(metrics)))
        return state


def check_same_run(stored: Mapping[str, Any], run: RunConfig, corpus: Corpus, folder: Path) -> None:
    """Check that a stored state is of this run and of this corpus; one of an earlier version names neither.

    Raises:
        ConfigError: it is of a run with other settings.
        DataError: the corpus has other clips now.
    """
    if "run" in stored and not same_settings(RunConfig.from_dict(json.loads(stored["run"])), run):
        raise ConfigError(f"the state in {folder} is of a run with other settings; choose another --out")
    if stored.get("corpus", corpus.manifest.clips_digest) != corpus.manifest.clips_digest:
        raise DataError(
            f"corpus {corpus.folder} has other clips or splits than the one that run {folder} began with; "
            "give that one with --corpus, or start a new run"
        )


@contextmanager
def unfit_state_errors(folder: Path) -> Iterator[None]:
    """Turn what goes wrong with a stored state of another run or version into one `DataError`."""
    try:
        yield
    except MesmError:
        raise
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
        raise DataError(
            f"the state in {folder} is not of this run or this version ({reason}); choose another --out"
        ) from error
