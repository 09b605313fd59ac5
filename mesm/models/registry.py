"""Register the models. The tests run every registered one forward, backward and against its own batch."""

from __future__ import annotations

from mesm.config import ModelConfig
from mesm.errors import ConfigError
from mesm.layers.text import TextEncoder
from mesm.models.baselines import LFLSTM, EmoEmbs, LFTransformer, MulT
from mesm.models.fe2e import FE2E
from mesm.models.mesm import MESM
from mesm.models.scorer import AnyScorer

#: Registry name -> class; the classes of the configs are `mesm.config.MODEL_CONFIGS`.
MODELS: dict[str, type[AnyScorer]] = {
    "fe2e": FE2E,
    "mesm": MESM,
    "lf_lstm": LFLSTM,
    "lf_transformer": LFTransformer,
    "emo_embs": EmoEmbs,
    "mult": MulT,
}


def build_model(config: ModelConfig, text_encoder: TextEncoder | None = None) -> AnyScorer:
    """Build a freshly initialised model.

    Raises:
        ConfigError: `config.name` is not registered.
    """
    if config.name not in MODELS:
        raise ConfigError(f"no model named {config.name!r}; there are {', '.join(MODELS)}")
    return MODELS[config.name](config, text_encoder)
