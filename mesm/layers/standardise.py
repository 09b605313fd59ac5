"""Standardise faces and voices so that camera, light and recording level do not reach the CNN."""

from __future__ import annotations

import torch
from torch import Tensor

#: Weights of red, green and blue in luma (ITU-R BT.601).
LUMA = (0.299, 0.587, 0.114)
#: Smallest spread of a crop that is divided by: an even picture stays even.
_LEAST_SPREAD = 4.0
#: log10 power below a clip's mean power that counts as silence: 50 dB.
LEVEL_RANGE = 5.0


def standardise_crops(faces_SCHW: Tensor, grey: bool = False) -> Tensor:
    """Scale each crop to mean 0 and spread 1: per channel, or with `grey` its luma, repeated in all channels.

    Args:
        faces_SCHW: (S, 3, H, W) on the 0..255 scale.
    """
    if grey:
        luma_S1HW = (faces_SCHW * faces_SCHW.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
        return standardise_crops(luma_S1HW).expand(-1, 3, -1, -1)
    mean = faces_SCHW.mean((2, 3), keepdim=True)
    return (faces_SCHW - mean) / faces_SCHW.std((2, 3), correction=0, keepdim=True).clamp(min=_LEAST_SPREAD)


def remove_level(mels_SCHW: Tensor, counts_B: Tensor) -> Tensor:
    """Subtract each clip's level, the log10 of its mean power, and cut what lies more than `LEVEL_RANGE` below it.

    A gain on the sound changes nothing, as long as the floor of the mel lies below that range.

    Args:
        mels_SCHW: (S, 1, bands, hops) log10 mel power, one clip's chunks after the other.
        counts_B: (B,) chunks of each clip.
    """
    clip_S = torch.arange(len(counts_B), device=mels_SCHW.device).repeat_interleave(counts_B.to(mels_SCHW.device))
    power_S = torch.pow(10.0, mels_SCHW.double()).mean((1, 2, 3))
    total_B = power_S.new_zeros(len(counts_B)).index_add_(0, clip_S, power_S)
    level_B = torch.log10(total_B / counts_B.to(total_B.device).clamp(min=1)).to(mels_SCHW.dtype)
    return (mels_SCHW - level_B[clip_S, None, None, None]).clamp(min=-LEVEL_RANGE)
