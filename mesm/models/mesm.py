"""Compute MESM: cross-modal attention selects the positions that a sparse CNN computes (paper, section 4.3)."""

from torch import Tensor

from mesm.batch import Batch
from mesm.config import MESMConfig
from mesm.errors import DataError
from mesm.models.base import EmotionModel


class MESM(EmotionModel):
    """Compute three cross-modal sparse CNN blocks per branch; the transcript's embedding is the query."""

    config: MESMConfig

    def check_present(self, batch: Batch, present_BM: Tensor) -> None:
        """Refuse a clip without a transcript, which is the query of its face and its voice."""
        if not bool(batch.has_text.all()):
            clip = batch.clip_ids[int((~batch.has_text).nonzero()[0])]
            raise DataError(
                f"clip {clip!r} has no transcript; the text is MESM's query of face and voice: type or transcribe it"
            )
        super().check_present(batch, present_BM)
