"""Join models of single modalities into one of several: late fusion keeps each branch as it was trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mesm.config import EndToEndConfig, MESMConfig, ModelConfig
from mesm.errors import ConfigError
from mesm.models.base import EmotionModel
from mesm.models.registry import build_model
from mesm.vocabulary import MODALITIES

#: Modality -> settings that its branch alone reads; they come from where the branch comes from.
_OWN_SETTINGS: dict[str, tuple[str, ...]] = {
    "text": ("text_hidden", "text_lexicon", "text_adapter"),
    "visual": ("face_scaling", "face_mean", "face_std"),
    "acoustic": (
        "mel_scaling",
        "mel_level",
        "mel_mean",
        "mel_std",
        "mel_statistics",
        "mel_statistics_hidden",
        "padding",
    ),
}


def joined_config(configs: Sequence[ModelConfig]) -> EndToEndConfig:
    """Return the config of the model that has the modalities of all: a MESM if one of them is.

    Raises:
        ConfigError: a config is not that of an end-to-end model, or two differ in a setting that their branches share.
    """
    for config in configs:
        if not isinstance(config, EndToEndConfig):
            raise ConfigError(f"{config.name} cannot be joined; join checkpoints of fe2e or of mesm")
    first = next((config for config in configs if isinstance(config, MESMConfig)), configs[0])
    assert isinstance(first, EndToEndConfig)
    free = {"name", "modalities", *(name for names in _OWN_SETTINGS.values() for name in names)}
    for config in configs:
        own, other = config.to_dict(), first.to_dict()
        differing = [key for key in own if key in other and key not in free and own[key] != other[key]]
        if differing:
            raise ConfigError(
                f"the checkpoints differ in {', '.join(differing)}; train the branches with the same settings"
            )
    modalities = tuple(m for m in MODALITIES if any(m in config.modalities for config in configs))
    sources = {modality: configs[_source(configs, modality, first.name)] for modality in modalities}
    own_settings = {
        name: getattr(config, name)
        for m, config in sources.items()
        for name in _OWN_SETTINGS[m]
        if hasattr(first, name)
    }
    return replace(first, modalities=modalities, **own_settings)


def _source(configs: Sequence[ModelConfig], modality: str, name: str) -> int:
    """Return the index of the first config that has a branch; a text branch is the same in FE2E and MESM, the others not.

    Raises:
        ConfigError: only models of another name have it.
    """
    fitting = [i for i, c in enumerate(configs) if modality in c.modalities and (modality == "text" or c.name == name)]
    if not fitting:
        raise ConfigError(f"no checkpoint of {name} has the {modality} branch; give one, or checkpoints of fe2e alone")
    return fitting[0]


def join(models: Sequence[EmotionModel]) -> EmotionModel:
    """Build one model from the branches of several; a modality comes from the first model that has it.

    The fusion weights are 1 each; fit them on clips that have all modalities.

    Args:
        models: with the same settings but for the modalities; FE2E's text branch also joins a MESM.

    Raises:
        ConfigError: see `joined_config`.
    """
    configs = [model.config for model in models]
    joined = build_model(joined_config(configs))
    assert isinstance(joined, EmotionModel)
    for modality, branch in joined.branches.items():
        source = models[_source(configs, modality, joined.config.name)]
        branch.load_state_dict(source.branches[modality].state_dict())
        if modality == "text" and joined.text_encoder is not None:
            assert source.text_encoder is not None
            joined.text_encoder.load_state_dict(source.text_encoder.state_dict())
    return joined.eval()
