"""Encode the sequence of faces or mel chunks with a Transformer: a learned CLS, optional positions, a padding mask."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mesm.config import ModelConfig
from mesm.errors import DataError


def segments_to_sequences(segments_SD: Tensor, counts_B: Tensor) -> tuple[Tensor, Tensor]:
    """Lay flat segments out as padded sequences.

    Args:
        segments_SD: (S, D), utterance after utterance.
        counts_B: (B,) segments of each utterance; 0 is allowed.

    Returns:
        (B, L, D) with zeros as padding, and (B, L) bool, True where a segment is; L is the longest count.
    """
    longest = int(counts_B.max()) if len(counts_B) else 0
    present_BL = torch.arange(longest, device=counts_B.device)[None] < counts_B[:, None]
    sequences_BLD = segments_SD.new_zeros(len(counts_B), longest, segments_SD.shape[1])
    return sequences_BLD.masked_scatter(present_BL[..., None], segments_SD), present_BL


class SequenceTransformer(nn.Module):
    """Summarise each utterance's segments in one vector (the CLS position; paper, section 4.2)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        dim = config.transformer_dim
        self.max_segments = config.max_segments
        self.cls = nn.Parameter(torch.randn(dim) * 0.02)
        self.positions = nn.Parameter(torch.randn(config.max_segments + 1, dim) * 0.02) if config.positions else None
        layer = nn.TransformerEncoderLayer(
            dim, config.transformer_heads, config.transformer_feedforward, config.dropout, batch_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, config.transformer_layers, enable_nested_tensor=False)

    def forward(self, segments_SD: Tensor, counts_B: Tensor) -> Tensor:
        """Encode (S, D) segments with (B,) counts as (B, D); an utterance without segments has the vector of CLS alone.

        Raises:
            DataError: an utterance has more than `max_segments` segments.
        """
        sequences_BLD, present_BL = segments_to_sequences(segments_SD, counts_B)
        if sequences_BLD.shape[1] > self.max_segments:
            raise DataError(
                f"a clip has {sequences_BLD.shape[1]} segments, the model takes {self.max_segments}; cut it into shorter "
                "clips, or train with a larger max_segments"
            )
        batch = len(counts_B)
        cls_B1D = self.cls.to(sequences_BLD.dtype).expand(batch, 1, -1)
        x_BLD = torch.cat([cls_B1D, sequences_BLD], 1)
        if self.positions is not None:
            x_BLD = x_BLD + self.positions[: x_BLD.shape[1]].to(x_BLD.dtype)
        padding_BL = torch.cat([present_BL.new_zeros(batch, 1), ~present_BL], 1)
        return self.encoder(x_BLD, src_key_padding_mask=padding_BL)[:, 0]
