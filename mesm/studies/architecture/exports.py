"""Build the figure of a model's architecture."""

from __future__ import annotations

from collections.abc import Mapping

from mesm.config import ModelConfig
from mesm.errors import ConfigError
from mesm.figures.export import FigureExport
from mesm.json_form import Json
from mesm.studies.architecture.chart_data import architecture_caption, has_cnn
from mesm.studies.architecture.paper import plot_architecture


def architecture(config: ModelConfig, origin: Mapping[str, Json]) -> FigureExport:
    """Build the drawing of inputs, kept sites of each block, and fusion.

    Args:
        origin: checkpoint, checkpoint_sha256, config, seed, trained_on.

    Raises:
        ConfigError: the model is not end-to-end.
    """
    name = origin["checkpoint"]
    if not has_cnn(config):
        raise ConfigError(
            f"the drawing shows FE2E and MESM with cnn=stem5x5; {name} is {config.name} with another network"
        )
    return FigureExport(
        name=f"architecture-{name}",
        title=f"The architecture of {name}",
        caption=architecture_caption(config),
        command=f"mesm figure architecture {name}",
        origin={key: value for key, value in origin.items() if key not in ("corpus", "licence")},
        draw=lambda width: plot_architecture(config, width),
    )
