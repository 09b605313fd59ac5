"""Define settings as frozen dataclasses: a class per model and one per training run, stored beside the weights.

Start with `model.py` (shape and arithmetic of each model), `training.py` (optimisation and schedule of one run, upgrade of
older versions' settings) and `objectives.py` (the losses); `base.py` has the dict, JSON and `key=value` forms.
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
from mesm.config.objectives import (
    SALIENCY_TARGETS,
    AttentionSupervisionConfig,
    AuxiliaryTargetsConfig,
    BranchLossConfig,
    DistillationConfig,
    LabelLossConfig,
    NeutralFacesConfig,
    TwoTextsConfig,
)
from mesm.config.training import FORM_SETTINGS, FUSIONS, RunConfig, TrainConfig, upgrade_training

__all__ = [
    "BACKENDS",
    "CNNS",
    "FORM_SETTINGS",
    "FUSIONS",
    "GATES",
    "MODEL_CONFIGS",
    "MODEL_SETTINGS",
    "QUERIES",
    "SALIENCY_TARGETS",
    "SCORES",
    "AttentionSupervisionConfig",
    "AuxiliaryTargetsConfig",
    "BranchLossConfig",
    "DistillationConfig",
    "EndToEndConfig",
    "FE2EConfig",
    "FeatureModelConfig",
    "JsonConfig",
    "LFLSTMConfig",
    "LabelLossConfig",
    "MESMConfig",
    "ModelConfig",
    "NeutralFacesConfig",
    "RunConfig",
    "TrainConfig",
    "TwoTextsConfig",
    "check_choice",
    "check_top_p",
    "model_config",
    "upgrade_training",
]
