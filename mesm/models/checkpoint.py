"""Save and load checkpoints: folders of model.safetensors, config.json, metrics.json and README.md. No pickle anywhere.

An adapter of the text encoder is a file of its own, text_adapter.safetensors, as adapters usually are: the weights beside
it stay the same file.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from mesm.config import ModelConfig, upgrade_training
from mesm.errors import CheckpointError, ConfigError, DataError
from mesm.files import PART, write_atomic
from mesm.json_form import members, read_json
from mesm.models.card import model_card
from mesm.models.registry import build_model
from mesm.models.scorer import AnyScorer
from mesm.records.checkpoint import (
    ADAPTER,
    CARD,
    CONFIG,
    METRICS,
    WEIGHTS,
    CheckpointMetrics,
    SplitMetrics,
    read_metrics,
    weight_files,
)
from mesm.records.evaluation import Evaluation

#: Names of the adapter's weights in a model begin so.
_ADAPTED = "text_encoder."
#: A weight per modality.
_FUSION = "fusion.weight"


@dataclass(frozen=True)
class Checkpoint:
    """Hold a trained model, its metrics and its card.

    Attributes:
        model: in eval mode, float32.
        card: the model card, Markdown.
    """

    folder: Path
    model: AnyScorer
    metrics: CheckpointMetrics = field(default_factory=CheckpointMetrics)
    card: str = ""

    @property
    def config(self) -> ModelConfig:
        """Return the model's config."""
        return self.model.config


def save_checkpoint(
    folder: str | os.PathLike[str], model: AnyScorer, metrics: CheckpointMetrics, card: str, *, half: bool = False
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
    metrics: CheckpointMetrics,
    card: str,
    *,
    half: bool = False,
) -> Path:
    """Write a checkpoint folder as `save_checkpoint` does, from weights without their model."""
    folder = Path(folder)
    state = {}
    for name, value in weights.items():
        keep = not half or not value.is_floating_point() or "running_" in name or name.endswith(("_mean", "_std"))
        state[name] = (value if keep else value.half()).detach().cpu().contiguous()
    old, fresh = folder.with_name(f".{folder.name}.old"), None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if old.exists() and not folder.exists():  # a kill between the two renames below
            old.rename(folder)
        fresh = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.", suffix=PART))
        if config.is_adapted:
            save_file({name: state.pop(name) for name in list(state) if name.startswith(_ADAPTED)}, fresh / ADAPTER)
        save_file(state, fresh / WEIGHTS)
        (fresh / CONFIG).write_text(json.dumps(config.to_dict(), indent=1) + "\n")
        (fresh / METRICS).write_text(json.dumps(metrics.to_json(), indent=1) + "\n")
        (fresh / CARD).write_text(card)
        for path in fresh.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        fresh.chmod(0o755)
        for path in fresh.glob("*.safetensors"):
            path.chmod(0o644)
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot write checkpoint {folder}: {error}; the last good one is untouched") from error
    finally:
        if fresh is not None:
            shutil.rmtree(fresh, ignore_errors=True)
    return folder


def update_checkpoint(
    folder: Path, evaluation: Evaluation, ceiling_wacc: float | None = None, ceiling_share: float | None = None
) -> None:
    """Write an evaluation's summary into a checkpoint's metrics.json, and its model card again.

    Args:
        folder: of the checkpoint.
        evaluation: on the valid or the test split.
        ceiling_wacc: WAcc of the ideal observer of the checkpoint's modalities; None without a known design.
        ceiling_share: share of the way from chance to it.

    Raises:
        ConfigError: the evaluation is of another split.
    """
    if evaluation.split not in ("valid", "test"):
        raise ConfigError(
            f"a checkpoint keeps its scores on valid and test, not on {evaluation.split!r}; leave out --update"
        )
    config = ModelConfig.from_stored(read_json(folder / CONFIG))
    scores = SplitMetrics.of_evaluation(evaluation)
    metrics = read_metrics(folder)
    if evaluation.split == "valid":
        metrics = replace(metrics, valid=scores)
    else:
        metrics = replace(
            metrics, test=scores, wacc=scores.wacc, f1=scores.f1, top_p=scores.top_p, macs_ratio=scores.macs_ratio,
            ceiling_wacc=ceiling_wacc, ceiling_share=ceiling_share,
        )  # fmt: skip
    write_atomic(folder / METRICS, (json.dumps(metrics.to_json(), indent=1) + "\n").encode())
    write_atomic(folder / CARD, model_card(folder.name, config, metrics).encode())


def _fetch(name: str) -> Path:
    """Return the folder `name`, or the snapshot of a hub repository."""
    folder = Path(name)
    if folder.is_dir():
        return folder
    if name.count("/") != 1 or name.startswith((".", "/")):
        raise CheckpointError(f"no checkpoint at {name}; give a folder with {WEIGHTS} and {CONFIG}, or a hub id")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=[WEIGHTS, ADAPTER, CONFIG, METRICS, CARD]))
    except Exception as error:
        raise CheckpointError(f"checkpoint {name!r} is neither a folder nor a hub id that can be reached") from error


def load_checkpoint(source: str | os.PathLike[str]) -> Checkpoint:
    """Load a checkpoint from a folder or a hub id, in eval mode on the CPU.

    Raises:
        CheckpointError: a file is missing or damaged, or weights and config do not fit each other.
    """
    folder = _fetch(os.fspath(source))
    try:
        stored = members(read_json(folder / CONFIG))
        config = ModelConfig.from_stored(stored)
        state = {
            name: value for path in weight_files(folder, config.is_adapted) for name, value in load_file(path).items()
        }
        metrics = read_metrics(folder)
        if len(metrics.thresholds) not in (0, len(config.labels)):
            raise DataError(f"{METRICS} has {len(metrics.thresholds)} thresholds for {len(config.labels)} labels")
        if metrics.train:
            metrics = replace(metrics, train=upgrade_training(metrics.train, stored))
        card = (folder / CARD).read_text() if (folder / CARD).is_file() else ""
    except (ConfigError, DataError) as error:
        raise CheckpointError(f"checkpoint {folder.name}: {error}") from error
    except (OSError, ValueError, TypeError, SafetensorError) as error:
        raise CheckpointError(f"checkpoint {folder} cannot be read ({error}); copy or train it again") from error
    model = build_model(config)
    try:
        model.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise CheckpointError(f"checkpoint {folder.name}: weights and config do not fit ({reason})") from error
    return Checkpoint(folder, model.eval(), metrics, card)


def warm_start(model: AnyScorer, weights: Mapping[str, Tensor], labels: Sequence[str] | None = None) -> list[str]:
    """Copy every weight that exists under the same name and shape (MESM from FE2E); return what was left at random.

    Args:
        labels: those of the weights, in their order; where the model has others, the last layers are left out.

    Raises:
        CheckpointError: nothing fits, or a shared name has another shape (another width).
    """
    own = model.state_dict()
    last = () if labels is None or tuple(labels) == model.config.labels else _last_layers(model)
    shared = {k: v for k, v in weights.items() if k in own and not k.startswith(last)}
    if len(own.get(_FUSION, ())) != len(shared.get(_FUSION, ())):  # of other modalities: fitted again
        shared.pop(_FUSION, None)
    wrong = [k for k, v in shared.items() if v.shape != own[k].shape]
    if wrong or not shared:
        what = f"{wrong[0]} has shape {tuple(shared[wrong[0]].shape)}" if wrong else "no weight has a known name"
        raise CheckpointError(f"cannot start from these weights: {what}; use the same width and the same model")
    with torch.no_grad():
        model.load_state_dict({k: v.to(own[k].dtype) for k, v in shared.items()}, strict=False)
    return sorted(set(own) - set(shared))


def _last_layers(model: AnyScorer) -> tuple[str, ...]:
    """Return the prefixes of the weights with a row per label."""
    return tuple(
        f"{name}."
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear)
        and module.out_features == len(model.config.labels)
        and re.search(r"\.out(\.\d+)?$", name)
    )
