"""Fuse the modalities late: one weight per modality, shared by all classes (paper section 4.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class WeightedFusion(nn.Module):
    """Sum the modalities' logits with weights. With one modality its logits pass through unchanged."""

    def __init__(self, modalities: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((modalities,), 1.0)) if modalities > 1 else None

    def forward(self, logits_BME: Tensor, present_BM: Tensor) -> tuple[Tensor, Tensor]:
        """Fuse logits; an absent modality is dropped and the others' weights grow to the same total magnitude.

        Args:
            logits_BME: (B, M, E).
            present_BM: (B, M) bool.

        Returns:
            (B, E) fused logits and the (B, M) weights that were used.
        """
        if self.weight is None:
            return logits_BME[:, 0], torch.ones_like(present_BM, dtype=logits_BME.dtype)
        used_BM = self.weight * present_BM
        scale_B1 = self.weight.abs().sum() / used_BM.abs().sum(1, keepdim=True).clamp(min=1e-6)
        weights_BM = used_BM * scale_B1
        return (logits_BME * weights_BM[..., None]).sum(1), weights_BM
