"""Configurations: one frozen dataclass per model and per training run, stored beside the weights.

Start with `model.py` (shape and arithmetic of a model), `training.py` (optimisation and schedule of one run, upgrade of
older versions' settings) and `objectives.py` (the losses).
"""

from mesm.config.base import JsonConfig, check_choice, check_top_p
from mesm.config.model import BACKENDS, CNNS, GATES, QUERIES, SCORES, ModelConfig
from mesm.config.objectives import (
    AttentionSupervisionConfig,
    AuxiliaryTargetsConfig,
    BranchLossConfig,
    LabelLossConfig,
    NeutralFacesConfig,
    TwoTextsConfig,
)
from mesm.config.training import FUSIONS, RunConfig, TrainConfig, upgrade_training

__all__ = [
    "BACKENDS",
    "CNNS",
    "FUSIONS",
    "GATES",
    "QUERIES",
    "SCORES",
    "AttentionSupervisionConfig",
    "AuxiliaryTargetsConfig",
    "BranchLossConfig",
    "JsonConfig",
    "LabelLossConfig",
    "ModelConfig",
    "NeutralFacesConfig",
    "RunConfig",
    "TrainConfig",
    "TwoTextsConfig",
    "check_choice",
    "check_top_p",
    "upgrade_training",
]
