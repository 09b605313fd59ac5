"""Join models of single modalities into one of several: late fusion keeps each branch as it was trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mesm.config import EndToEndConfig, ModelConfig
from mesm.errors import ConfigError
from mesm.models.base import EmotionModel
from mesm.models.registry import build_model
from mesm.vocabulary import MODALITIES


def joined_config(configs: Sequence[ModelConfig]) -> EndToEndConfig:
    """Return the config of the model that has the modalities of all.

    Raises:
        ConfigError: a config is not that of an end-to-end model, or two differ in more than their modalities.
    """
    first = configs[0]
    for config in configs:
        if not isinstance(config, EndToEndConfig) or not isinstance(first, EndToEndConfig):
            raise ConfigError(f"{config.name} cannot be joined; join checkpoints of fe2e or of mesm")
        own, other = config.to_dict(), first.to_dict()
        differing = [key for key in own if key != "modalities" and own[key] != other.get(key)]
        if differing:
            raise ConfigError(
                f"the checkpoints differ in {', '.join(differing)}; train the branches with the same settings"
            )
    assert isinstance(first, EndToEndConfig)
    modalities = tuple(m for m in MODALITIES if any(m in config.modalities for config in configs))
    return replace(first, modalities=modalities)


def join(models: Sequence[EmotionModel]) -> EmotionModel:
    """Build one model from the branches of several; a modality comes from the first model that has it.

    The fusion weights are 1 each; fit them on clips that have all modalities.

    Args:
        models: with the same settings but for the modalities.

    Raises:
        ConfigError: see `joined_config`.
    """
    joined = build_model(joined_config([model.config for model in models]))
    assert isinstance(joined, EmotionModel)
    for modality, branch in joined.branches.items():
        source = next(model for model in models if modality in model.branches)
        branch.load_state_dict(source.branches[modality].state_dict())
    return joined.eval()
