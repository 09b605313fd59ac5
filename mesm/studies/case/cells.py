"""Locate the sites of a mosaic, with their attention, so that a reader can point at one.

Shape legend: S segments, H W sites of a segment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mesm.figures import overlay
from mesm.records.prediction import LayerTrace
from mesm.studies.case.mosaic import Scene

#: State of a site.
GONE, DROPPED, KEPT, PADDING = 0, 1, 2, 3
#: Unit of `CellRow.codes`, relative to uniform attention, and the first bit above a value.
STEP, STATE_BIT = 0.01, 14


@dataclass(frozen=True)
class CellRow:
    """Hold the sites of one layer's row of a mosaic, in pixels of the picture.

    Attributes:
        layer: from 0.
        top: upper end of the row.
        height: of a segment.
        lefts: left end of each shown segment.
        width: of a segment.
        flipped: whether the first row of sites is the lowest.
        codes: (S, H, W) uint16: attention relative to uniform in steps of `STEP`, and the state from `STATE_BIT` on.
    """

    layer: int
    top: int
    height: int
    lefts: tuple[float, ...]
    width: float
    flipped: bool
    codes: np.ndarray


def cell_rows(scene: Scene, layers: Sequence[LayerTrace]) -> list[CellRow]:
    """Return the rows of sites of a mosaic, those of `mosaic.draw`, from the top."""
    if not scene.pictures.size:
        return []
    segments, lefts = _segments(scene)
    shown = [number for number in scene.style.layers if number < len(layers)]
    return [
        CellRow(
            number,
            top,
            scene.pictures.shape[1],
            lefts,
            scene.across.size * scene.across.scale,
            bool(scene.rows.position[0] > scene.rows.position[-1]),
            _codes(layers[number])[segments],
        )
        for number, top in zip(shown, scene.tops[1:], strict=False)
    ]


def _segments(scene: Scene) -> tuple[np.ndarray, tuple[float, ...]]:
    """Return the shown segments and the column at which each would begin if nothing of it were cut off."""
    if scene.segments.shape[2] > 1:  # all segments in one picture
        segments, pixels = np.unique(scene.segments[0, 0], return_index=True)
        columns = scene.columns[0] + pixels
    else:  # a picture per segment
        segments, columns = scene.segments[:, 0, 0], np.array(scene.columns)
        pixels = np.zeros(len(columns), int)
    lefts = columns + 0.5 - scene.across.position[pixels] * scene.across.scale
    return segments, tuple(float(left) for left in lefts)


def _codes(layer: LayerTrace) -> np.ndarray:
    relative = overlay.relative_attention(layer.attention, layer.active)
    steps = np.clip(np.rint(relative / STEP), 0, (1 << STATE_BIT) - 1).astype(np.uint16)
    state = np.where(layer.kept, KEPT, np.where(layer.active, DROPPED, GONE)).astype(np.uint16)
    if layer.padding is not None:
        state[layer.padding] = PADDING
    return steps | state << STATE_BIT
