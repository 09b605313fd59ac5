"""Cross-modal attention over the active sites of a map: section 4.3.1 of the paper.

Shape legend: S segments, H W map, N active sites, C channels, K attention width, D width of the query.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mesm.sparse.sites import SparseMap, compilable


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
            s, h, w = maps.sites.shape
            if maps.sites.full:
                return logits_N.view(s, h * w).softmax(1).view(s, h, w)
            grid = logits_N.new_full((s * h * w,), float("-inf")).index_copy(0, maps.sites.rows_N, logits_N)
            attention = grid.view(s, h * w).softmax(1).view(s, h, w)
            return torch.where(maps.sites.mask_SHW, attention, 0.0)

    def _logits(self, maps: SparseMap, query_SD: Tensor | None) -> Tensor:
        weight = self.map_projection.weight
        dtype = torch.promote_types(weight.dtype, torch.float32)  # a bfloat16 model too chooses its sites in float32
        features_NC, segment_N = maps.features_NC.to(dtype), maps.sites.segment_N
        # tanh(h) = 2 sigmoid(2 h) - 1: a sigmoid is 3.5 times faster, and the softmax does not see the constant.
        # The factors 2 go into the weights and the query's term, which are smaller than the map.
        weight_KC, score_K = 2 * weight.to(dtype), 2 * self.score.weight[0].to(dtype)
        shift_SK = 2 * self.map_projection.bias.to(dtype).expand(maps.sites.shape[0], -1)
        direction_SC = None
        if self.query_projection is not None:
            assert query_SD is not None, "this attention has a query term"
            query_SD = query_SD.to(dtype)
            shift_SK = shift_SK + 2 * F.linear(query_SD, self.query_projection.weight.to(dtype))
            if self.bilinear is not None:
                direction_SC = F.linear(query_SD, self.bilinear.weight.to(dtype))
        inputs = features_NC, segment_N, weight_KC, shift_SK, score_K, direction_SC
        if compilable(features_NC) and not torch.is_grad_enabled():
            from mesm.sparse.compiled_attention import sigmoid_scores

            logits_N, sums_N3 = sigmoid_scores(*inputs)
        else:
            logits_N, sums_N3 = _sigmoid_scores(*inputs)
        if direction_SC is None or sums_N3 is None:
            return logits_N
        return logits_N + _normalised_dot(maps, sums_N3, direction_SC)


def _sigmoid_scores(
    features_NC: Tensor,
    segment_N: Tensor,
    weight_KC: Tensor,
    shift_SK: Tensor,
    score_K: Tensor,
    direction_SC: Tensor | None,
) -> tuple[Tensor, Tensor | None]:
    """`compiled_attention.sigmoid_scores` in torch: for any device and type, and with gradients."""
    hidden_NK = F.linear(features_NC, weight_KC)
    hidden_NK += shift_SK.index_select(0, segment_N)
    logits_N = F.linear(hidden_NK.sigmoid_(), score_K[None])[:, 0]
    if direction_SC is None:
        return logits_N, None
    dot_N = (features_NC * direction_SC.index_select(0, segment_N)).sum(1)
    return logits_N, torch.stack([features_NC.sum(1), features_NC.square().sum(1), dot_N], 1)


def _normalised_dot(maps: SparseMap, sums_N3: Tensor, direction_SC: Tensor, eps: float = 1e-5) -> Tensor:
    """(N,) GroupNorm(M) . direction / sqrt(C), one group per segment over its whole map, inactive sites being 0."""
    s, h, w = maps.sites.shape
    channels, segment_N = direction_SC.shape[1], maps.sites.segment_N
    moments_S2 = sums_N3.new_zeros(s, 2).index_add(0, segment_N, sums_N3[:, :2]) / (channels * h * w)
    mean_S = moments_S2[:, 0]
    scale_S = torch.rsqrt((moments_S2[:, 1] - mean_S.square()).clamp(min=0) + eps) / channels**0.5
    return (sums_N3[:, 2] - (mean_S * direction_SC.sum(1))[segment_N]) * scale_S[segment_N]


def gate_values(gate: str, attention_SHW: Tensor, kept_SHW: Tensor, active_SHW: Tensor, clip: float) -> Tensor:
    """The factor on each active site's features.

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
