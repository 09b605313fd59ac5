"""MESM: cross-modal attention chooses the positions that a sparse CNN computes (paper, section 4.3)."""

from mesm.models.base import EmotionModel


class MESM(EmotionModel):
    """Three cross-modal sparse CNN blocks per branch; the text's vector is the query."""

    sparse = True
