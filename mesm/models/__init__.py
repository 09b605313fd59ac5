"""Compute scores: a `Batch` in, a `ModelOutput` of tensors out; no file of clips, no corpus, no screen.

Start with `scorer.py` (the interface: `inputs`, `prepare`, `finish`) and `base.py` (FE2E and MESM). `encoders.py` has
their branches, `baselines/` the two-phase models on hand-crafted features, `registry.py` all of them by name,
`checkpoint.py` the folders that hold trained ones, `card.py` their model cards, `convert.py` the authors' weights.
"""

from mesm.models.base import EmotionModel
from mesm.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from mesm.models.inputs import Features, FrozenText, Inputs, TokenText
from mesm.models.output import ModelOutput, Prepared, PreparedFeatures
from mesm.models.registry import MODELS, build_model
from mesm.models.scorer import AnyScorer, Scorer

__all__ = [
    "MODELS",
    "AnyScorer",
    "Checkpoint",
    "EmotionModel",
    "Features",
    "FrozenText",
    "Inputs",
    "ModelOutput",
    "Prepared",
    "PreparedFeatures",
    "Scorer",
    "TokenText",
    "build_model",
    "load_checkpoint",
    "save_checkpoint",
]
