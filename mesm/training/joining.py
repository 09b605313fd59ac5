"""Join trained branches into one checkpoint: fusion weights and thresholds are fitted on a validation split."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from mesm.data.loading import SplitLoader
from mesm.data.store import Corpus
from mesm.errors import ConfigError
from mesm.json_form import Json
from mesm.layers.text import TextEncoder
from mesm.models import EmotionModel
from mesm.models.card import model_card
from mesm.models.checkpoint import Checkpoint, save_checkpoint
from mesm.models.join import join
from mesm.records.checkpoint import CheckpointMetrics
from mesm.training.calibration import absent_modalities, refit_fusion
from mesm.training.objectives.label_loss import positive_weights
from mesm.training.scoring import loader_arguments


def join_checkpoints(
    parts: Sequence[Checkpoint], corpus: Corpus, folder: str | os.PathLike[str]
) -> tuple[Path, dict[str, float]]:
    """Write the checkpoint that has the branches of all parts.

    Args:
        parts: checkpoints of end-to-end models; a modality comes from the first one that has it.
        corpus: its validation split decides fusion weights and thresholds.
        folder: of the new checkpoint.

    Returns:
        The folder, and modality -> fusion weight.

    Raises:
        ConfigError: the parts do not go together, make up a single modality, or have one that no validation clip has.
        DataError: the corpus lacks a label or a validation split.
    """
    models = [part.model for part in parts if isinstance(part.model, EmotionModel)]
    if len(models) < len(parts):
        raise ConfigError("only checkpoints of fe2e and mesm have branches to join")
    model = join(models)
    if len(model.config.modalities) < 2:
        raise ConfigError(
            f"all checkpoints have {model.config.modalities[0]} alone; give one for another modality, too"
        )
    rows = [row for row in corpus.index if row.split == "valid"]
    if lacking := absent_modalities(model.config.modalities, rows):
        raise ConfigError(
            f"no validation clip of {corpus.name} has {' or '.join(lacking)}, so their fusion weights cannot be fitted; name a "
            "corpus with all modalities"
        )
    encoder = model.text_encoder or TextEncoder(model.config)
    inputs = loader_arguments(model, encoder, corpus, ("valid",))
    valid = SplitLoader(corpus, "valid", model.config.labels, batch_size=16, **inputs)
    truth = torch.tensor([[float(label in row.present) for label in model.config.labels] for row in valid.rows])
    validation = refit_fusion(model, valid, positive_weights(truth))
    trained_on = ", ".join(dict.fromkeys(part.metrics.trained_on for part in parts))
    seconds = sum(part.metrics.train_seconds or 0.0 for part in parts)
    metrics = validation.update(
        CheckpointMetrics(
            trained_on=trained_on,
            trained_on_capabilities=(),
            thresholds_top_p=model.config.top_p,
            epoch=parts[0].metrics.epoch,
            train=parts[0].metrics.train | _supervision(parts) | {"fusion": "held_out"},
            train_seconds=round(seconds, 1),
            sources=tuple(dict.fromkeys(source for part in parts for source in part.metrics.sources)),
        )
    )
    model.config = replace(model.config, text_sha256=encoder.sha256)
    path = Path(folder)
    save_checkpoint(path, model, metrics, model_card(path.name, model.config, metrics), half=True)
    fusion = model.fusion.weight
    assert fusion is not None
    return path, dict(zip(model.config.modalities, fusion.tolist(), strict=True))


def _supervision(parts: Sequence[Checkpoint]) -> dict[str, Json]:
    """Return the attention supervision and the distillation of the first part that had each, as the joined checkpoint's."""
    taken: dict[str, Json] = {}
    for part in parts:
        for name in ("attention", "distillation"):
            settings = part.metrics.train.get(name)
            if name not in taken and isinstance(settings, dict) and settings.get("weight"):
                taken[name] = settings
    return taken
