"""Names of models. Register one here and the tests run it forward, backward and against its own batch."""

from __future__ import annotations

from mesm.config import ModelConfig
from mesm.errors import ConfigError
from mesm.layers.text import TextEncoder
from mesm.models.base import EmotionModel
from mesm.models.baselines import LFLSTM, EmoEmbs, LFTransformer, MulT
from mesm.models.fe2e import FE2E
from mesm.models.mesm import MESM

MODELS: dict[str, type[EmotionModel]] = {
    "fe2e": FE2E,
    "mesm": MESM,
    "lf_lstm": LFLSTM,
    "lf_transformer": LFTransformer,
    "emo_embs": EmoEmbs,
    "mult": MulT,
}


def build_model(config: ModelConfig, text_encoder: TextEncoder | None = None) -> EmotionModel:
    """A freshly initialised model.

    Raises:
        ConfigError: `config.name` is not registered.
    """
    if config.name not in MODELS:
        raise ConfigError(f"no model named {config.name!r}; there are {', '.join(MODELS)}")
    return MODELS[config.name](config, text_encoder)
