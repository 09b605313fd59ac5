"""Measure the text of a drawn figure: whether it can be printed at its width without small or overlapping type."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Smallest type in print, points.
LEAST_PT = 5.5
#: Points by which two boxes may touch before their letters do.
_TOUCH_PT = 0.3
_POINTS_PER_IN = 72


def type_faults(figure: Figure) -> list[str]:
    """Return a sentence per text that is too small, leaves the page or lies over another; needs `paper_style`."""
    texts = _record(figure)
    page = np.array([figure.get_figwidth(), figure.get_figheight()]) * _POINTS_PER_IN
    faults = [f"“{words}” is set in {size:.1f} pt" for words, size, _ in texts if size < LEAST_PT - 1e-6]
    faults += [
        f"“{words}” leaves the page"
        for words, _, box in texts
        if (box < -_TOUCH_PT).any() or (box > page + _TOUCH_PT).any()
    ]
    faults += [
        f"“{one[0]}” and “{other[0]}” overlap" for one, other in combinations(texts, 2) if _overlap(one[2], other[2])
    ]
    return faults


def _record(figure: Figure) -> list[tuple[str, float, np.ndarray]]:
    """Return (words, points, (4, 2) corners in points) of every text, without rasterising anything."""
    from matplotlib.backend_bases import RendererBase

    texts: list[tuple[str, float, np.ndarray]] = []

    class Recorder(RendererBase):
        """Record texts, draw nothing; a pixel is a point."""

        def draw_text(
            self, gc: Any, x: float, y: float, s: str, prop: Any, angle: float, ismath: Any = False, mtext: Any = None
        ) -> None:
            width, height, descent = self.get_text_width_height_descent(s, prop, ismath)
            corners = np.array([(0, -descent), (width, -descent), (width, height - descent), (0, height - descent)])
            turn = np.deg2rad(angle)
            rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
            if s.strip():
                texts.append((s, prop.get_size_in_points(), corners @ rotation + (x, y)))

        def draw_path(self, *args: Any, **more: Any) -> None:
            pass

        def draw_image(self, *args: Any, **more: Any) -> None:
            pass

        def option_scale_image(self) -> bool:
            return True  # pictures are handed over as they are instead of being resampled

        def flipy(self) -> bool:
            return False

        def get_canvas_width_height(self) -> tuple[float, float]:
            return figure.get_figwidth() * _POINTS_PER_IN, figure.get_figheight() * _POINTS_PER_IN

    dpi = figure.dpi
    figure.dpi = _POINTS_PER_IN
    try:
        figure.draw(Recorder())  # the layout moves once more at the second drawing, as it does when a file is written
        texts.clear()
        figure.draw(Recorder())
    finally:
        figure.dpi = dpi
    return texts


def _overlap(one: np.ndarray, other: np.ndarray) -> bool:
    """Return whether two rectangles, also turned ones, overlap: no direction of their sides separates them."""
    for corners in (one, other):
        for side in (corners[1] - corners[0], corners[3] - corners[0]):
            axis = side / (float(np.linalg.norm(side)) or 1.0)
            a, b = one @ axis, other @ axis
            if min(a.max(), b.max()) - max(a.min(), b.min()) <= _TOUCH_PT:
                return False
    return True
