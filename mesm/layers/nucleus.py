"""Select sites by nucleus (top-p): section 4.3.1 of the paper, with its corner cases defined."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mesm.config import check_top_p
from mesm.errors import DataError
from mesm.sparse.sites import NAN_ATTENTION


def nucleus_mask(attention_SHW: Tensor, active_SHW: Tensor, top_p: float) -> Tensor:
    """Select per segment the smallest set of active sites, by falling attention, whose mass reaches `top_p`.

    Args:
        attention_SHW: (S, H, W), each segment sums to 1 over its active sites and is 0 elsewhere.
        active_SHW: (S, H, W) bool, the sites to choose from.
        top_p: in (0, 1]. At 1 every active site is kept by definition, whatever the rounding of the sum.

    Returns:
        (S, H, W) bool, at least one site in every segment that has one. Equal masses are taken in the order (y, x).

    Raises:
        ConfigError: `top_p` lies outside (0, 1].
        DataError: an attention that is not a number, because features or query are not.

    Examples:
        >>> attention = torch.tensor([[[0.5, 0.3], [0.15, 0.05]]])
        >>> nucleus_mask(attention, torch.ones(1, 2, 2, dtype=torch.bool), 0.7)
        tensor([[[ True,  True],
                 [False, False]]])
    """
    if check_top_p(top_p) == 1:
        return active_SHW
    mass_SL = attention_SHW.detach().flatten(1).float()
    if not mass_SL.numel():
        return active_SHW
    falling_SL = _sorted_down(mass_SL)
    if bool(falling_SL[:, 0].isnan().any()):  # sorting puts them first
        raise DataError(NAN_ATTENTION)
    # Mass before each site, in float64 so that the sum of many small masses does not pass p too early.
    count_S1 = ((falling_SL.cumsum(1, dtype=torch.float64) - falling_SL) < top_p).sum(1, keepdim=True)
    least_S1 = falling_SL.gather(1, count_S1 - 1)
    kept_SL = mass_SL >= least_S1
    # On a GPU ties are always broken: asking whether there are any would wait for it.
    if mass_SL.is_cuda or bool((kept_SL.sum(1, keepdim=True) > count_S1).any()):
        above_SL = mass_SL > least_S1
        tied_SL = kept_SL & ~above_SL
        room_S1 = count_S1 - above_SL.sum(1, keepdim=True)
        kept_SL = above_SL | (tied_SL & (tied_SL.cumsum(1) <= room_S1))
    return kept_SL.view(active_SHW.shape) & active_SHW


def _sorted_down(mass_SL: Tensor) -> Tensor:
    """Sort rows in falling order; on a CPU by numpy, whose sort of values is ten times faster than torch's with places."""
    if mass_SL.device.type == "cpu":
        return torch.from_numpy(np.sort(mass_SL.numpy(), axis=1)[:, ::-1].copy())
    return mass_SL.sort(dim=1, descending=True).values
