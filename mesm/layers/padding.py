"""Locate the padding of a clip's last mel chunk: columns after the end of the sound, which hold nothing to attend to."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mesm.batch import MEL_FLOOR

#: log10 power of a column without sound, with room for its rounding.
_EMPTY = math.log10(MEL_FLOOR) + 1e-3


def sound_columns(mels_SCHW: Tensor, counts_B: Tensor) -> Tensor:
    """Return (S, hops) bool: False in the columns of each clip's last chunk that lie after the end of the sound.

    Digital silence at a clip's end equals padding and counts as such; a last chunk of nothing else stays True.

    Args:
        mels_SCHW: (S, 1, bands, hops) log10 mel power, one clip's chunks after the other; not normalised.
        counts_B: (B,) chunks of each clip.
    """
    columns_SW = torch.ones_like(mels_SCHW[:, 0, 0], dtype=torch.bool)
    last_B = counts_B.to(mels_SCHW.device).cumsum(0)[counts_B.to(mels_SCHW.device) > 0] - 1
    heard_BW = (mels_SCHW[last_B, 0] > _EMPTY).any(1)
    # A column is sound if it or a later one is heard.
    until_BW = heard_BW.long().flip(1).cumsum(1).flip(1) > 0  # an ONNX graph has no cummax, and adds up no bools
    columns_SW[last_B] = until_BW | ~heard_BW.any(1, keepdim=True)
    return columns_SW


def column_sites(columns_SW: Tensor, height: int, width: int) -> Tensor:
    """Return (S, height, width) bool: True at the sites of a map that cover a True column.

    Args:
        columns_SW: (S, W) bool, W a multiple of `width`.
        height: sites of a column.
        width: sites of a row.
    """
    return columns_SW.reshape(-1, width, columns_SW.shape[1] // width).any(2)[:, None].expand(-1, height, -1)
