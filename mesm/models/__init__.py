"""Models: scores from a `Batch`; they never see a file, a data set or a screen."""

from mesm.models.base import EmotionModel
from mesm.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from mesm.models.output import ModelOutput, Prepared
from mesm.models.registry import MODELS, build_model

__all__ = [
    "MODELS",
    "Checkpoint",
    "EmotionModel",
    "ModelOutput",
    "Prepared",
    "build_model",
    "load_checkpoint",
    "save_checkpoint",
]
