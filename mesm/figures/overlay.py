"""What lies over a picture: a mask, a heat map, outlines, points. Pure numpy, on whole stacks of pictures at once.

Shape legend: S pictures, H W pixels; a map or mask given here already has the pictures' size.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np


@lru_cache(maxsize=2)
def _table(name: str) -> np.ndarray:
    from matplotlib import colormaps

    return np.rint(colormaps[name](np.arange(256))[:, :3] * 255).astype(np.uint8)


def colours(values: np.ndarray, name: str = "cividis") -> np.ndarray:
    """Values in [0, 1] (clipped) -> (..., 3) uint8 of one of matplotlib's perceptually even colour maps."""
    return _table(name)[np.clip(np.nan_to_num(values) * 255 + 0.5, 0, 255).astype(np.uint8)]


def enlarge(maps_SHW: np.ndarray, height: int, width: int) -> np.ndarray:
    """Each cell becomes a block of pixels, without any smoothing. The sizes must be multiples.

    Raises:
        ValueError: they are not.
    """
    _, h, w = maps_SHW.shape
    if height % h or width % w:
        raise ValueError(f"a {h}x{w} grid does not fill {height}x{width} pixels evenly")
    return np.repeat(np.repeat(maps_SHW, height // h, axis=1), width // w, axis=2)


def blend(pictures: np.ndarray, over: np.ndarray | tuple[int, int, int], weight: float) -> np.ndarray:
    """`pictures` (..., 3) uint8 with a colour, or other pictures, laid on at `weight` in [0, 1]."""
    share = round(weight * 256)
    mixed = pictures.astype(np.uint16) * np.uint16(256 - share)
    mixed += (np.asarray(over, np.uint32) * share).astype(np.uint16)
    return (mixed >> 8).astype(np.uint8)


def tint(pictures: np.ndarray, where: np.ndarray, colour: tuple[int, int, int], weight: float) -> np.ndarray:
    """`pictures` with a colour laid on at `weight` where `where` (..., without the channels) is true."""
    return np.where(where[..., None], blend(pictures, colour, weight), pictures)


def fade_dropped(pictures: np.ndarray, kept: np.ndarray, opacity: float, ground: tuple[int, int, int]) -> np.ndarray:
    """What is not kept sinks into the ground; what is kept stays as it is."""
    return tint(pictures, ~kept, ground, opacity)


def heat(
    pictures: np.ndarray, values: np.ndarray, active: np.ndarray, opacity: float, ground: tuple[int, int, int]
) -> np.ndarray:
    """Values in [0, 1] as cividis over the grey picture; sites that were not there to choose from sink."""
    grey = np.rint(pictures @ np.array([0.299, 0.587, 0.114], np.float32)).astype(np.uint8)
    coloured = blend(np.repeat(grey[..., None], 3, -1), colours(values), opacity)
    return fade_dropped(coloured, active, 0.85, ground)


def outline(pictures: np.ndarray, kept: np.ndarray, opacity: float, colour: tuple[int, int, int]) -> np.ndarray:
    """A line of two pixels along the border between kept and dropped sites, inside the kept ones."""
    padded = np.pad(kept, ((0, 0), (1, 1), (1, 1)), mode="edge")
    whole = np.ones_like(kept)
    height, width = kept.shape[1:]
    for dy, dx in ((0, 1), (2, 1), (1, 0), (1, 2)):
        whole &= padded[:, dy : dy + height, dx : dx + width]
    edge = kept & ~whole
    padded = np.pad(edge, ((0, 0), (1, 0), (1, 0)))
    thick = (edge | padded[:, :-1, 1:] | padded[:, 1:, :-1]) & kept
    return tint(pictures, thick, colour, opacity)


def cell_offsets(pixels: int, cell: int) -> np.ndarray:
    """(pixels,) distance of each pixel from the middle pixel of its cell."""
    return np.arange(pixels) % cell - cell // 2


def points(
    pictures: np.ndarray,
    kept: np.ndarray,
    offsets: tuple[np.ndarray, np.ndarray],
    opacity: float,
    colour: tuple[int, int, int],
) -> np.ndarray:
    """One dot per kept site, as in the paper's Figures 3 and 4.

    Args:
        offsets: (H,) and (W,) whole pixels from the middle of the site that a row or column belongs to.
    """
    cell = min(int(axis.max() - axis.min()) + 1 for axis in offsets)
    radius = max(cell // 5, 1 if cell >= 4 else 0)
    near = offsets[0][:, None] ** 2 + offsets[1][None, :] ** 2 <= radius**2
    return tint(pictures, near & kept, colour, opacity)


def relative_attention(attention_SHW: np.ndarray, active_SHW: np.ndarray) -> np.ndarray:
    """Attention as a multiple of an even one over the active sites of each segment: 1 everywhere if it has no view."""
    count = active_SHW.sum(axis=(1, 2), keepdims=True)
    return attention_SHW * count


def value_range(values: np.ndarray, shown: np.ndarray) -> tuple[float, float]:
    """Lowest and highest shown value; never an empty range."""
    if not shown.any():
        return 0.0, 1.0
    low, high = float(values[shown].min()), float(values[shown].max())
    return (low, high) if high - low > 1e-6 else (low - 0.5, high + 0.5)
