"""Compute MESM's sparse blocks as dense masked operations, for graphs that other runtimes run (ONNX).

Every convolution runs at every site, and what is not kept is set to zero behind it: the scores of `SparseVGG`, none of the
saved work. All shapes are fixed, and no operation depends on how many sites are kept.

Shape legend: S segments, C channels, H W map, L = H * W sites, D width of the query.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mesm.layers.attention import CrossModalAttention, gate_values
from mesm.layers.sparse_vgg import SparseVGG


def masked_blocks(
    cnn: SparseVGG, stem_SCHW: Tensor, query_SD: Tensor | None, top_p: float, active_SHW: Tensor
) -> Tensor:
    """Compute the last map from the stem's, as `SparseVGG.sparse_part` does.

    Args:
        cnn: in inference.
        stem_SCHW: of `cnn.stem`.
        query_SD: (S, D) the query of each segment; None where the config has none.
        top_p: nucleus mass in (0, 1].
        active_SHW: (S, H, W) bool, the sites to choose from.

    Returns:
        (S, C, H / 8, W / 8), zeros at inactive sites.
    """
    gate = "soft" if cnn.config.gate.startswith("soft") else "hard"  # a straight-through gate differs in its gradient
    maps_SCHW = stem_SCHW * active_SHW[:, None]
    for attention, steps in cnn.sparse_blocks():
        attention_SHW = _attend(attention, maps_SCHW, query_SD, active_SHW)
        kept_SHW = _nucleus(attention_SHW, active_SHW, top_p)
        maps_SCHW = maps_SCHW * gate_values(gate, attention_SHW, kept_SHW, active_SHW, cnn.config.gate_clip)[:, None]
        for step in steps:
            maps_SCHW = step(maps_SCHW) * kept_SHW[:, None]
        maps_SCHW = F.max_pool2d(maps_SCHW, 2)  # after a ReLU a zero never wins
        active_SHW = F.max_pool2d(kept_SHW[:, None].to(maps_SCHW.dtype), 2)[:, 0] > 0
    return maps_SCHW


def _attend(
    attention: CrossModalAttention, maps_SCHW: Tensor, query_SD: Tensor | None, active_SHW: Tensor, eps: float = 1e-5
) -> Tensor:
    """Compute the attention of `CrossModalAttention` on maps that are zero at inactive sites."""
    x_SLC, active_SL = maps_SCHW.flatten(2).transpose(1, 2), active_SHW.flatten(1)
    hidden_SLK = attention.map_projection(x_SLC)
    if attention.query_projection is not None:
        hidden_SLK = hidden_SLK + attention.query_projection(query_SD)[:, None]
    logits_SL = attention.score(hidden_SLK.tanh())[..., 0]
    if attention.bilinear is not None:
        mean_S11 = x_SLC.mean((1, 2), keepdim=True)
        variance_S11 = x_SLC.square().mean((1, 2), keepdim=True) - mean_S11.square()
        normal_SLC = (x_SLC - mean_S11) * torch.rsqrt(variance_S11.clamp(min=0) + eps)
        dot_SL = (normal_SLC @ attention.bilinear(query_SD)[..., None])[..., 0]
        logits_SL = logits_SL + dot_SL / x_SLC.shape[2] ** 0.5
    mass_SL = logits_SL.masked_fill(~active_SL, float("-inf")).softmax(1)
    return torch.where(active_SL, mass_SL, torch.zeros_like(mass_SL)).view_as(active_SHW)


def _nucleus(attention_SHW: Tensor, active_SHW: Tensor, top_p: float) -> Tensor:
    """Select the sites of `nucleus_mask`: sorting, sums and comparisons only; ties in the order (y, x)."""
    if top_p == 1:
        return active_SHW
    mass_SL = attention_SHW.flatten(1)
    falling_SL = mass_SL.topk(int(mass_SL.shape[1]), dim=1).values.double()
    count_S1 = (falling_SL.cumsum(1) - falling_SL < top_p).sum(1, keepdim=True)
    least_S1 = falling_SL.gather(1, count_S1 - 1).to(mass_SL.dtype)
    above_SL, tied_SL = mass_SL > least_S1, mass_SL == least_S1
    room_S1 = count_S1 - above_SL.sum(1, keepdim=True)
    kept_SL = above_SL | (tied_SL & (tied_SL.long().cumsum(1) <= room_S1))
    return kept_SL.view_as(active_SHW) & active_SHW
