"""Train one model on one corpus; a run that is killed is resumed as if nothing had happened, one that is stopped, too.

All random numbers of a step come from (seed, epoch, step, process), never from the steps before: a resumed run ends with
the weights of an unbroken one. `run_folder.py` has the files, `objectives/` the loss, `model_setup.py` the model.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mesm.batch import Batch
from mesm.config import MESMConfig, RunConfig, TrainConfig
from mesm.data.loading import SplitLoader
from mesm.data.store import Corpus
from mesm.errors import DataError
from mesm.models import load_checkpoint, save_checkpoint
from mesm.models.card import model_card
from mesm.models.checkpoint import WEIGHTS
from mesm.runtime import seed_everything
from mesm.stopping import Stopped, StopSignals
from mesm.training.calibration import refit_fusion
from mesm.training.model_setup import build_training_model
from mesm.training.objectives import Objectives
from mesm.training.optim import build_optimizer, build_schedule, clip_gradients
from mesm.training.progress import StepReport, TrainingProgress
from mesm.training.requirements import check_packages, check_run
from mesm.training.run_folder import RunFolder, require_corpus, same_settings, with_corpus
from mesm.training.run_state import RunState, check_same_run, unfit_state_errors
from mesm.training.validation import Validation, checkpoint_metrics


def _step_seed(seed: int, epoch: int, step: int, process: int) -> int:
    return int(np.random.SeedSequence([seed, epoch, step, process]).generate_state(1)[0])


def _draw_top_p(config: TrainConfig, epoch: int, step: int, steps: int, usual: float | None) -> float | None:
    """Draw a step's nucleus mass.

    Args:
        steps: of an epoch.
        usual: the model's own mass, or None for a model without attention.
    """
    if usual is None or not (config.top_p_range or config.top_p_start):
        return None
    top_p = usual
    if config.top_p_range:
        # The same for all processes: top_p is a property of the step.
        low, high = config.top_p_range
        top_p = float(np.random.default_rng([config.seed, epoch, step]).uniform(low, high))
    share = min(1.0, 2 * (epoch * steps + step) / (config.epochs * steps))
    return top_p + (1 - share) * (config.top_p_start - top_p) if config.top_p_start else top_p


class Trainer:
    """Fit one model on one corpus.

    Args:
        run: the model and its training.
        folder: the run's folder, created if needed; a folder with a state is resumed from it.
        progress: receives a `StepReport` after every batch and an `EpochReport` after every epoch.

    Raises:
        BackendUnavailable: accelerate is not installed.
        ConfigError: the settings do not go with each other, the model or the corpus (`check_run`).
        DataError: the corpus lacks a label or a split, or the folder cannot be written or is being written.
    """

    def __init__(
        self, run: RunConfig, folder: str | os.PathLike[str], progress: TrainingProgress | None = None
    ) -> None:
        check_packages()
        from accelerate import Accelerator

        self.run = run
        self.progress: TrainingProgress = progress or (lambda _: None)
        precision = {"float32": "no", "bfloat16": "bf16"}[run.train.precision]
        # By default accelerate lets processes without a GPU train apart from each other.
        apart = int(os.environ.get("WORLD_SIZE", "1")) > 1 and not torch.cuda.is_available()
        self.accelerator = Accelerator(mixed_precision=precision, cpu=apart)
        self.device = self.accelerator.device
        self.folder = RunFolder(folder, writes=self.accelerator.is_main_process)
        with self.folder.lock():  # a place that cannot be written, or is busy, is found before the work
            pass
        self.corpus = Corpus(run.train.corpus, hide_truth=run.train.truth == "hidden")
        check_run(run, self.corpus)
        seed_everything(run.train.seed)
        self.setup = build_training_model(run, self.corpus, self.device, resumed=self.folder.has_state)
        self.model = self.setup.model
        self.train_loader = self._loader("train", shuffle=True)
        self.valid_loader = self._loader("valid", shuffle=False)
        truth = torch.tensor([[label in row.present for label in run.model.labels] for row in self.train_loader.rows])
        clip_ids = [row.clip_id for row in self.train_loader.rows]
        self.objectives = Objectives(
            run, self.corpus, clip_ids, truth.float(), self.setup.inputs.get("text_vectors"), self.device
        )
        self.optimizer = build_optimizer(self.model, run.train)
        self.wrapped = self.accelerator.prepare_model(self.model)
        if (auxiliary := self.objectives.auxiliary) is not None:
            heads = list(auxiliary.heads.parameters())
            self.optimizer.add_param_group({"name": "auxiliary", "params": heads, "lr": run.train.lr})
            auxiliary.wrap(self.accelerator.prepare_model)
        steps = -(-len(self.train_loader) // run.train.accumulate) * run.train.epochs
        self.schedule = build_schedule(self.optimizer, run.train, steps)
        self.state = RunState()

    def _loader(self, split: str, *, shuffle: bool) -> SplitLoader:
        return SplitLoader(
            self.corpus,
            split,
            self.run.model.labels,
            batch_size=self.run.train.batch_size,
            seed=self.run.train.seed,
            shuffle=shuffle,
            **self.setup.inputs,
            part=(self.accelerator.process_index, self.accelerator.num_processes) if shuffle else (0, 1),
            limit=self.run.train.max_clips if shuffle else 0,
            modalities=self.run.model.modalities,
        )

    def fit(self, save_minutes: float = 10.0) -> Path:
        """Train to the end and return the folder of the resulting checkpoint.

        Args:
            save_minutes: time between two states within an epoch; one is written after each epoch, too.

        Raises:
            ConfigError: the folder holds a run with other settings.
            DataError: another process trains this run, the loss is not finite, or the disk refuses.
            Stopped: Ctrl-C or SIGTERM; the state is saved.
        """
        with self.folder.lock(), StopSignals() as stop:
            self.folder.open(self.run)
            self._load_state()
            try:
                while not self.state.is_over(self.run.train):
                    with stop.held():
                        self._train_epoch(save_minutes, stop)
                    validation = Validation.of(self.model, self.valid_loader, self.device, self.objectives.label_loss)
                    with stop.held():
                        self._end_epoch(validation)
                    self.progress(self.state.log[-1])
            except Stopped as stopped:
                self._save_state()
                raise Stopped(stopped.number, f"stopped after {self.state.position()}") from None
            return self._write_checkpoint()

    def _train_epoch(self, save_minutes: float, stop: StopSignals) -> None:
        """Train the rest of the epoch, or up to the first optimiser step after a signal."""
        self.wrapped.train()
        steps, saved, wait = len(self.train_loader), time.perf_counter(), 0.0
        batches = self.train_loader.epoch(self.state.epoch, self.state.next_batch)
        for index in range(self.state.next_batch, steps):
            started = time.perf_counter()
            batch = next(batches)
            wait += time.perf_counter() - started
            self.state.losses.append(self.step(batch, index))
            self.state.next_batch = index + 1
            self.state.seconds += time.perf_counter() - started
            self.progress(StepReport(self.state.epoch, index + 1, steps, len(batch), self.state.losses[-1], wait))
            if (index + 1) % self.run.train.accumulate and index + 1 < steps:
                continue  # gradients that wait for the next batch are in no state
            if self._is_stopped(stop):
                return
            if time.perf_counter() - saved > 60 * save_minutes:
                self._save_state()
                saved = time.perf_counter()

    def _is_stopped(self, stop: StopSignals) -> bool:
        """Return whether any process has received a signal: all end after the same step."""
        if self.accelerator.num_processes > 1:
            received = torch.tensor([float(stop.received)], device=self.device)
            stop.received = int(self.accelerator.gather(received).max())
        return stop.received > 0

    def step(self, batch: Batch, index: int) -> float:
        """Take one training step and return its loss; the optimiser moves after every `accumulate` batches.

        Args:
            batch: of the training split, on the CPU.
            index: of the batch in the epoch, from 0.

        Raises:
            DataError: the loss is not finite.
        """
        config = self.run.train
        seed = _step_seed(config.seed, self.state.epoch, index, self.accelerator.process_index)
        torch.manual_seed(seed)
        step = self.objectives.prepare(batch, seed).to(self.device)
        last = (index + 1) % config.accumulate == 0 or index + 1 == len(self.train_loader)
        sync = contextlib.nullcontext() if last else self.accelerator.no_sync(self.wrapped)
        with sync, self.accelerator.autocast():
            loss = self.objectives.loss(self.wrapped, step, self._top_p(index))
            if not bool(torch.isfinite(loss)):
                raise DataError(
                    f"the loss is {loss.item()} in epoch {self.state.epoch + 1}, batch {index + 1} (clips "
                    f"{', '.join(batch.clip_ids[:4])}, ...); lower the learning rate or check these clips, then resume from the "
                    "last state"
                )
            self.accelerator.backward(loss / config.accumulate)
        if last:
            clip_gradients(self.optimizer, config.clip_norm)
            self.optimizer.step()
            self.schedule.step()
            self.optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    def _top_p(self, index: int) -> float | None:
        model = self.run.model
        usual = model.top_p if isinstance(model, MESMConfig) else None
        return _draw_top_p(self.run.train, self.state.epoch, index, len(self.train_loader), usual)

    def _end_epoch(self, validation: Validation) -> None:
        """Take the epoch's weights if it is the one to keep so far, log it, and save."""
        metrics = checkpoint_metrics(self.run, self.corpus, validation, self.state.epoch)
        kept = self.state.keep_if_best(self.run.train, validation.f1, self.model, metrics)
        self.state.end_epoch(validation, self.optimizer.param_groups[0]["lr"])
        self._save_state()
        self.folder.write_from_state(self.state, self.model.config, best=kept)

    def _write_checkpoint(self) -> Path:
        """Write the result from the kept epoch, with fusion weights fitted on the validation split with `held_out`."""
        if self.folder.writes:
            best = load_checkpoint(self.folder.best)
            content = replace(best.metrics, train_seconds=round(self.state.seconds, 1))
            if self.run.train.fusion == "held_out" and best.model.has_branches and len(best.config.modalities) > 1:
                best.model.to(self.device)
                weights_E = self.objectives.label_loss.weights_E
                content = refit_fusion(best.model, self.valid_loader, weights_E, self.device).update(content)
            card = model_card(self.folder.path.name, best.config, content)
            save_checkpoint(self.folder.checkpoint, best.model, content, card, half=True)
        self.accelerator.wait_for_everyone()
        return self.folder.checkpoint

    def _save_state(self) -> None:
        self.folder.save_state(
            {
                "run": json.dumps(self.run.to_dict()),
                "corpus": self.corpus.manifest.clips_digest,
                "model": self.model.state_dict(),
                "auxiliary": self.objectives.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "schedule": self.schedule.state_dict(),
                **self.state.to_stored(),
            }
        )

    def _load_state(self) -> None:
        stored = self.folder.load_state(self.device)
        if stored is not None:
            with unfit_state_errors(self.folder.path):
                self._take_state(stored)
        self.folder.write_from_state(self.state, self.model.config, best=True)

    def _take_state(self, stored: Mapping[str, Any]) -> None:
        """Continue from a stored state; see `check_same_run` for the errors."""
        check_same_run(stored, self.run, self.corpus, self.folder.path)
        self.model.load_state_dict(stored["model"])
        self.objectives.load_state_dict(stored["auxiliary"] if "auxiliary" in stored else stored["causes"])
        self.optimizer.load_state_dict(stored["optimizer"])
        self.schedule.load_state_dict(stored["schedule"])
        self.state = RunState.from_stored(stored, self.folder.path)


def is_finished(folder: Path, run: RunConfig) -> bool:
    """Return whether a folder holds the checkpoint of a run with these settings.

    Raises:
        DataError: config.json is damaged.
    """
    own = RunFolder(folder)
    same = own.config.is_file() and same_settings(own.read_config(), run)
    return same and (own.checkpoint / WEIGHTS).is_file()


def resume(
    folder: str | os.PathLike[str],
    progress: TrainingProgress | None = None,
    corpus: str | os.PathLike[str] | None = None,
) -> Path:
    """Resume the run in `folder` and return the folder of the resulting checkpoint.

    Args:
        corpus: folder of the run's corpus; None: where it was.

    Raises:
        MesmError: the folder holds no run, or the corpus is another or not there.
    """
    run = RunFolder(folder).read_config()
    if corpus is not None:
        run = with_corpus(run, corpus)
    require_corpus(run, folder)
    return Trainer(run, folder, progress).fit()
