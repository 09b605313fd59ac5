"""Configurations: one frozen dataclass per model and per training run, stored beside the weights.

Start with `model.py` (shape and arithmetic of a model) and `training.py` (optimisation, objectives, one run).
"""

from mesm.config.base import JsonConfig, check_choice, check_top_p
from mesm.config.model import BACKENDS, CNNS, GATES, QUERIES, SCORES, ModelConfig
from mesm.config.training import FUSIONS, RunConfig, TrainConfig

__all__ = [
    "BACKENDS",
    "CNNS",
    "FUSIONS",
    "GATES",
    "QUERIES",
    "SCORES",
    "JsonConfig",
    "ModelConfig",
    "RunConfig",
    "TrainConfig",
    "check_choice",
    "check_top_p",
]
