"""Draw over pictures: faded sites, a heat map, outlines, points. Pure numpy, on stacks of pictures at once.

Shape legend: S pictures, H W pixels; maps and masks already have the pictures' size.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np


@lru_cache(maxsize=4)
def _table(name: str) -> np.ndarray:
    from matplotlib import colormaps

    return np.rint(colormaps[name](np.arange(256))[:, :3] * 255).astype(np.uint8)


def colours(values: np.ndarray, name: str = "cividis") -> np.ndarray:
    """Return the colours of values in [0, 1] (clipped), (..., 3) uint8, by one of matplotlib's colour maps."""
    return _table(name)[np.clip(np.nan_to_num(values) * 255 + 0.5, 0, 255).astype(np.uint8)]


def grey(pictures: np.ndarray) -> np.ndarray:
    """Return (..., 3) uint8 in grey."""
    luma = np.rint(pictures @ np.array([0.299, 0.587, 0.114], np.float32)).astype(np.uint8)
    return np.repeat(luma[..., None], 3, axis=-1)


def blend(pictures: np.ndarray, colour: tuple[int, int, int], weight: float) -> np.ndarray:
    """Blend `pictures` (..., 3) uint8 with a colour of `weight` in [0, 1]."""
    share = round(weight * 256)
    mixed = pictures.astype(np.uint16) * np.uint16(256 - share)
    mixed += (np.asarray(colour, np.uint32) * share).astype(np.uint16)
    return (mixed >> 8).astype(np.uint8)


def packed(pictures: np.ndarray) -> np.ndarray:
    """Pack (..., 3) uint8 into (...) uint32: a pixel as one machine word is selected and copied several times as fast."""
    words = np.zeros((*pictures.shape[:-1], 4), np.uint8)
    words[..., :3] = pictures
    return words.view(np.uint32)[..., 0]


def unpacked(words: np.ndarray) -> np.ndarray:
    """Return the (..., 3) uint8 view of `packed` pictures."""
    return np.ascontiguousarray(words)[..., None].view(np.uint8)[..., :3]


def border(kept_SHW: np.ndarray) -> np.ndarray:
    """Return a mask of a line, two pixels wide, along the border between kept and dropped sites, inside the kept ones."""
    padded = np.pad(kept_SHW, ((0, 0), (1, 1), (1, 1)), mode="edge")
    whole = np.ones_like(kept_SHW)
    height, width = kept_SHW.shape[1:]
    for dy, dx in ((0, 1), (2, 1), (1, 0), (1, 2)):
        whole &= padded[:, dy : dy + height, dx : dx + width]
    edge = kept_SHW & ~whole
    padded = np.pad(edge, ((0, 0), (1, 0), (1, 0)))
    return (edge | padded[:, :-1, 1:] | padded[:, 1:, :-1]) & kept_SHW


def dots(kept_SHW: np.ndarray, offsets: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return a mask of one dot per kept site, as in the paper's Figures 3 and 4: as wide and as high as its site allows.

    Args:
        offsets: (H,) and (W,) whole pixels from the middle of the site that a row or column belongs to.
    """
    down, across = (_from_middle(axis) for axis in offsets)
    return (down[:, None] ** 2 + across[None, :] ** 2 <= 1) & kept_SHW


def _from_middle(offsets: np.ndarray) -> np.ndarray:
    """Return the distance of each row or column from the middle of its site, in radii of a dot."""
    cell = int(offsets.max() - offsets.min()) + 1
    return np.abs(offsets - (offsets.max() + offsets.min()) / 2) / max(0.3 * cell, 0.5**0.5)


def halo(marks_SHW: np.ndarray) -> np.ndarray:
    """Return a mask of the pixels right around marks, which sets them off from a ground of any colour."""
    padded = np.pad(marks_SHW, ((0, 0), (1, 1), (1, 1)))
    height, width = marks_SHW.shape[1:]
    around = np.zeros_like(marks_SHW)
    for dy, dx in ((0, 1), (2, 1), (1, 0), (1, 2)):
        around |= padded[:, dy : dy + height, dx : dx + width]
    return around & ~marks_SHW


def relative_attention(attention_SHW: np.ndarray, active_SHW: np.ndarray) -> np.ndarray:
    """Return attention relative to uniform over the active sites of each segment: 1 everywhere if it is uniform."""
    return attention_SHW * active_SHW.sum(axis=(1, 2), keepdims=True)


def value_range(values: np.ndarray, shown: np.ndarray) -> tuple[float, float]:
    """Return the lowest and highest shown value; never an empty range."""
    if not shown.any():
        return 0.0, 1.0
    low, high = float(values[shown].min()), float(values[shown].max())
    return (low, high) if high - low > 1e-6 else (low - 0.5, high + 0.5)
