"""Checkpoints are folders: model.safetensors, config.json, metrics.json, README.md. No pickle anywhere."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from mesm.config import ModelConfig, upgrade_training
from mesm.errors import CheckpointError, ConfigError, MesmError
from mesm.files import write_atomic
from mesm.models.base import EmotionModel
from mesm.models.card import model_card
from mesm.models.registry import build_model
from mesm.records.checkpoint import CARD, CONFIG, METRICS, WEIGHTS
from mesm.records.evaluation import Evaluation
from mesm.records.json_form import to_json


@dataclass(frozen=True)
class Checkpoint:
    """A model and what is known of it.

    Attributes:
        model: in eval mode, float32.
        metrics: at least `thresholds` (one per label) and `trained_on` (corpus name).
        card: the model card, Markdown.
    """

    folder: Path
    model: EmotionModel
    metrics: dict[str, Any] = field(default_factory=dict)
    card: str = ""

    @property
    def config(self) -> ModelConfig:
        """The model's config."""
        return self.model.config


def save_checkpoint(
    folder: str | os.PathLike[str], model: EmotionModel, metrics: Mapping[str, Any], card: str, *, half: bool = False
) -> Path:
    """Write a checkpoint folder whole or not at all, replacing an older one.

    Args:
        half: store floating-point weights as float16 (statistics of batch norms and features stay float32).

    Raises:
        CheckpointError: the disk refuses.
    """
    return save_state(folder, model.state_dict(), model.config, metrics, card, half=half)


def save_state(
    folder: str | os.PathLike[str],
    weights: Mapping[str, Tensor],
    config: ModelConfig,
    metrics: Mapping[str, Any],
    card: str,
    *,
    half: bool = False,
) -> Path:
    """`save_checkpoint` for weights whose model is not built here."""
    folder = Path(folder)
    state = {}
    for name, value in weights.items():
        keep = not half or not value.is_floating_point() or "running_" in name or name.endswith(("_mean", "_std"))
        state[name] = (value if keep else value.half()).detach().cpu().contiguous()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        save_file(state, fresh / WEIGHTS)
        (fresh / CONFIG).write_text(json.dumps(config.to_dict(), indent=1) + "\n")
        (fresh / METRICS).write_text(json.dumps(dict(metrics), indent=1) + "\n")
        (fresh / CARD).write_text(card)
        fresh.chmod(0o755)
        (fresh / WEIGHTS).chmod(0o644)
        old = folder.with_name(f".{folder.name}.old")
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot write checkpoint {folder}: {error}; the last good one is untouched") from error
    return folder


def update_checkpoint(
    folder: Path, evaluation: Evaluation, ceiling_wacc: float | None = None, ceiling_share: float | None = None
) -> None:
    """Write an evaluation's summary into a checkpoint's metrics.json, and its model card again; other keys are kept.

    Args:
        ceiling_wacc: WAcc of the ideal observer of the checkpoint's modalities; None without a known design.
        ceiling_share: share of the way from chance to it.
    """
    config = ModelConfig.from_dict(json.loads((folder / CONFIG).read_text()))
    metrics = json.loads((folder / METRICS).read_text())
    metrics[evaluation.split] = {
        **vars(evaluation.average),
        "n": evaluation.clips,
        "clips": evaluation.clips,
        "speakers": evaluation.speakers,
        "top_p": evaluation.top_p,
        "per_class": to_json(evaluation.per_class),
        "interval": {metric: [ends.low, ends.high] for metric, ends in evaluation.interval.items()},
        "branches": evaluation.branches,
        "macs_ratio": evaluation.macs_ratio,
        "macs_ratio_range": evaluation.macs_ratio_range,
    }
    if evaluation.split == "test":
        metrics |= {"wacc": evaluation.average.wacc, "f1": evaluation.average.f1, "top_p": evaluation.top_p}
        metrics |= {"macs_ratio": evaluation.macs_ratio, "ceiling_wacc": ceiling_wacc, "ceiling_share": ceiling_share}
    write_atomic(folder / METRICS, (json.dumps(metrics, indent=1) + "\n").encode())
    write_atomic(folder / CARD, model_card(folder.name, config, metrics).encode())


def _fetch(name: str) -> Path:
    """A folder as given, or a hub repository's snapshot."""
    folder = Path(name)
    if folder.is_dir():
        return folder
    if name.count("/") != 1 or name.startswith((".", "/")):
        raise CheckpointError(f"no checkpoint at {name}; give a folder with {WEIGHTS} and {CONFIG}, or a hub id")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=[WEIGHTS, CONFIG, METRICS, CARD]))
    except Exception as error:
        raise CheckpointError(f"checkpoint {name!r} is neither a folder nor a hub id that can be reached") from error


def load_checkpoint(source: str | os.PathLike[str]) -> Checkpoint:
    """Load a checkpoint from a folder or a hub id, in eval mode on the CPU.

    Raises:
        CheckpointError: a file is missing or damaged, or weights and config do not fit each other.
    """
    folder = _fetch(os.fspath(source))
    try:
        stored = json.loads((folder / CONFIG).read_text())
        config = ModelConfig.from_dict(stored)
        state = load_file(folder / WEIGHTS)
        metrics = json.loads((folder / METRICS).read_text()) if (folder / METRICS).is_file() else {}
        if "train" in metrics:
            metrics["train"] = upgrade_training(metrics["train"], stored)
        card = (folder / CARD).read_text() if (folder / CARD).is_file() else ""
    except ConfigError as error:
        raise CheckpointError(f"checkpoint {folder.name}: {error}") from error
    except (OSError, ValueError, TypeError, SafetensorError) as error:
        if isinstance(error, MesmError):
            raise
        raise CheckpointError(f"checkpoint {folder} cannot be read ({error}); copy or train it again") from error
    model = build_model(config)
    try:
        model.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    except RuntimeError as error:
        raise CheckpointError(f"checkpoint {folder.name}: weights and config do not fit ({error})") from error
    return Checkpoint(folder, model.eval(), metrics, card)


def warm_start(model: EmotionModel, weights: Mapping[str, Tensor]) -> list[str]:
    """Copy every weight that exists under the same name and shape (MESM from FE2E); return what was left at random.

    Raises:
        CheckpointError: nothing fits, or a shared name has another shape (another width).
    """
    own = model.state_dict()
    shared = {k: v for k, v in weights.items() if k in own}
    wrong = [k for k, v in shared.items() if v.shape != own[k].shape]
    if wrong or not shared:
        what = f"{wrong[0]} has shape {tuple(shared[wrong[0]].shape)}" if wrong else "no weight has a known name"
        raise CheckpointError(f"cannot start from these weights: {what}; use the same width and labels")
    with torch.no_grad():
        model.load_state_dict({k: v.to(own[k].dtype) for k, v in shared.items()}, strict=False)
    return sorted(set(own) - set(shared))
