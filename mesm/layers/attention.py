"""Compute the cross-modal attention over the active sites of a map: section 4.3.1 of the paper.

Shape legend: S segments, H W map, N active sites, C channels, K attention width, D width of the query.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mesm.errors import DataError
from mesm.layers.versioned_cache import VersionedCache
from mesm.sparse.sites import SparseMap, can_use_numba

if TYPE_CHECKING:  # numba takes a second to load
    from mesm.sparse.compiled_attention import AttentionWeights, Panels


class CrossModalAttention(nn.Module):
    """Compute `M_i = softmax(W_i tanh((W_m M + b_m) + W_q q))` over the active sites of each segment, in float32.

    The paper's last bias b_i is left out: a softmax is invariant to it, so its gradient is 0. With
    score="additive_bilinear" the logit gains GroupNorm(M) . U q / sqrt(C), U starting at 0, by which the query selects a
    direction of the features; in the sum inside the tanh query and features do not interact but through its curvature.

    Args:
        channels: C of the map.
        query_dim: D of the query.
        width: K of the hidden layer.
        query: whether the terms W_q and U exist.
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
        self._packed: VersionedCache[AttentionWeights] = VersionedCache()

    def forward(self, maps: SparseMap, query_SD: Tensor | None, cache: VersionedCache[Tensor] | None = None) -> Tensor:
        """Compute the attention of every site.

        Args:
            maps: features at the active sites.
            query_SD: (S, D) one query per segment; ignored, and may be None, without a query term.
            cache: result of an earlier call with the same maps and query, used again while the weights are unchanged.

        Returns:
            (S, H, W) float32: each segment sums to 1 over its active sites and is 0 elsewhere; all 0 without a site.

        Raises:
            DataError: features or queries of another width than the weights', or another number of queries than segments.
        """
        self.check(maps.features_NC.shape[1], maps.sites.shape[0], query_SD)
        if cache is not None:
            return cache.get(self.sources(), lambda: self._attend(maps, query_SD))
        return self._attend(maps, query_SD)

    def sources(self) -> tuple[Tensor, ...]:
        """Return the parameters, for a `VersionedCache`; `parameters()` takes ten times as long."""
        layers = (self.map_projection, self.query_projection, self.score, self.bilinear)
        return tuple(p for layer in layers if layer is not None for p in layer._parameters.values() if p is not None)

    def check(self, channels: int, segments: int, query_SD: Tensor | None) -> None:
        """Check that features and queries of so many segments fit the weights; see `forward` for the errors."""
        if channels != self.map_projection.in_features:
            raise DataError(f"features of {channels} channels; this attention reads {self.map_projection.in_features}")
        if self.query_projection is None:
            return
        shape = None if query_SD is None else tuple(query_SD.shape)
        if shape != (segments, self.query_projection.in_features):
            raise DataError(
                f"queries of {shape}; this attention needs one per segment: {(segments, self.query_projection.in_features)}"
            )

    def _attend(self, maps: SparseMap, query_SD: Tensor | None) -> Tensor:
        with torch.autocast(maps.features_NC.device.type, enabled=False):
            dtype = torch.promote_types(self.score.weight.dtype, torch.float32)
            features_NC = maps.features_NC.to(dtype)  # a bfloat16 model selects its sites in float32 too
            query_SD = None if query_SD is None else query_SD.to(dtype)
            if can_use_numba(features_NC) and not torch.is_grad_enabled():
                packed = self._packed.get(self.sources(), self.pack)
                compiled = packed.under(query_SD, maps.sites.shape[0])
                return torch.from_numpy(compiled(features_NC.contiguous().numpy(), maps.sites.mask_array))
            logits_N = self._logits(maps, features_NC, query_SD)
            s, h, w = maps.sites.shape
            if maps.sites.full:
                return logits_N.view(s, h * w).softmax(1).view(s, h, w)
            grid = logits_N.new_full((s * h * w,), float("-inf")).index_copy(0, maps.sites.rows_N, logits_N)
            attention = grid.view(s, h * w).softmax(1).view(s, h, w)
            return torch.where(maps.sites.mask_SHW, attention, 0.0)

    def train(self, mode: bool = True) -> Self:
        """Set the mode as `nn.Module.train` does, and drop the packed weights."""
        self._packed.clear()
        return super().train(mode)

    def _logits(self, maps: SparseMap, features_NC: Tensor, query_SD: Tensor | None) -> Tensor:
        # tanh(h) = 2 sigmoid(2 h) - 1: a sigmoid is 3.5 times faster, and the softmax is invariant to the constant.
        # The factors 2 go into the weights and the query's term, which are smaller than the map.
        dtype = features_NC.dtype
        shift_SK = 2 * self.map_projection.bias.to(dtype).expand(maps.sites.shape[0], -1)
        if self.query_projection is not None:
            assert query_SD is not None
            shift_SK = shift_SK + 2 * F.linear(query_SD, self.query_projection.weight.to(dtype))
        hidden_NK = F.linear(features_NC, 2 * self.map_projection.weight.to(dtype))
        hidden_NK += shift_SK.index_select(0, maps.sites.segment_N)
        logits_N = F.linear(hidden_NK.sigmoid_(), 2 * self.score.weight.to(dtype))[:, 0]
        if self.bilinear is None:
            return logits_N
        assert query_SD is not None
        return logits_N + _normalised_dot(maps, features_NC, F.linear(query_SD, self.bilinear.weight.to(dtype)))

    def pack(self) -> AttentionWeights:
        """Pack the weights for the compiled loops, with the factors 2 of a sigmoid in the place of the tanh."""
        from mesm.sparse.compiled_attention import AttentionWeights, Panels

        def packed(layer: nn.Linear | None, factor: float) -> Panels | None:
            return None if layer is None else Panels.of(factor * layer.weight.detach().float())

        weight = Panels.of(2 * self.map_projection.weight.detach().float())
        query, direction = packed(self.query_projection, 2), packed(self.bilinear, 1)
        bias_K, score_K = (
            F.pad(2 * v.detach().float(), (0, -weight.width % Panels.lanes)).numpy()
            for v in (self.map_projection.bias, self.score.weight[0])
        )
        return AttentionWeights(weight, query, direction, bias_K, score_K)


def _normalised_dot(maps: SparseMap, features_NC: Tensor, direction_SC: Tensor, eps: float = 1e-5) -> Tensor:
    """Return (N,) GroupNorm(M) . direction / sqrt(C), one group per segment over its whole map, inactive sites being 0."""
    s, h, w = maps.sites.shape
    channels, segment_N = direction_SC.shape[1], maps.sites.segment_N
    dot_N = (features_NC * direction_SC.index_select(0, segment_N)).sum(1)
    sums_N2 = torch.stack([features_NC.sum(1), features_NC.square().sum(1)], 1)
    moments_S2 = sums_N2.new_zeros(s, 2).index_add(0, segment_N, sums_N2) / (channels * h * w)
    mean_S = moments_S2[:, 0]
    scale_S = torch.rsqrt((moments_S2[:, 1] - mean_S.square()).clamp(min=0) + eps) / channels**0.5
    return (dot_N - (mean_S * direction_SC.sum(1))[segment_N]) * scale_S[segment_N]


def gate_values(gate: str, attention_SHW: Tensor, kept_SHW: Tensor, active_SHW: Tensor, clip: float) -> Tensor:
    """Compute the factor on each active site's features.

    Args:
        gate: `hard` (0 or 1, no gradient: the paper), `straight_through` (0 or 1, gradient of the attention rescaled to
            mean 1 over the active sites), `soft` (attention rescaled to mean 1 over the kept sites, at most `clip`; 0
            at the others), `soft_straight_through` (soft, and the straight-through gradient at the sites left out).
        attention_SHW: (S, H, W) attention, 0 at inactive sites.
        kept_SHW: (S, H, W) bool, the nucleus.
        active_SHW: (S, H, W) bool, the sites to choose from.
        clip: largest soft factor.

    Returns:
        (S, H, W) factors; 0 in value at every site that is not kept.
    """
    kept = kept_SHW.to(attention_SHW.dtype)
    if gate == "hard":
        return kept
    relative = attention_SHW * active_SHW.sum((1, 2), keepdim=True)
    if gate == "straight_through":
        return kept + relative - relative.detach()
    chosen = attention_SHW * kept
    mean = chosen.sum((1, 2), keepdim=True) / kept.sum((1, 2), keepdim=True).clamp(min=1)
    soft = (chosen / mean.clamp(min=torch.finfo(mean.dtype).tiny)).clamp(max=clip)
    if gate == "soft":
        return soft
    left_out = relative * (1 - kept)
    return soft + left_out - left_out.detach()
