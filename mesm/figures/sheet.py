"""Draw diagrams: boxes, arrows, text and grids of cells, in units of the sheet, y downwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mesm.figures.fit import LEAST_PT
from mesm.figures.style import Theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Point = tuple[float, float]
#: Share of a cell that is left free on each side.
_GAP = 0.09


class Sheet:
    """Hold a figure and the units in which it is drawn.

    Args:
        width: inches.
        units: width and height in units; one unit is about a point of the text.
    """

    def __init__(self, width: float, units: tuple[float, float], theme: Theme) -> None:
        from matplotlib.figure import Figure

        self.theme = theme
        self.figure: Figure = Figure(figsize=(width, width * units[1] / units[0]), facecolor=theme.ground)
        self._axes = self.figure.add_axes((0, 0, 1, 1), xlim=(0, units[0]), ylim=(units[1], 0))
        self._axes.set_axis_off()
        self._point = width * 72 / units[0]

    def text(self, at: Point, words: str, *, size: float = 6.4, colour: str = "", **more: Any) -> None:
        """Write text with its middle at a point; `more`: properties of matplotlib's Text."""
        more = {"ha": "center", "va": "center", "linespacing": 1.15, **more}
        size_pt = max(size * self._point, LEAST_PT)  # a narrow page shrinks the drawing, not its letters
        self._axes.text(*at, words, fontsize=size_pt, color=colour or self.theme.ink, **more)

    def box(self, middle: Point, size: Point, *, fill: str = "none", edge: str = "none", round_by: float = 3) -> None:
        """Draw a rectangle with round corners."""
        from matplotlib.patches import FancyBboxPatch

        corner = (middle[0] - size[0] / 2 + round_by, middle[1] - size[1] / 2 + round_by)
        style = f"round,pad={round_by},rounding_size={round_by}"
        inner = (size[0] - 2 * round_by, size[1] - 2 * round_by)
        self._add(FancyBboxPatch(corner, *inner, boxstyle=style, fc=fill, ec=edge, lw=0.7 * self._point))

    def ellipse(self, middle: Point, size: Point, *, fill: str = "none", edge: str = "none", angle: float = 0) -> None:
        """Draw an ellipse of this width and height."""
        from matplotlib.patches import Ellipse

        self._add(Ellipse(middle, *size, angle=angle, fc=fill, ec=edge, lw=0.7 * self._point))

    def line(self, points: Sequence[Point], colour: str, *, width: float = 0.8, tip: bool = False, **more: Any) -> None:
        """Draw a line through points; with `tip` an arrow head at its end."""
        from matplotlib.patches import FancyArrowPatch, PathPatch
        from matplotlib.path import Path

        stroke = {"lw": width * self._point, "ec": colour, "capstyle": "round", "joinstyle": "round", **more}
        self._add(PathPatch(Path(points), fc="none", **stroke))
        if tip:
            scale = 4.2 * self._point
            self._add(
                FancyArrowPatch(
                    _before(points[-2], points[-1]), points[-1], arrowstyle="-|>,head_length=0.9,head_width=0.5",
                    mutation_scale=scale, shrinkA=0, shrinkB=0, lw=0, ec=colour, fc=colour, joinstyle="round",
                )
            )  # fmt: skip

    def cells(self, middle: Point, size: Point, chosen: np.ndarray, colour: str, alpha: float = 1.0) -> None:
        """Draw the chosen cells of a (H, W) grid as one shape; neighbours in a row share a rectangle."""
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path

        height, width = chosen.shape
        steps = np.diff(np.pad(chosen.astype(np.int8), ((0, 0), (1, 1))), axis=1)
        rows, starts = np.nonzero(steps > 0)
        ends = np.nonzero(steps < 0)[1]
        if not len(rows):
            return
        across, down = size[0] / width, size[1] / height
        left, right = (middle[0] - size[0] / 2 + edge * across for edge in (starts, ends))
        top = middle[1] - size[1] / 2 + rows * down
        corners = ((left, top), (right, top), (right, top + down), (left, top + down), (left, top))
        vertices = np.stack([np.stack(corner, -1) for corner in corners], 1).reshape(-1, 2)
        codes = np.tile([Path.MOVETO, *[Path.LINETO] * 3, Path.CLOSEPOLY], len(rows))
        self._add(PathPatch(Path(vertices, codes), fc=colour, ec="none", alpha=alpha, snap=False))

    def mesh(self, middle: Point, size: Point, shape: tuple[int, ...], colour: str) -> None:
        """Draw the lines between the cells of a (H, W) grid."""
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path

        left, top = middle[0] - size[0] / 2, middle[1] - size[1] / 2
        x, y = (
            start + np.arange(1, n) * whole / n
            for start, whole, n in ((left, size[0], shape[1]), (top, size[1], shape[0]))
        )
        ends = [((at, top), (at, top + size[1])) for at in x] + [((left, at), (left + size[0], at)) for at in y]
        path = Path(np.reshape(ends, (-1, 2)), [Path.MOVETO, Path.LINETO] * len(ends))
        thin = _GAP * min(size[0] / shape[1], size[1] / shape[0])
        self._add(PathPatch(path, fc="none", ec=colour, lw=2 * thin * self._point, snap=False))

    def _add(self, patch: Any) -> None:
        self._axes.add_patch(patch)


def _before(start: Point, end: Point) -> Point:
    """Return a point shortly before the end of a line."""
    along = np.subtract(end, start)
    length = float(np.hypot(*along)) or 1.0
    x, y = np.subtract(end, along * min(1.0, 3 / length))
    return float(x), float(y)
