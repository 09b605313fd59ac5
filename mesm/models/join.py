"""Join models of single modalities into one of several: late fusion keeps each branch as it was trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mesm.config import EndToEndConfig, ModelConfig
from mesm.errors import ConfigError
from mesm.models.base import EmotionModel
from mesm.models.registry import build_model
from mesm.vocabulary import MODALITIES

#: Modality -> settings that its branch alone reads; they come from where the branch comes from.
_OWN_SETTINGS: dict[str, tuple[str, ...]] = {
    "text": ("text_hidden", "text_lexicon"),
    "visual": ("face_scaling", "face_mean", "face_std"),
    "acoustic": ("mel_scaling", "mel_level", "mel_mean", "mel_std", "mel_statistics"),
}


def joined_config(configs: Sequence[ModelConfig]) -> EndToEndConfig:
    """Return the config of the model that has the modalities of all.

    Raises:
        ConfigError: a config is not that of an end-to-end model, or two differ in a setting that their branches share.
    """
    first = configs[0]
    for config in configs:
        if not isinstance(config, EndToEndConfig) or not isinstance(first, EndToEndConfig):
            raise ConfigError(f"{config.name} cannot be joined; join checkpoints of fe2e or of mesm")
        own, other = config.to_dict(), first.to_dict()
        free = {"modalities", *(name for names in _OWN_SETTINGS.values() for name in names)}
        differing = [key for key in own if key not in free and own[key] != other.get(key)]
        if differing:
            raise ConfigError(
                f"the checkpoints differ in {', '.join(differing)}; train the branches with the same settings"
            )
    assert isinstance(first, EndToEndConfig)
    modalities = tuple(m for m in MODALITIES if any(m in config.modalities for config in configs))
    own_settings = {
        name: getattr(_source(configs, modality), name) for modality in modalities for name in _OWN_SETTINGS[modality]
    }
    return replace(first, modalities=modalities, **own_settings)


def _source(configs: Sequence[ModelConfig], modality: str) -> ModelConfig:
    return next(config for config in configs if modality in config.modalities)


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
