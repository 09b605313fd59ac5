"""Build the two-phase baselines of the paper's Tables 3 and 4: models on hand-crafted features.

Start with `base.py` (`FeatureModel`, `LateFusion`). `lf_lstm.py`, `lf_transformer.py`, `emo_embs.py` and `mult.py` hold
one model each; `mesm.data.features` computes their inputs.
"""

from mesm.models.baselines.base import FeatureModel
from mesm.models.baselines.emo_embs import EmoEmbs
from mesm.models.baselines.lf_lstm import LFLSTM
from mesm.models.baselines.lf_transformer import LFTransformer
from mesm.models.baselines.mult import MulT

__all__ = ["LFLSTM", "EmoEmbs", "FeatureModel", "LFTransformer", "MulT"]
