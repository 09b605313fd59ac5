"""Draw charts on the screen with plotly: the layouts that all charts share.

Start with `trace`, `base_layout` and `axes_layout`; every `mesm/studies/<study>/screen.py` builds on them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np

from mesm.figures.style import rgb, theme

#: A trace or a layout, or a part of one: plotly's own form, drawn where it is made.
PlotlyLayout: TypeAlias = dict[str, Any]
#: Anchored to the picture, not to the plot: anchored to the plot, it covers points after the window has grown.
LEGEND_ON_TOP: PlotlyLayout = {
    "orientation": "h",
    "x": 0,
    "y": 1,
    "yref": "container",
    "yanchor": "top",
    "itemclick": False,
    "itemdoubleclick": False,
}
#: No zoom and no selection: a chart keeps its axes, so that it stays comparable with its export.
PLOTLY_CONFIG: PlotlyLayout = {"displayModeBar": False, "scrollZoom": False, "doubleClick": False}


#: Letters of an axis title that a phone shows in one line; pixels of one of them, and those above and below the plot.
MOST_LETTERS, _LETTER_PX, _AROUND_PX = 44, 8, 110


def broken(title: str, letters: int) -> str:
    """Return a title in two lines, broken after its last comma, where one line of `letters` cannot hold it."""
    return title if len(title) <= letters else ",<br>".join(title.rsplit(", ", 1))


def trace(kind: str, x: Iterable[Any], y: Iterable[Any], **more: Any) -> PlotlyLayout:
    """Return a trace of plain values: "scatter", "bar" and the like."""
    return {"type": kind, "x": np.asarray(x).tolist(), "y": np.asarray(y).tolist(), **more}


def decoration(x: Iterable[Any], y: Iterable[Any], mode: str = "lines", **more: Any) -> PlotlyLayout:
    """Return a scatter trace that is neither in the legend nor under the pointer."""
    return trace("scatter", x, y, mode=mode, hoverinfo="skip", showlegend=False, **more)


def error_bars(below: Iterable[float], above: Iterable[float], **more: Any) -> PlotlyLayout:
    """Return the `error_y` of points with these lengths downwards and upwards; NaN draws nothing."""
    lengths = {"array": np.asarray(above).tolist(), "arrayminus": np.asarray(below).tolist()}
    return {"type": "data", "symmetric": False, **lengths, **more}


def colour_bar(title: str, thickness: int = 10) -> PlotlyLayout:
    """Return the bar beside a map, its title upwards."""
    words = {"text": title, "side": "right", "font": {"size": 13}}
    return {"title": words, "thickness": thickness, "outlinewidth": 0, "tickfont": {"size": 12}}


def base_layout(height: int, dark: bool, font_px: int = 14) -> PlotlyLayout:
    """Return the layout that all charts share: fixed height, narrow margins, the theme's ground and ink."""
    colours = theme(dark)
    return {
        "height": height,
        "margin": {"l": 8, "r": 12, "t": 8, "b": 8},
        "paper_bgcolor": colours.ground,
        "plot_bgcolor": colours.ground,
        "font": {"color": colours.ink, "size": font_px},
        "dragmode": False,
    }


def axes_layout(height: int, dark: bool, x_title: str, y_title: str) -> PlotlyLayout:
    """Return the layout of a chart with two numeric axes: legend on top, faint grid lines both ways."""
    along = max(1, (height - _AROUND_PX) // _LETTER_PX)
    colours = theme(dark)
    axis = {
        "gridcolor": with_alpha(colours.faint, 0.3),
        "zeroline": False,
        "fixedrange": True,
        "automargin": True,
        "linecolor": colours.faint,
        "showline": True,
        "ticks": "outside",
        "tickcolor": colours.faint,
    }
    return {
        **base_layout(height, dark),
        "legend": {**LEGEND_ON_TOP, "font": {"size": 13}},
        "xaxis": {**axis, "title": {"text": broken(x_title, MOST_LETTERS), "font": {"size": 14}}},
        "yaxis": {**axis, "title": {"text": broken(y_title, along), "font": {"size": 14}, "standoff": 14}},
    }


def bars_layout(height: int, dark: bool, x_axis: PlotlyLayout, x_title: str, names: list[str]) -> PlotlyLayout:
    """Return the layout of a chart of horizontal bars: legend on top, the first name on top."""
    return {
        **base_layout(height, dark),
        "legend": {**LEGEND_ON_TOP, "entrywidth": 80, "font": {"size": 12}, "traceorder": "normal"},
        "hovermode": "closest",
        "bargap": 0.3,
        "template": {},  # plotly's own is two thirds of the bytes to send, and nothing of it is visible here
        "xaxis": {
            "gridcolor": with_alpha(theme(dark).faint, 0.35),
            "zeroline": False,
            "fixedrange": True,
            "automargin": True,
            "title": {"text": x_title, "font": {"size": 14}, "standoff": 15},
            **x_axis,
        },
        "yaxis": {
            "fixedrange": True,
            "automargin": True,
            "ticksuffix": "  ",
            "showgrid": False,
            "categoryorder": "array",
            "categoryarray": names[::-1],
        },
    }


def with_alpha(colour: str, alpha: float) -> str:
    """Convert `#RRGGBB` to a translucent colour; `alpha` in [0, 1]."""
    red, green, blue = rgb(colour)
    return f"rgba({red},{green},{blue},{alpha})"
