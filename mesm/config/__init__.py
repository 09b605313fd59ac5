"""Settings as frozen dataclasses: a class per model and one per training run, stored beside the weights.

Start with `model.py` (shape and arithmetic of each model) and `training.py` (optimisation, objectives, one run);
`base.py` has the dict, JSON and `key=value` forms.
"""

from mesm.config.base import JsonConfig, check_choice, check_top_p
from mesm.config.model import (
    BACKENDS,
    CNNS,
    GATES,
    MODEL_CONFIGS,
    MODEL_SETTINGS,
    QUERIES,
    SCORES,
    EndToEndConfig,
    FE2EConfig,
    FeatureModelConfig,
    LFLSTMConfig,
    MESMConfig,
    ModelConfig,
    model_config,
)
from mesm.config.training import FUSIONS, RunConfig, TrainConfig

__all__ = [
    "BACKENDS",
    "CNNS",
    "FUSIONS",
    "GATES",
    "MODEL_CONFIGS",
    "MODEL_SETTINGS",
    "QUERIES",
    "SCORES",
    "EndToEndConfig",
    "FE2EConfig",
    "FeatureModelConfig",
    "JsonConfig",
    "LFLSTMConfig",
    "MESMConfig",
    "ModelConfig",
    "RunConfig",
    "TrainConfig",
    "check_choice",
    "check_top_p",
    "model_config",
]
