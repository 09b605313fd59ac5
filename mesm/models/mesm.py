"""Compute MESM: cross-modal attention selects the positions that a sparse CNN computes (paper, section 4.3)."""

from mesm.config import MESMConfig
from mesm.models.base import EmotionModel


class MESM(EmotionModel):
    """Compute three cross-modal sparse CNN blocks per branch; the embedding of `query_text` is the query."""

    config: MESMConfig
