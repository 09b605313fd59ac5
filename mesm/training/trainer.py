"""Training: one run is one folder, and a run that is killed goes on as if nothing had happened.

    <run>/config.json      the RunConfig
    <run>/metrics.jsonl    one line per epoch
    <run>/state.pt         weights, optimiser, schedule and position; written whole, loaded with weights_only=True
    <run>/best/            checkpoint of the epoch to keep so far: the best by valid average F1, or the last
    <run>/checkpoint/      the result

All random numbers of a step come from (seed, epoch, step, process), never from what ran before: that is what makes a
resumed run end with the weights of an unbroken one.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from mesm.batch import Batch
from mesm.config import FeatureModelConfig, RunConfig
from mesm.data.features.extract import open_features
from mesm.data.loading import SplitLoader
from mesm.data.store import Corpus
from mesm.errors import ConfigError, DataError, MesmError
from mesm.files import write_atomic
from mesm.layers.text import TextEncoder
from mesm.models import AnyScorer, EmotionModel, build_model, load_checkpoint, save_checkpoint
from mesm.models.card import model_card
from mesm.models.checkpoint import warm_start
from mesm.models.encoders import load_cnn
from mesm.records.checkpoint import CheckpointMetrics, SplitMetrics
from mesm.runtime import seed_everything
from mesm.training import metrics
from mesm.training.attention_supervision import FaceRegions, NeutralFaces, looks_loss, neutral_loss, two_texts_loss
from mesm.training.augment import augment
from mesm.training.auxiliary_targets import Causes
from mesm.training.baseline_setup import build_on_features
from mesm.training.calibration import refit_fusion
from mesm.training.losses import emotion_loss, finite, positive_weights
from mesm.training.optim import build_optimizer, build_schedule, clip_gradients
from mesm.training.scoring import loader_arguments, score_batches

Report = Callable[[dict[str, Any]], None]


def _run_name(checkpoint: str) -> str:
    """`runs/fe2e/checkpoint` is known as fe2e; no machine's path goes into a checkpoint."""
    path = Path(checkpoint)
    return path.parent.name if path.name in ("checkpoint", "best") else path.name


def _step_seed(seed: int, epoch: int, step: int, process: int) -> int:
    return int(np.random.SeedSequence([seed, epoch, step, process]).generate_state(1)[0])


class Trainer:
    """Fits one model on one corpus.

    Args:
        run: what to train and how.
        folder: the run's folder, created if needed; a folder with a state goes on from it.
        report: called with a dict after every step (`kind="step"`) and epoch (`kind="epoch"`).

    Raises:
        ConfigError: the folder holds a run with other settings.
        DataError: the corpus lacks a label or a split.
    """

    def __init__(self, run: RunConfig, folder: str | os.PathLike[str], report: Report | None = None) -> None:
        self.run, self.folder = run, Path(folder)
        self.report: Report = report or (lambda _: None)
        precision = {"float32": "no", "bfloat16": "bf16"}[run.train.precision]
        # Without being told, accelerate lets processes without a GPU train apart from each other.
        apart = int(os.environ.get("WORLD_SIZE", "1")) > 1 and not torch.cuda.is_available()
        self.accelerator = Accelerator(mixed_precision=precision, cpu=apart)
        self.device = self.accelerator.device
        self.corpus = Corpus(run.train.corpus)
        seed_everything(run.train.seed)
        self.model, self.text_sha256 = self._build()
        self.train_loader = self._loader("train", shuffle=True)
        self.valid_loader = self._loader("valid", shuffle=False)
        truth = torch.tensor([[label in row.present for label in run.model.labels] for row in self.train_loader.rows])
        weights = (
            positive_weights(truth.float()) if run.train.positive_weight == "balanced" else torch.ones(truth.shape[1])
        )
        self.positive_weights = weights.to(self.device)
        self.neutral = self._neutral(truth.float().mean(0)) if run.train.neutral_faces else None
        self.regions = self._regions() if run.train.look and "visual" in run.model.modalities else None
        self.causes = Causes(self.corpus, run.model).to(self.device) if run.train.cause_loss else None
        self.optimizer = build_optimizer(self.model, run.train)
        if self.causes is not None:
            heads = list(self.causes.parameters())
            self.optimizer.add_param_group({"name": "causes", "params": heads, "lr": run.train.lr})
        steps = -(-len(self.train_loader) // run.train.accumulate) * run.train.epochs
        self.schedule = build_schedule(self.optimizer, run.train, steps)
        self.wrapped = self.accelerator.prepare_model(self.model)
        self.wrapped_causes = self.accelerator.prepare_model(self.causes) if self.causes is not None else None
        self.epoch, self.next_batch, self.best, self.best_epoch = 0, 0, -1.0, -1
        self.seconds = 0.0

    def _build(self) -> tuple[AnyScorer, str]:
        """Build the model and, in `self.inputs`, the arguments of its loaders."""
        if isinstance(self.run.model, FeatureModelConfig):
            features = open_features(self.corpus, self.run.model.modalities)
            baseline = build_on_features(self.run.model, features, self.corpus.ids("train"))
            self.inputs = baseline.inputs.loader_arguments(dict, lambda _: features)
            return baseline.to(self.device), ""
        model = build_model(self.run.model)
        assert isinstance(model, EmotionModel)
        encoder = model.text_encoder or TextEncoder(self.run.model)
        self.inputs = loader_arguments(model, encoder, self.corpus, ("train", "valid"))
        digest = encoder.sha256
        model.config = type(model.config).from_dict({**model.config.to_dict(), "text_sha256": digest})
        if self.run.train.cnn_weights:
            load_cnn(model, self.run.train.cnn_weights)
        if self.run.train.init_from:
            warm_start(model, load_checkpoint(self.run.train.init_from).model.state_dict())
        for parameter in model.attention_parameters():
            parameter.requires_grad_(not self.run.train.freeze_attention)
        self._freeze(model)
        return model.to(self.device), digest

    def _freeze(self, model: EmotionModel) -> None:
        parts = {"freeze_stem": model.freeze_stem, "freeze_text": model.freeze_text}
        for setting, freeze in parts.items():
            if not getattr(self.run.train, setting):
                continue
            if not self.run.train.init_from:
                raise ConfigError(
                    f"{setting} keeps a part of a trained model: name one with --init (MESM starts from FE2E), or set "
                    f"{setting}=false"
                )
            freeze()

    def _neutral(self, frequencies_E: Tensor) -> NeutralFaces:
        vectors = self.inputs.get("text_vectors")
        if vectors is None or self.run.model.name != "mesm" or "visual" not in self.run.model.modalities:
            raise ConfigError("neutral_faces needs a MESM with a visual branch and a frozen text encoder; set it to 0")
        specific = self.run.train.look_specific
        return NeutralFaces(self.corpus, self.run.model.labels, dict(vectors), frequencies_E, specific)

    def _regions(self) -> FaceRegions:
        if self.run.model.name != "mesm":
            raise ConfigError(f"look teaches an attention, and {self.run.model.name} has none; set it to 0")
        return FaceRegions(self.corpus, self.run.model.labels, self.run.train.look_specific)

    def _loader(self, split: str, *, shuffle: bool) -> SplitLoader:
        return SplitLoader(
            self.corpus,
            split,
            self.run.model.labels,
            batch_size=self.run.train.batch_size,
            seed=self.run.train.seed,
            shuffle=shuffle,
            **self.inputs,
            part=(self.accelerator.process_index, self.accelerator.num_processes) if shuffle else (0, 1),
            limit=self.run.train.max_clips if shuffle else 0,
        )

    def fit(self, save_minutes: float = 10.0) -> Path:
        """Train to the end and return the folder of the resulting checkpoint."""
        self._open_folder()
        while self.epoch < self.run.train.epochs:
            started = time.perf_counter()
            losses = self._train_epoch(save_minutes)
            self.seconds += time.perf_counter() - started
            row = {
                "epoch": self.epoch,
                "loss": round(float(np.mean(losses)), 5) if losses else None,
                **self._validate(),
            }
            row |= {"seconds": round(self.seconds, 1), "lr": self.optimizer.param_groups[0]["lr"]}
            self.epoch, self.next_batch = self.epoch + 1, 0
            self._log(row)
            self._save_state()
            self.report({"kind": "epoch", **row})
            if self.run.train.patience and self.epoch - 1 - self.best_epoch >= self.run.train.patience:
                break
        return self._finish()

    def _train_epoch(self, save_minutes: float) -> list[float]:
        self.wrapped.train()
        losses, saved = [], time.perf_counter()
        wait = 0.0
        batches = self.train_loader.epoch(self.epoch, self.next_batch)
        for index in range(self.next_batch, len(self.train_loader)):
            asked = time.perf_counter()
            batch = next(batches)
            wait += time.perf_counter() - asked
            losses.append(self._step(batch, index))
            self.next_batch = index + 1
            self.report(
                {"kind": "step", "epoch": self.epoch, "batch": index + 1, "batches": len(self.train_loader),
                 "clips": len(batch), "loss": losses[-1], "wait_s": wait}
            )  # fmt: skip
            whole = (index + 1) % self.run.train.accumulate == 0
            if whole and time.perf_counter() - saved > 60 * save_minutes:
                self._save_state()
                saved = time.perf_counter()
        return losses

    def _step(self, batch: Any, index: int) -> float:
        config = self.run.train
        seed = _step_seed(config.seed, self.epoch, index, self.accelerator.process_index)
        torch.manual_seed(seed)
        regions_SRHW = None if self.regions is None else self.regions.of(batch.clip_ids)
        if config.augment:
            batch, regions_SRHW = augment(batch, torch.Generator().manual_seed(seed), regions_SRHW)
        top_p = self._draw_top_p(index)
        last = (index + 1) % config.accumulate == 0 or index + 1 == len(self.train_loader)
        batch = batch.to(self.device)
        sync = contextlib.nullcontext() if last else self.accelerator.no_sync(self.wrapped)
        with sync, self.accelerator.autocast():
            loss = self._loss(batch, regions_SRHW, top_p, seed)
            if not finite(loss):
                raise DataError(
                    f"the loss is {loss.item()} in epoch {self.epoch}, batch {index} (clips {', '.join(batch.clip_ids[:4])}"
                    ", ...); lower the learning rate or look at these clips, then resume from the last state"
                )
            self.accelerator.backward(loss / config.accumulate)
        if last:
            clip_gradients(self.optimizer, config.clip_norm)
            self.optimizer.step()
            self.schedule.step()
            self.optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    def _loss(self, batch: Batch, regions_SRHW: Tensor | None, top_p: float | None, seed: int) -> Tensor:
        """The label loss, and whatever guidance the config asks for."""
        config, rng = self.run.train, np.random.default_rng(seed)
        labelled, own, clip_ids = len(batch), batch.labels, batch.clip_ids
        assert own is not None
        # A neutral face's label says nothing, so there its own text may ask.
        asking = rng.permutation(labelled) if config.queries == "shuffled" else np.arange(labelled)
        if self.regions is not None and regions_SRHW is not None:
            askers = [clip_ids[i] for i in asking]
            regions_SRHW = self.regions.asked(regions_SRHW, batch.face_counts, askers)
        if self.neutral is not None:
            batch, named_SHW = self.neutral.append(batch, config.neutral_faces, rng)
            if regions_SRHW is not None:
                neutral_SRHW = torch.stack([torch.zeros_like(named_SHW), named_SHW], 1)
                regions_SRHW = torch.cat([regions_SRHW, neutral_SRHW])
        query_index_B = torch.from_numpy(np.concatenate([asking, np.arange(labelled, len(batch))]))
        second_query_index_B = torch.from_numpy(rng.permutation(len(batch))) if config.text_kl else None
        output = self.wrapped(batch, top_p, bool(config.look), query_index_B, second_query_index_B)
        loss = torch.zeros((), device=self.device)
        answers = [output] if output.second is None else [output, output.second]
        for answer in answers:
            loss = loss + emotion_loss(
                answer.head(labelled), own, self.positive_weights, config.branch_loss, config.label_smoothing
            ) / len(answers)
        if config.look:
            loss = loss + config.look * looks_loss(output.layers, regions_SRHW, batch, config.look_shares)
        if self.wrapped_causes is not None:
            loss = loss + config.cause_loss * self.wrapped_causes(output, clip_ids)
        if self.neutral is not None:
            assert batch.labels is not None
            logits, labels = output.modality_logits_BME[labelled:], batch.labels[labelled:]
            loss = loss + neutral_loss(logits, labels, self.positive_weights, self._branch("visual"))
        if output.second is not None:
            loss = loss + config.text_kl * two_texts_loss(output, self._branch("text"))
        return loss

    def _branch(self, modality: str) -> int:
        return self.run.model.modalities.index(modality)

    def _draw_top_p(self, index: int) -> float | None:
        if not self.run.train.top_p_range:
            return None
        # The same for all processes: the mask's mass is a property of the step.
        rng = np.random.default_rng([self.run.train.seed, self.epoch, index])
        low, high = self.run.train.top_p_range
        return float(rng.uniform(low, high))

    def _validate(self) -> dict[str, Any]:
        found = score_batches(self.model, self.valid_loader.epoch(0), device=str(self.device))
        thresholds = metrics.choose_thresholds(found.scores, found.truth)
        summary = metrics.summarise(found.scores, found.truth, thresholds, self.run.model.labels)
        row = {f"valid_{k}": summary[k] for k in ("f1", "wacc", "auc")}
        if self.run.train.keep == "last" or (summary["f1"] or 0.0) > self.best:
            self.best, self.best_epoch = summary["f1"] or 0.0, self.epoch
            if self.accelerator.is_main_process:
                content = self._metrics(thresholds, summary)
                save_checkpoint(self.folder / "best", self.model, content, "")
        return row

    def _metrics(self, thresholds: np.ndarray, summary: dict[str, Any]) -> CheckpointMetrics:
        return CheckpointMetrics(
            trained_on=self.corpus.name,
            thresholds=tuple(float(t) for t in thresholds),
            thresholds_top_p=self.run.model.top_p,
            valid=SplitMetrics.from_json(summary),
            epoch=self.epoch,
            train=self.run.train.to_dict()
            | {"corpus": self.corpus.name, "init_from": _run_name(self.run.train.init_from)},
        )

    def _finish(self) -> Path:
        best = load_checkpoint(self.folder / "best")
        content = replace(best.metrics, train_seconds=round(self.seconds, 1))
        if self.accelerator.is_main_process:
            if self.run.train.fusion == "held_out" and best.model.has_branches and len(best.config.modalities) > 1:
                best.model.to(self.device)
                refitted = refit_fusion(best.model, self.valid_loader, self.positive_weights, str(self.device))
                valid = SplitMetrics.from_json(refitted["valid"])
                content = replace(content, thresholds=tuple(refitted["thresholds"]), valid=valid)
            card = model_card(self.folder.name, best.config, content)
            save_checkpoint(self.folder / "checkpoint", best.model, content, card, half=True)
        self.accelerator.wait_for_everyone()
        return self.folder / "checkpoint"

    def _open_folder(self) -> None:
        """Write the config of a fresh run, or go on from the state of the same run."""
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "config.json"
        if config.is_file():
            if RunConfig.from_dict(json.loads(config.read_text())) != self.run:
                raise ConfigError(
                    f"{self.folder} holds a run with other settings; choose another --out, or --resume it"
                )
        elif self.accelerator.is_main_process:
            write_atomic(config, (json.dumps(self.run.to_dict(), indent=1) + "\n").encode())
        if (self.folder / "state.pt").is_file():
            self._load_state()

    def _save_state(self) -> None:
        if not self.accelerator.is_main_process:
            return
        buffer = io.BytesIO()
        torch.save(
            {
                "model": self.model.state_dict(),
                "causes": {} if self.causes is None else self.causes.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "schedule": self.schedule.state_dict(),
                "position": [self.epoch, self.next_batch, self.best, self.best_epoch, self.seconds],
            },
            buffer,
        )
        write_atomic(self.folder / "state.pt", buffer.getvalue())

    def _load_state(self) -> None:
        try:
            state = torch.load(self.folder / "state.pt", weights_only=True, map_location=self.device)
        except Exception as error:
            raise DataError(f"{self.folder / 'state.pt'} cannot be read ({error}); delete it to start over") from error
        self.model.load_state_dict(state["model"])
        if self.causes is not None:
            self.causes.load_state_dict(state["causes"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.epoch, self.next_batch, self.best, self.best_epoch, self.seconds = state["position"]
        # Lines of an epoch that the state does not know yet would be written twice.
        log = self.folder / "metrics.jsonl"
        if log.is_file():
            kept = [line for line in log.read_text().splitlines() if json.loads(line)["epoch"] < self.epoch]
            write_atomic(log, "".join(line + "\n" for line in kept).encode())

    def _log(self, row: dict[str, Any]) -> None:
        if self.accelerator.is_main_process:
            with (self.folder / "metrics.jsonl").open("a") as log:
                log.write(json.dumps(row) + "\n")


def read_log(folder: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """The epochs of a run so far; a half-written last line is left out."""
    path = Path(folder) / "metrics.jsonl"
    for line in path.read_text().splitlines() if path.is_file() else []:
        with contextlib.suppress(json.JSONDecodeError):
            yield json.loads(line)


def resume(folder: str | os.PathLike[str], report: Report | None = None) -> Path:
    """Go on with the run in `folder`."""
    config = Path(folder) / "config.json"
    if not config.is_file():
        raise MesmError(
            f"{folder} holds no run (no config.json); start one with mesm train --preset ... --out {folder}"
        )
    return Trainer(RunConfig.from_dict(json.loads(config.read_text())), folder, report).fit()
