"""Compute MulT: pairwise cross-modal Transformers on unaligned sequences.

Tsai, Bai, Liang, Kolter, Morency and Salakhutdinov 2019, "Multimodal Transformer for Unaligned Multimodal Language
Sequences" (ACL). Every modality attends to every other one: its rows are the queries, the other's the keys and values.
Then a Transformer over each enriched sequence, and a residual block over their last rows. As in the published code but
for its mask of later rows, which the paper does not have.

Shape legend: R rows, F columns, L longest sequence of one modality, D width.
"""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mesm.config import FeatureModelConfig
from mesm.layers.text import TextEncoder
from mesm.layers.transformer import segments_to_sequences
from mesm.models.baselines.base import FeatureModel
from mesm.models.output import ModelOutput, PreparedFeatures

WIDTH, _HEADS, MEMORY_LAYERS = 40, 5, 3


def sinusoids(length: int, dim: int, device: torch.device) -> Tensor:
    """Return (length, dim) positions of Vaswani et al. 2017, sines in the first half, cosines in the second."""
    rate = torch.exp(torch.arange(dim // 2, device=device) * (-math.log(10_000) / max(dim // 2 - 1, 1)))
    angle = torch.arange(1, length + 1, device=device)[:, None] * rate
    return F.pad(torch.cat([angle.sin(), angle.cos()], 1), (0, dim % 2))


class CrossLayer(nn.Module):
    """Compute layer norm, attention of one sequence to another, residual; layer norm, two linear layers, residual."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attention = nn.MultiheadAttention(dim, _HEADS, dropout, batch_first=True)
        self.feedforward = nn.Sequential(
            nn.Linear(dim, 4 * dim), nn.ReLU(), nn.Dropout(dropout), nn.Linear(4 * dim, dim), nn.Dropout(dropout)
        )

    def forward(self, x_BLD: Tensor, source_BLD: Tensor, padding_BL: Tensor) -> Tensor:
        """Attend from (B, L, D) to (B, L', D), whose padding is True in (B, L'); return (B, L, D)."""
        source_BLD = self.norm1(source_BLD)
        attended_BLD, _ = self.attention(self.norm1(x_BLD), source_BLD, source_BLD, padding_BL, need_weights=False)
        x_BLD = x_BLD + attended_BLD
        return x_BLD + self.feedforward(self.norm2(x_BLD))


class CrossTransformer(nn.Module):
    """Compute the layers in which a sequence attends to another one, the same in every layer, or to itself."""

    def __init__(self, dim: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(CrossLayer(dim, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)

    def forward(self, x_BLD: Tensor, source_BLD: Tensor | None, padding_BL: Tensor) -> Tensor:
        """Return (B, L, D) of the same shape; with `source_BLD` None the sequence attends to itself."""
        x_BLD = self._placed(x_BLD)
        source_BLD = None if source_BLD is None else self._placed(source_BLD)
        for layer in self.layers:
            x_BLD = layer(x_BLD, x_BLD if source_BLD is None else source_BLD, padding_BL)
        return self.norm(x_BLD)

    @staticmethod
    def _placed(x_BLD: Tensor) -> Tensor:
        return math.sqrt(x_BLD.shape[2]) * x_BLD + sinusoids(x_BLD.shape[1], x_BLD.shape[2], x_BLD.device)


class MulT(FeatureModel):
    """Compute cross-modal Transformers on hand-crafted features; the modalities have no scores of their own."""

    has_branches = False

    def __init__(self, config: FeatureModelConfig, text_encoder: TextEncoder | None = None) -> None:
        super().__init__(config, text_encoder)
        names = config.modalities
        self.projection = nn.ModuleDict({m: nn.Linear(dim, WIDTH, bias=False) for m, dim in self.dims.items()})
        self.cross = nn.ModuleDict(
            {
                f"{a}_asks_{b}": CrossTransformer(WIDTH, config.transformer_layers, config.dropout)
                for a in names
                for b in names
                if a != b
            }
        )
        width = WIDTH * max(len(names) - 1, 1)
        layers = max(config.transformer_layers, MEMORY_LAYERS)
        self.memory = nn.ModuleDict({m: CrossTransformer(width, layers, config.dropout) for m in names})
        total = width * len(names)
        self.inner, self.outer = nn.Linear(total, total), nn.Linear(total, total)
        self.dropout = nn.Dropout(config.dropout)
        self.out = nn.Linear(total, len(config.labels))

    def finish(self, prepared: PreparedFeatures, top_p: float | None = None, trace: bool = False) -> ModelOutput:
        """Compute the scores from `prepare`'s rows; top_p and trace have no effect."""
        names = self.config.modalities
        sequences, padding = {}, {}
        for name in names:
            # A clip without the modality has one row of zeros: an attention needs a key.
            counts_B = prepared.counts[name]
            rows_BLF, _ = segments_to_sequences(prepared.rows[name], counts_B)
            rows_BLF = rows_BLF if rows_BLF.shape[1] else rows_BLF.new_zeros(len(counts_B), 1, self.dims[name])
            sequences[name] = self.projection[name](self.dropout(rows_BLF) if name == "text" else rows_BLF)
            steps = torch.arange(rows_BLF.shape[1], device=rows_BLF.device)
            padding[name] = steps[None] >= counts_B.clamp(min=1)[:, None]
        last = []
        for i, name in enumerate(names):
            attended = [self._attend(name, other, sequences, padding) for other in names if other != name]
            enriched_BLD = self.memory[name](torch.cat(attended or [sequences[name]], 2), None, padding[name])
            ends_B = prepared.counts[name].clamp(min=1) - 1
            end_BD = enriched_BLD[torch.arange(len(ends_B), device=ends_B.device), ends_B]
            last.append(end_BD * prepared.present_BM[:, i, None])
        joined_BD = torch.cat(last, 1)
        joined_BD = joined_BD + self.outer(self.dropout(F.relu(self.inner(joined_BD))))
        fused_BE = self.out(joined_BD)
        no_weights_BM = torch.zeros_like(prepared.present_BM, dtype=fused_BE.dtype)
        per_modality = fused_BE.new_zeros(len(fused_BE), len(names), fused_BE.shape[1])
        return ModelOutput(fused_BE, per_modality, prepared.present_BM, no_weights_BM)

    def _attend(self, name: str, other: str, sequences: dict[str, Tensor], padding: dict[str, Tensor]) -> Tensor:
        network = cast(CrossTransformer, self.cross[f"{name}_asks_{other}"])
        return network(sequences[name], sequences[other], padding[other])
