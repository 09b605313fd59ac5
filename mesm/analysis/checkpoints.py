"""Find checkpoints and read their small files, without torch and without loading the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from safetensors import SafetensorError, safe_open

from mesm.config import ModelConfig
from mesm.errors import CheckpointError, ConfigError, DataError
from mesm.files import read_regular
from mesm.json_form import read_json
from mesm.records.checkpoint import (
    CARD,
    CONFIG,
    METRICS,
    WEIGHTS,
    CheckpointMetrics,
    read_metrics,
    weight_files,
    weights_sha256,
)
from mesm.runtime import assets, workspace

#: Longest model card.
_CARD_BYTES = 2**20


@dataclass(frozen=True)
class CheckpointFacts:
    """Hold a checkpoint's config, metrics and model card.

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
    metrics: CheckpointMetrics = field(default_factory=CheckpointMetrics)
    card: str = ""

    @property
    def trained_on(self) -> str:
        """Name of the corpus."""
        return self.metrics.trained_on

    @property
    def has_attention(self) -> bool:
        """Return True if the model has an attention to trace and a top-p to move."""
        return self.config.has_attention


def find_checkpoints(folders: Sequence[Path] | None = None) -> dict[str, Path]:
    """Find checkpoint folders by name: the bundled ones, then the workspace's checkpoints/ and runs/*/checkpoint.

    Args:
        folders: search these instead.
    """
    home = workspace()
    places = list(folders) if folders is not None else [assets() / "checkpoints", home / "checkpoints"]
    by_name: dict[str, Path] = {}
    for place in places:
        for config in sorted(place.glob(f"*/{CONFIG}")):
            if (config.parent / WEIGHTS).is_file():
                by_name.setdefault(config.parent.name, config.parent)
    if folders is None:
        for config in sorted((home / "runs").glob(f"*/checkpoint/{CONFIG}")):
            by_name.setdefault(config.parent.parent.name, config.parent)
    return by_name


def checkpoint_source(name: str, known: Mapping[str, Path] | None = None) -> Path:
    """Return where to load a checkpoint from: by name, by folder (also of a run), or by hub id.

    Args:
        known: of `find_checkpoints`, if they are listed already.

    Raises:
        CheckpointError: there is none of that name.
    """
    known = find_checkpoints() if known is None else known
    if name not in known and not Path(name).is_dir() and (name.count("/") != 1 or name.startswith((".", "/"))):
        raise CheckpointError(f"no checkpoint named {name!r}; there are {', '.join(known) or 'none'}, or give a folder")
    return checkpoint_in_run(known.get(name, Path(name)))


def checkpoint_folder(name: str) -> Path:
    """Return the folder of a checkpoint by name or by folder, which need not exist; of a run's folder its checkpoint."""
    return checkpoint_in_run(find_checkpoints().get(name, Path(name)))


def checkpoint_in_run(folder: Path) -> Path:
    """Return the checkpoint in a run's folder; any other folder as it is."""
    inside = folder / "checkpoint"
    return inside if (inside / CONFIG).is_file() else folder


def checkpoint_name(folder: Path) -> str:
    """Return the name of the checkpoint in a folder: that of the run for its checkpoint/ and best/."""
    return (folder.resolve().parent if folder.name in ("checkpoint", "best") else folder).name


def read_facts(folder: Path) -> CheckpointFacts:
    """Read a checkpoint's small files; its weights are checked to be whole, and not loaded.

    Raises:
        CheckpointError: a file is missing or damaged.
    """
    try:
        config = ModelConfig.from_stored(read_json(folder / CONFIG))
        metrics = read_metrics(folder)
        if metrics.thresholds and len(metrics.thresholds) != len(config.labels):
            raise DataError(
                f"{METRICS} has {len(metrics.thresholds)} thresholds for {len(config.labels)} labels; train it again"
            )
        card = read_regular(folder / CARD, _CARD_BYTES).decode(errors="replace") if (folder / CARD).is_file() else ""
        for path in weight_files(folder, config.is_adapted):
            with safe_open(path, framework="numpy"):  # fails where the file is not whole
                pass
        return CheckpointFacts(
            checkpoint_name(folder), folder, config, weights_sha256(folder, config.is_adapted), metrics, card
        )
    except (ConfigError, DataError) as error:
        raise CheckpointError(f"checkpoint {folder.name}: {error}") from error
    except (OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, SafetensorError) as error:
        raise CheckpointError(f"checkpoint {folder} cannot be read ({error}); copy or train it again") from error
