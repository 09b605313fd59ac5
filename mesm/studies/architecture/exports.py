"""A model's architecture as an exhibit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mesm.config import ModelConfig
from mesm.errors import ConfigError
from mesm.figures.export import Exhibit
from mesm.studies.architecture import schematic
from mesm.studies.architecture.paper import plot_architecture
from mesm.studies.case.captions import architecture_caption


def architecture(config: ModelConfig, origin: Mapping[str, Any]) -> Exhibit:
    """What comes in, which cells each block computes, how the modalities meet.

    Args:
        origin: checkpoint, checkpoint_sha256, config, seed, trained_on.

    Raises:
        ConfigError: a model that the drawing is not of.
    """
    name = origin["checkpoint"]
    if not schematic.has_cnn(config):
        raise ConfigError(f"the drawing is of FE2E and MESM with cnn=stem5x5; {name} is {config.name} with another network")
    return Exhibit(
        name=f"architecture-{name}",
        title=f"The architecture of {name}",
        caption=architecture_caption(config),
        command=f"mesm figure architecture {name}",
        origin={key: value for key, value in origin.items() if key not in ("corpus", "licence")},
        draw=lambda width: plot_architecture(config, width),
    )
