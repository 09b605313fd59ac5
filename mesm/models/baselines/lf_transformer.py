"""Compute LF-TRANS: a Transformer with a CLS per modality and late fusion (the authors' LF_Transformer)."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from mesm.config import FeatureModelConfig
from mesm.layers.transformer import SequenceTransformer
from mesm.models.baselines.base import LateFusion, affine

#: Heads in the authors' code, where the widths are 300, 35 and 144.
_HEADS = {"text": 4, "visual": 5, "acoustic": 2}


def heads(modality: str, dim: int) -> int:
    """Return the authors' number of heads where it divides the width, else the largest below it that does."""
    return next(n for n in (_HEADS[modality], 5, 4, 3, 2, 1) if n <= _HEADS[modality] and dim % n == 0)


class TransformerBranch(nn.Module):
    """Compute a Transformer as wide as the features, then two linear layers on its CLS."""

    def __init__(self, modality: str, dim: int, config: FeatureModelConfig) -> None:
        super().__init__()
        self.transformer = SequenceTransformer(
            replace(config, transformer_dim=dim, transformer_heads=heads(modality, dim))
        )
        self.affine = affine(dim, config)

    def forward(self, rows_RF: Tensor, counts_B: Tensor) -> Tensor:
        """Compute (B, E) logits from (R, F) features and (B,) counts."""
        return self.affine(self.transformer(rows_RF, counts_B))


class LFTransformer(LateFusion):
    """Compute the late-fusion Transformer on hand-crafted features."""

    network = TransformerBranch
