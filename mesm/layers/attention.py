"""Cross-modal attention over the active sites of a map: section 4.3.1 of the paper.

Shape legend: S segments, H W map, N active sites, C channels, K attention width, D width of the query.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mesm.sparse.sites import SparseMap


class CrossModalAttention(nn.Module):
    """`M_i = softmax(W_i tanh((W_m M + b_m) + W_q q))` over the active sites of each segment, in float32.

    The paper's last bias b_i is left out: a softmax does not see it, so it can have no gradient. With
    score="additive_bilinear" the logit gains GroupNorm(M) . U q / sqrt(C), U starting at 0, which lets the query point
    at a direction of the features; the sum inside the tanh alone cannot be steered that way.

    Args:
        channels: C of the map.
        query_dim: D of the query.
        width: K of the hidden layer.
        query: whether there is a query; without one the W_q and U terms do not exist.
        bilinear: whether to add the bilinear term.
    """

    def __init__(
        self, channels: int, query_dim: int, width: int, *, query: bool = True, bilinear: bool = False
    ) -> None:
        super().__init__()
        self.map_projection = nn.Linear(channels, width)
        self.query_projection = nn.Linear(query_dim, width, bias=False) if query else None
        self.score = nn.Linear(width, 1, bias=False)
        self.bilinear = nn.Linear(query_dim, channels, bias=False) if query and bilinear else None
        if self.bilinear is not None:
            nn.init.zeros_(self.bilinear.weight)

    def forward(self, maps: SparseMap, query_SD: Tensor | None) -> Tensor:
        """Attention of every site.

        Args:
            maps: features at the active sites.
            query_SD: (S, D) one query per segment; ignored, and may be None, without a query term.

        Returns:
            (S, H, W) float32: each segment sums to 1 over its active sites and is 0 elsewhere; all 0 without a site.
        """
        with torch.autocast(maps.features_NC.device.type, enabled=False):
            logits_N = self._logits(maps, query_SD)
            s, h, w = maps.shape
            grid = logits_N.new_full((s * h * w,), float("-inf")).index_copy(0, maps.rows_N, logits_N)
            attention = grid.view(s, h * w).softmax(1).view(s, h, w)
            return torch.where(maps.mask_SHW, attention, 0.0)

    def _logits(self, maps: SparseMap, query_SD: Tensor | None) -> Tensor:
        dtype = self.map_projection.weight.dtype
        features_NC, segment_N = maps.features_NC.to(dtype), maps.sites_N3[:, 0]
        hidden_NK = self.map_projection(features_NC)
        if self.query_projection is not None:
            assert query_SD is not None, "this attention has a query term"
            query_SD = query_SD.to(dtype)
            hidden_NK = hidden_NK + self.query_projection(query_SD).index_select(0, segment_N)
        logits_N = self.score(torch.tanh(hidden_NK))[:, 0]
        if self.bilinear is not None:
            assert query_SD is not None
            logits_N = logits_N + _normalised_dot(maps, features_NC, self.bilinear(query_SD))
        return logits_N


def _normalised_dot(maps: SparseMap, features_NC: Tensor, direction_SC: Tensor, eps: float = 1e-5) -> Tensor:
    """(N,) GroupNorm(M) . direction / sqrt(C), one group per segment over its whole map, inactive sites being 0."""
    s, h, w = maps.shape
    channels = features_NC.shape[1]
    segment_N = maps.sites_N3[:, 0]
    sums_N2 = torch.stack([features_NC.sum(1), features_NC.square().sum(1)], 1)
    moments_S2 = sums_N2.new_zeros(s, 2).index_add(0, segment_N, sums_N2) / (channels * h * w)
    mean_S = moments_S2[:, 0]
    scale_S = torch.rsqrt((moments_S2[:, 1] - mean_S.square()).clamp(min=0) + eps) / channels**0.5
    dot_N = (features_NC * direction_SC.index_select(0, segment_N)).sum(1)
    return (dot_N - (mean_S * direction_SC.sum(1))[segment_N]) * scale_S[segment_N]


def gate_values(
    gate: str, attention_N: Tensor, kept_N: Tensor, segment_N: Tensor, segments: int, clip: float
) -> Tensor:
    """The factor on each active site's features.

    Args:
        gate: `hard` (0 or 1, no gradient: the paper), `straight_through` (0 or 1, gradient of the attention rescaled to
            mean 1 over the active sites), `soft` (attention rescaled to mean 1 over the kept sites, at most `clip`; 0
            at the others), `soft_straight_through` (soft, and the straight-through gradient at the sites left out).
        attention_N: (N,) attention of the active sites.
        kept_N: (N,) bool, the nucleus.
        segment_N: (N,) segment of each site.
        segments: S.
        clip: largest soft factor.

    Returns:
        (N,) factors; 0 in value at every site that is not kept.
    """
    kept = kept_N.to(attention_N.dtype)
    if gate == "hard":
        return kept

    def per_segment(values_N: Tensor) -> Tensor:
        return values_N.new_zeros(segments).index_add(0, segment_N, values_N)

    active_S = per_segment(torch.ones_like(kept))
    relative_N = attention_N * active_S[segment_N]
    if gate == "straight_through":
        return kept + relative_N - relative_N.detach()
    mean_S = per_segment(attention_N * kept) / per_segment(kept).clamp(min=1)
    soft_N = (attention_N / mean_S.clamp(min=torch.finfo(mean_S.dtype).tiny)[segment_N] * kept).clamp(max=clip)
    if gate == "soft":
        return soft_N
    left_out_N = relative_N * (1 - kept)
    return soft_N + left_out_N - left_out_N.detach()
