"""What is known of a checkpoint without loading it: no torch, so that a page can name it at once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from mesm.config import ModelConfig
from mesm.errors import CheckpointError, ConfigError
from mesm.files import file_sha256
from mesm.records.checkpoint import CARD, CONFIG, METRICS, WEIGHTS
from mesm.runtime import assets, workspace


@dataclass(frozen=True)
class CheckpointFacts:
    """A checkpoint by its small files.

    Attributes:
        name: of the checkpoint; runs/fe2e/checkpoint goes by fe2e.
        sha256: of its weights.
        metrics: metrics.json.
        card: the model card.
    """

    name: str
    folder: Path
    config: ModelConfig
    sha256: str
    metrics: dict[str, Any] = field(default_factory=dict)
    card: str = ""

    @property
    def trained_on(self) -> str:
        """Name of the corpus."""
        return str(self.metrics.get("trained_on", "unknown"))

    @property
    def has_attention(self) -> bool:
        """Whether there is an attention to trace and a top-p to move."""
        return self.config.name == "mesm"


def find_checkpoints(folders: Sequence[Path] | None = None) -> dict[str, Path]:
    """Checkpoint folders by name: the bundled ones, then the workspace's checkpoints/ and runs/*/checkpoint.

    Args:
        folders: look in these instead.
    """
    home = workspace()
    places = list(folders) if folders is not None else [assets() / "checkpoints", home / "checkpoints"]
    found: dict[str, Path] = {}
    for place in places:
        for config in sorted(place.glob(f"*/{CONFIG}")):
            if (config.parent / WEIGHTS).is_file():
                found.setdefault(config.parent.name, config.parent)
    if folders is None:
        for config in sorted((home / "runs").glob(f"*/checkpoint/{CONFIG}")):
            found.setdefault(config.parent.parent.name, config.parent)
    return found


def checkpoint_folder(name: str) -> Path:
    """The folder of a checkpoint given by name, or by folder, which need not be there; a run's stands for what it kept."""
    return kept_by(find_checkpoints().get(name, Path(name)))


def kept_by(folder: Path) -> Path:
    """A run's checkpoint; any other folder as it is."""
    inside = folder / "checkpoint"
    return inside if (inside / CONFIG).is_file() else folder


def name_of(folder: Path) -> str:
    """What the checkpoint of a folder is called."""
    return (folder.resolve().parent if folder.name in ("checkpoint", "best") else folder).name


def read_facts(folder: Path) -> CheckpointFacts:
    """What a checkpoint's folder says of it; its weights are seen to be whole, and not loaded.

    Raises:
        CheckpointError: a file is missing or damaged.
    """
    try:
        config = ModelConfig.from_dict(json.loads((folder / CONFIG).read_text()))
        metrics = json.loads((folder / METRICS).read_text()) if (folder / METRICS).is_file() else {}
        card = (folder / CARD).read_text() if (folder / CARD).is_file() else ""
        with safe_open(folder / WEIGHTS, framework="numpy"):  # which sees whether the file is whole
            pass
        return CheckpointFacts(name_of(folder), folder, config, file_sha256(folder / WEIGHTS), metrics, card)
    except ConfigError as error:
        raise CheckpointError(f"checkpoint {folder.name}: {error}") from error
    except (OSError, ValueError, TypeError, KeyError, SafetensorError) as error:
        raise CheckpointError(f"checkpoint {folder} cannot be read ({error}); copy or train it again") from error
