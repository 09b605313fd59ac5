"""Draw action units' regions over a layer's mask, face by face. Pure numpy."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mesm.figures.lettering import Canvas, text_px
from mesm.figures.overlay import blend, border
from mesm.figures.style import rgb, theme

SCALE = 4
GAP_PX = 8
LEGEND_PX = 30
#: Beside each name of the legend: its square, and the distance to the next.
LEGEND_GAP_PX = 46
FADED = 0.72
#: Outlines, apart for every common colour vision; more regions than this at once cannot be told apart.
OUTLINES: tuple[str, ...] = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#CC79A7", "#D55E00")


def draw_regions(
    faces: np.ndarray, kept: np.ndarray, regions: Mapping[str, np.ndarray], dark: bool = False
) -> np.ndarray:
    """Draw faces in a row, dropped sites faded, each region outlined in its colour, with a legend below.

    Args:
        faces: (F, 48, 48, 3) uint8.
        kept: (F, h, w) bool, the layer's own grid.
        regions: name -> (F, 48, 48) coverage in [0, 1]; the outline runs where half of a pixel belongs to it. No more
            than `OUTLINES` are drawn.

    Returns:
        (H, W, 3) uint8.
    """
    colours = theme(dark)
    row = row_of_regions(faces, kept, regions, dark)
    names = list(regions)[: len(OUTLINES)]
    lefts = np.cumsum([0, *(LEGEND_GAP_PX + text_px(name, small=True) for name in names)])
    canvas = Canvas(row.shape[0] + (LEGEND_PX if names else 0), max(row.shape[1], int(lefts[-1])), colours)
    canvas.paste(0, 0, row)
    for name, colour, left in zip(names, OUTLINES, lefts, strict=False):
        canvas.paste(int(left), row.shape[0] + 10, np.full((12, 12, 3), rgb(colour), np.uint8))
        canvas.write(int(left) + 18, row.shape[0] + 5, name, small=True)
    return canvas.picture()


def row_of_regions(
    faces: np.ndarray, kept: np.ndarray, regions: Mapping[str, np.ndarray], dark: bool = False
) -> np.ndarray:
    """Draw the row of `draw_regions` without its legend."""
    ground = np.array(rgb(theme(dark).ground), np.uint8)
    size = faces.shape[1] * SCALE
    pictures = _enlarged(faces, size)
    shown = np.where(_enlarged(kept, size)[..., None], pictures, blend(pictures, rgb(theme(dark).ground), FADED))
    for colour, coverage in zip(OUTLINES, regions.values(), strict=False):
        shown[border(_enlarged(coverage >= 0.5, size))] = rgb(colour)
    row = np.empty((size, len(shown) * (size + GAP_PX) - GAP_PX, 3), np.uint8)
    row[:] = ground
    for number, picture in enumerate(shown):
        row[:, number * (size + GAP_PX) :][:, :size] = picture
    return row


def _enlarged(maps: np.ndarray, size: int) -> np.ndarray:
    """Enlarge (F, h, w, ...) to (F, size, size, ...) by nearest neighbour."""
    return maps.repeat(size // maps.shape[1], axis=1).repeat(size // maps.shape[2], axis=2)
