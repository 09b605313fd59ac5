"""Score the validation split: decision thresholds, metrics, and the content of a checkpoint's metrics.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import torch

from mesm.batch import Batch
from mesm.config import RunConfig
from mesm.data.loading import SplitLoader
from mesm.data.store import Corpus
from mesm.json_form import members
from mesm.models import AnyScorer, ModelOutput
from mesm.records.checkpoint import METRICS, CheckpointMetrics, SplitMetrics, read_metrics
from mesm.statistics import rounded
from mesm.training import metrics
from mesm.training.objectives.label_loss import LabelLoss
from mesm.training.scoring import SplitScores, score_batches


@dataclass(frozen=True)
class Validation:
    """Hold the scores of the validation split.

    Attributes:
        scores: scores and truth of its clips.
        thresholds_E: threshold of each class with the best binary F1 on these clips; NaN for a class that they cannot
            decide.
        summary: every metric in percent (`metrics.summarise`).
        loss: mean label loss over its clips and classes; None without one.
    """

    scores: SplitScores
    thresholds_E: np.ndarray
    summary: dict[str, Any]
    loss: float | None = None

    @classmethod
    def of(
        cls, model: AnyScorer, valid: SplitLoader, device: torch.device | str, label_loss: LabelLoss | None = None
    ) -> Validation:
        """Score a model on the validation split, also by a label loss."""
        total, clips = 0.0, 0

        def add(batch: Batch, output: ModelOutput) -> None:
            nonlocal total, clips
            if label_loss is not None and batch.labels is not None:
                total += len(batch) * float(label_loss.of_logits(output.logits_BE, batch.labels))
                clips += len(batch)

        scores = score_batches(model, valid.epoch(0), device=str(device), on_output=add)
        thresholds_E = metrics.choose_thresholds(scores.scores, scores.truth)
        summary = metrics.summarise(scores.scores, scores.truth, thresholds_E, model.config.labels)
        return cls(scores, thresholds_E, summary, round(total / clips, 5) if clips else None)

    @property
    def f1(self) -> float | None:
        """Average binary F1 in percent, None if no class has one."""
        f1: float | None = self.summary["f1"]
        return f1

    def update(self, metrics: CheckpointMetrics) -> CheckpointMetrics:
        """Return a checkpoint's metrics with these thresholds and scores."""
        thresholds = tuple(rounded(t) for t in self.thresholds_E)
        return replace(metrics, thresholds=thresholds, valid=SplitMetrics.from_json(self.summary))


def undecidable(corpus: Corpus, labels: Sequence[str]) -> tuple[str, ...]:
    """Return the labels that the validation split cannot decide: all of its clips show them, or none does."""
    rows = [row for row in corpus.index if row.split == "valid"]
    return tuple(label for label in labels if len({label in row.present for row in rows}) < 2)


def checkpoint_metrics(run: RunConfig, corpus: Corpus, validation: Validation, epoch: int) -> CheckpointMetrics:
    """Return a checkpoint's metrics: scores, thresholds, and the training without a machine's paths.

    Args:
        corpus: corpus that the model was trained on.
    """
    own = run.train
    teacher = replace(own.distillation, checkpoint=_run_name(own.distillation.checkpoint))
    train = replace(
        own, corpus=corpus.name, init_from=_run_name(own.init_from), distillation=teacher,
        action_units=PurePath(own.action_units).name,
    ).to_dict()  # fmt: skip
    return validation.update(
        CheckpointMetrics(
            trained_on=corpus.name,
            trained_on_capabilities=corpus.capabilities,
            thresholds_top_p=run.model.top_p,
            epoch=epoch,
            train=train,
            sources=tuple(dict.fromkeys([*corpus_sources(corpus), *_start_sources(run)])),
        )
    )


def corpus_sources(corpus: Corpus) -> tuple[str, ...]:
    """Return one line per corpus that the clips come from: its name, licence and citation, as far as they are known."""
    meta = corpus.manifest.meta
    listed = meta.get("sources") if meta.get("kind") == "composed" else [{**meta, "corpus": corpus.name}]
    lines = []
    for source in listed if isinstance(listed, list) else []:
        facts = members(source)
        licence = facts.get("licence") or "licence not stated"
        lines.append("; ".join(str(fact) for fact in (facts["corpus"], licence, facts.get("citation")) if fact))
    return tuple(dict.fromkeys(lines))


def _start_sources(run: RunConfig) -> list[str]:
    """Return the sources of the checkpoints that a run starts from and is distilled from, whose licences go with them."""
    folders = [Path(name) for name in (run.train.init_from, run.train.distillation.checkpoint) if name]
    return [source for folder in folders if (folder / METRICS).is_file() for source in read_metrics(folder).sources]


def _run_name(checkpoint: str) -> str:
    """Return `fe2e` for `runs/fe2e/checkpoint`."""
    path = Path(checkpoint)
    return path.parent.name if path.name in ("checkpoint", "best") else path.name
