"""The smallest model that has every part."""

from __future__ import annotations

from mesm.config import MESMConfig
from mesm.vocabulary import CORPUS_LABELS

CONFIG = MESMConfig(
    labels=CORPUS_LABELS["marionette"],
    width=0.125,
    head_dim=16,
    transformer_dim=16,
    transformer_layers=1,
    transformer_feedforward=16,
    dropout=0.0,
)
