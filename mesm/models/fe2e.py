"""Compute FE2E, the fully end-to-end dense model (paper, section 4.2)."""

from mesm.models.base import EmotionModel


class FE2E(EmotionModel):
    """Compute a dense CNN per face and mel chunk: every position is computed, and there is no attention to trace."""
