"""Sweeps on the screen, as plotly figures: the same points, bands and boxes as `static/frontier.py` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from mesm.figures.charts import LEGEND_ON_TOP, mixed
from mesm.figures.page import COLOURS
from mesm.figures.style import MODALITY_SHADES, theme
from mesm.studies.sweep.chart_data import AXES, DENSE, REPORTED, Band, Curve, View

#: The same six hues, the ones that stand out on a dark ground first.
DARK_COLOURS = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#D55E00")
FRONTIER_PX, LAYERS_PX, SPREAD_PX = 470, 400, 300
_SIGNS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross")
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


def chart_frontier(curves: Sequence[Curve], view: View, dark: bool = False) -> go.Figure:
    """A line with its 95 % band per sweep, FE2E as a star, the paper's reported curve in grey; elbows ringed."""
    traces: list[dict[str, Any]] = []
    number = 0
    for curve in curves:
        traces += _curve(curve, number, dark)
        number += curve.kind != REPORTED
    layout = axes_layout(FRONTIER_PX, dark, AXES[view.axis], view.y_title)
    if view.log:
        layout["xaxis"] |= {"type": "log"}
    return go.Figure(traces, layout)


def _curve(curve: Curve, number: int, dark: bool) -> list[dict[str, Any]]:
    colours = theme(dark)
    x, y = [p.x for p in curve.points], [p.y for p in curve.points]
    said = [
        f"{curve.name}<br>" + (f"p = {p.top_p:g}, " if p.top_p is not None else "") + f"work {p.x:.3g}<br>{p.y:.3g}"
        + (f", 95 % {p.low:.3g} to {p.high:.3g}" if p.low < p.high else "") + "<extra></extra>"
        for p in curve.points
    ]  # fmt: skip
    line = {"type": "scatter", "x": x, "y": y, "name": curve.name, "hovertemplate": said}
    if curve.kind == REPORTED:
        style = {"color": colours.faint, "width": 1.5, "dash": "dot"}
        return [line | {"mode": "lines+markers", "line": style, "marker": {"symbol": "x-thin-open", "size": 7}}]
    below, above = curve.reach
    bar = {"type": "data", "symmetric": False, "array": above, "arrayminus": below, "thickness": 1.5}
    if curve.kind == DENSE:
        bar["color"] = colours.ink
        return [line | {"mode": "markers", "error_y": bar, "marker": {"symbol": "star", "size": 14,
                                                                    "color": colours.ink}}]  # fmt: skip
    palette = DARK_COLOURS if dark else COLOURS
    colour = palette[number % len(palette)]
    band = {
        "type": "scatter",
        "x": x + x[::-1],
        "y": [p.high for p in curve.points] + [p.low for p in curve.points][::-1],
        "fill": "toself",
        "fillcolor": mixed(colour, 0.22),
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
        "mode": "lines",
    }
    main = line | {
        "mode": "lines+markers",
        "line": {"color": colour, "width": 2.5, "dash": _DASHES[number % len(_DASHES)]},
        "marker": {"symbol": _SIGNS[number % len(_SIGNS)], "size": 8},
    }
    if not curve.in_order:
        main["error_y"] = bar
    ring = {
        "type": "scatter",
        "x": [p.x for p in curve.points if p.elbow],
        "y": [p.y for p in curve.points if p.elbow],
        "text": [f"elbow, p = {p.top_p:g}" for p in curve.points if p.elbow],
        "mode": "markers+text",
        "textposition": "top center",
        "marker": {"symbol": "circle-open", "size": 17, "color": colours.ink, "line": {"width": 2}},
        "hoverinfo": "skip",
        "showlegend": False,
    }
    return [band, main, ring] if curve.in_order else [main, ring]


def chart_layers(top_ps: Sequence[float], bands: Sequence[Band], unit: str, dark: bool = False) -> go.Figure:
    """Stacked bars: the work of each part of each modality at every top-p."""
    names = [f"{p:g}" for p in top_ps]
    word = "GMAC" if unit == "gmac" else "GFLOP"
    place: dict[str, int] = {}
    bars: list[dict[str, Any]] = []
    for band in bands:
        shade = place[band.modality] = place.get(band.modality, -1) + 1
        shades = MODALITY_SHADES[band.modality]
        pattern: dict[str, Any] = (
            {"pattern": {"shape": "/", "size": 7, "solidity": 0.2, "fillmode": "overlay"}}
            if band.modality == "acoustic"
            else {}
        )
        bars.append(
            {
                "type": "bar",
                "x": names,
                "y": list(band.amounts),
                "name": band.name,
                "marker": {
                    "color": shades[shade % len(shades)],
                    "line": {"width": 0.5, "color": theme(dark).faint if dark else theme(dark).ground},
                    **pattern,
                },
                "hovertemplate": f"{band.name}<br>p = %{{x}}: %{{y:.4f}} {word}<extra></extra>",
            }
        )
    layout = axes_layout(LAYERS_PX, dark, "top-p", f"{word} per clip")
    layout["legend"] = {"traceorder": "reversed", "font": {"size": 12}, "itemclick": False, "itemdoubleclick": False}
    return go.Figure(
        bars, layout | {"barmode": "stack", "bargap": 0.25, "xaxis": layout["xaxis"] | {"type": "category"}}
    )


def chart_spread(spread: Sequence[tuple[float, Sequence[float]]], dark: bool = False) -> go.Figure:
    """Every utterance's share of FE2E's work at every top-p: a box for the middle half, whiskers for 95 %."""
    marks = [np.percentile(shares, (2.5, 25, 50, 75, 97.5)) for _, shares in spread]
    boxes = {
        "type": "box",
        "x": [f"{top_p:g}" for top_p, _ in spread],
        # Handed in: left to itself plotly ends the whiskers elsewhere than the printed figure and the caption say.
        **dict(zip(("lowerfence", "q1", "median", "q3", "upperfence"), np.transpose(marks).tolist(), strict=True)),
        "marker": {"color": DARK_COLOURS[0] if dark else COLOURS[0]},
        "line": {"width": 1.5},
        "showlegend": False,
    }
    layout = axes_layout(SPREAD_PX, dark, "top-p", "share of FE2E's work")
    layout["yaxis"] |= {"rangemode": "tozero"}
    return go.Figure([boxes], layout | {"xaxis": layout["xaxis"] | {"type": "category"}})


def axes_layout(height: int, dark: bool, x_title: str, y_title: str) -> dict[str, Any]:
    """A chart with two numeric axes: fixed height, legend on top, faint lines both ways."""
    colours = theme(dark)
    axis = {
        "gridcolor": mixed(colours.faint, 0.3),
        "zeroline": False,
        "fixedrange": True,
        "automargin": True,
        "linecolor": colours.faint,
        "showline": True,
        "ticks": "outside",
        "tickcolor": colours.faint,
    }
    return {
        "height": height,
        "margin": {"l": 8, "r": 12, "t": 8, "b": 8},
        "legend": {**LEGEND_ON_TOP, "font": {"size": 13}},
        "paper_bgcolor": colours.ground,
        "plot_bgcolor": colours.ground,
        "font": {"color": colours.ink, "size": 14},
        "dragmode": False,
        "xaxis": {**axis, "title": {"text": x_title, "font": {"size": 14}}},
        "yaxis": {**axis, "title": {"text": y_title, "font": {"size": 14}, "standoff": 14}},
    }  # fmt: skip


def frontier_alt(curves: Sequence[Curve], view: View) -> str:
    """The frontier in words."""
    said = []
    for curve in curves:
        first, last = curve.points[0], curve.points[-1]
        if curve.kind == DENSE:
            said.append(f"{curve.name} at {first.x:.3g}: {first.y:.3g}")
        else:
            said.append(f"{curve.name} from {first.x:.3g}: {first.y:.3g} to {last.x:.3g}: {last.y:.3g}")
    return f"Line chart of {view.y_title} over {AXES[view.axis]}. {'; '.join(said)}."


def layers_alt(top_ps: Sequence[float], bands: Sequence[Band], unit: str) -> str:
    """The stacked bars in words."""
    word = "GMAC" if unit == "gmac" else "GFLOP"
    largest = max(bands, key=lambda band: band.amounts[-1])
    totals = [sum(band.amounts[i] for band in bands) for i in (0, -1)]
    return (
        f"Stacked bars of the work per clip over top-p: {totals[0]:.3f} {word} at {top_ps[0]:g}, {totals[1]:.3f} at "
        f"{top_ps[-1]:g}, where the largest part is {largest.name} with {largest.amounts[-1]:.3f}."
    )


def spread_alt(spread: Sequence[tuple[float, Sequence[float]]]) -> str:
    """The boxes in words."""
    said = [f"{p:g}: {min(shares):.2f} to {max(shares):.2f}" for p, shares in spread]
    return f"Boxes of the share of FE2E's work of every utterance, least and most by top-p: {', '.join(said)}."
