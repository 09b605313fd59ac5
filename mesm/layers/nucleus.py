"""Nucleus (top-p) selection of sites: section 4.3.1 of the paper, with its corners defined."""

from __future__ import annotations

import torch
from torch import Tensor

from mesm.config import check_top_p


def nucleus_mask(attention_SHW: Tensor, active_SHW: Tensor, top_p: float) -> Tensor:
    """Per segment, the smallest set of active sites, by falling attention, whose mass reaches `top_p`.

    Args:
        attention_SHW: (S, H, W), each segment sums to 1 over its active sites and is 0 elsewhere.
        active_SHW: (S, H, W) bool, the sites to choose from.
        top_p: in (0, 1]. At 1 every active site is kept by definition, whatever the rounding of the sum.

    Returns:
        (S, H, W) bool, at least one site in every segment that has one. Equal masses are taken in the order (y, x).

    Raises:
        ConfigError: `top_p` lies outside (0, 1].
    """
    if check_top_p(top_p) == 1:
        return active_SHW
    mass = attention_SHW.detach().flatten(1).float()
    falling, order = mass.sort(dim=1, descending=True, stable=True)
    # Mass before each site, in float64 so that the sum of many small masses does not pass p too early.
    before = falling.cumsum(1, dtype=torch.float64) - falling
    kept = torch.zeros_like(mass, dtype=torch.bool).scatter_(1, order, before < top_p)
    return kept.view(active_SHW.shape) & active_SHW
