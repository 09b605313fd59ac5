"""Draw the FACS charts for the screen with plotly, from `chart_data`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from mesm.figures.charts import (
    LEGEND_ON_TOP,
    PlotlyLayout,
    base_layout,
    colour_bar,
    decoration,
    error_bars,
    trace,
    with_alpha,
)
from mesm.figures.style import theme
from mesm.studies.facs.chart_data import ABOVE, BELOW, CHANCE, FaceGrid, HeatMap, LayerSeries

HEAT_ROW_PX, FACES_PX, SERIES_PX = 46, 520, 340
_SIGNS = ("circle", "square", "diamond", "cross")
_COLOURS = ("#0072B2", "#D55E00", "#8A9099", "#009E73")
#: Template faces side by side.
_COLUMNS = 3


def diverging(dark: bool) -> list[list[Any]]:
    """Return blue below, the ground at chance, orange above."""
    return [[0.0, BELOW], [0.5, theme(dark).ground], [1.0, ABOVE]]


def _base(height: int, dark: bool) -> PlotlyLayout:
    return {**base_layout(height, dark, font_px=13), "showlegend": False}


def chart_heat_map(heat: HeatMap, dark: bool = False) -> go.Figure:
    """Draw emotions x regions: lift or difference by colour and number; hatched where it does not differ.

    A frame marks the regions that the codebook lists for the emotion.
    """
    colours = theme(dark)
    cells = [(x, y, cell) for y, row in enumerate(heat.rows) for x, cell in enumerate(row)]
    lifts = trace("heatmap", range(len(heat.regions)), range(len(heat.emotions)), z=_gaps(heat.shades)) | {
        "zmin": -1,
        "zmax": 1,
        "colorscale": diverging(dark),
        "text": [[cell.text for cell in row] for row in heat.rows],
        "texttemplate": "%{text}",
        "textfont": {"size": 12},  # plotly chooses the colour that stands out on the cell's
        "customdata": [[cell.hover for cell in row] for row in heat.rows],
        "hovertemplate": "%{customdata}<extra></extra>",
        "xgap": 2,
        "ygap": 2,
        "colorbar": colour_bar("lift" if heat.against == CHANCE else "difference")
        | {"tickvals": [at for at, _ in heat.ticks], "ticktext": [words for _, words in heat.ticks]},
    }
    strokes = _hatching([(x, y) for x, y, cell in cells if not cell.significant])
    hatch = decoration(*strokes, line={"color": with_alpha(colours.ink, 0.35), "width": 1})
    ticks = [
        f"{_broken(region.removeprefix('AU '))}<br>{area.replace(' ', '<br>')}"
        for region, area in zip(heat.regions, heat.areas, strict=True)
    ]
    layout = _base(120 + HEAT_ROW_PX * len(heat.emotions), dark) | {
        "xaxis": {"tickvals": list(range(len(ticks))), "ticktext": ticks,
                  "title": {"text": "action units", "font": {"size": 13}}, "side": "top", "showgrid": False,
                  "zeroline": False, "fixedrange": True, "tickangle": 0, "tickfont": {"size": 11}, "automargin": True},
        "yaxis": {"tickvals": list(range(len(heat.emotions))), "ticktext": heat.emotions, "autorange": "reversed",
                  "showgrid": False, "zeroline": False, "fixedrange": True, "automargin": True, "ticksuffix": "  "},
        "shapes": [
            {"type": "rect", "x0": x - 0.46, "x1": x + 0.46, "y0": y - 0.44, "y1": y + 0.44,
             "line": {"color": colours.ink, "width": 2}}
            for x, y, cell in cells if cell.listed
        ],
    }  # fmt: skip
    return go.Figure([lifts, hatch], layout)


def _broken(numbers: str) -> str:
    """Return the numbers of a column in two lines where they are wider than it."""
    return numbers if len(numbers) < 6 else "/<br>".join(numbers.rsplit("/", 1))


def _hatching(cells: Sequence[tuple[int, int]]) -> tuple[list[float | None], list[float | None]]:
    """Return x and y of three strokes in each cell, as one broken line."""
    xs: list[float | None] = []
    ys: list[float | None] = []
    for x, y in cells:
        for shift in (-0.3, 0.0, 0.3):
            left, right = max(-0.46, shift - 0.3), min(0.46, shift + 0.3)
            xs += [x + left, x + right, None]
            ys += [y - (left - shift) * 1.4, y - (right - shift) * 1.4, None]
    return xs, ys


def chart_faces(grid: FaceGrid, dark: bool = False) -> go.Figure:
    """Draw the template faces of the grid's first row; in a difference, only the significant cells have full colour."""
    colours = theme(dark)
    x0, x1, y0, y1 = grid.window
    faces = grid.rows[0]
    rows = -(-len(faces) // _COLUMNS)
    traces: list[PlotlyLayout] = []
    layout = _base(FACES_PX if rows > 1 else FACES_PX // 2, dark)
    layout["annotations"] = []
    layout["coloraxis"] = {
        "cmin": grid.low,
        "cmax": grid.high,
        "colorscale": diverging(dark) if grid.signed else "Cividis",
        "colorbar": colour_bar(grid.unit),
    }
    for number, face in enumerate(faces):
        axis = "" if number == 0 else str(number + 1)
        at = {"xaxis": f"x{axis}", "yaxis": f"y{axis}"}
        step = ((x1 - x0) / face.values.shape[1], (y1 - y0) / face.values.shape[0])
        heat = {
            "type": "heatmap", **at, "x0": x0 + step[0] / 2, "dx": step[0], "y0": y0 + step[1] / 2, "dy": step[1],
            "coloraxis": "coloraxis", "hovertemplate": "%{z:.2f}<extra></extra>", "hoverongaps": False,
        }  # fmt: skip
        if face.significant is None:
            traces.append(heat | {"z": _gaps(face.values)})
        else:
            traces.append(heat | {"z": _gaps(face.values), "opacity": 0.25})
            traces.append(heat | {"z": _gaps(np.where(face.significant, face.values, np.nan))})
        traces += [
            decoration(*line.T, line={"color": colours.ink if grid.signed else "#FFFFFF", "width": 1.4}, **at)
            for line in grid.outline
        ]
        column, row = number % _COLUMNS, number // _COLUMNS
        across = [column / _COLUMNS * 0.94 + 0.005, (column + 1) / _COLUMNS * 0.94 - 0.005]
        up = [1 - (row + 1) / rows, 1 - row / rows - 0.07]
        bare = {"visible": False, "fixedrange": True, "constrain": "domain"}
        layout[f"xaxis{axis}"] = bare | {"domain": across, "range": [x0, x1], "anchor": f"y{axis}"}
        across_axis = {"anchor": f"x{axis}", "scaleanchor": f"x{axis}"}
        layout[f"yaxis{axis}"] = bare | across_axis | {"domain": up, "range": [y1, y0]}
        layout["annotations"].append(
            {"text": face.title, "xref": "paper", "yref": "paper", "x": sum(across) / 2, "y": up[1] + 0.005,
             "showarrow": False, "xanchor": "center", "yanchor": "bottom", "font": {"size": 14}}
        )  # fmt: skip
    return go.Figure(traces, layout)


def _gaps(values: np.ndarray) -> list[list[float | None]]:
    return [[None if np.isnan(v) else float(v) for v in row] for row in values]


def chart_layers(layers: LayerSeries, dark: bool = False) -> go.Figure:
    """Draw estimates with 95 % intervals, layer after layer, one marker per series; the line is chance."""
    colours = theme(dark)
    traces = []
    for number, (name, points) in enumerate(layers.points().items()):
        colour = _COLOURS[number % len(_COLOURS)]
        x, value, low, high = np.array(points, float).reshape(-1, 4).T
        bars = error_bars(value - low, high - value, width=4, color=colour)
        sign = {"symbol": _SIGNS[number % len(_SIGNS)], "size": 11, "color": colour}
        hover = f"{name}: %{{y:.2f}}<extra></extra>"
        traces.append(
            trace("scatter", x, value, mode="markers", name=name, error_y=bars, marker=sign, hovertemplate=hover)
        )
    count = len(layers.layers)
    layout = _base(SERIES_PX, dark) | {
        "showlegend": True,
        "legend": LEGEND_ON_TOP | {"font": {"size": 12}},
        "xaxis": {"tickvals": list(range(count)), "ticktext": list(layers.layers), "range": [-0.5, count - 0.5],
                  "showgrid": False, "zeroline": False, "fixedrange": True, "automargin": True},
        "yaxis": {"title": {"text": layers.axis, "font": {"size": 13}}, "fixedrange": True,
                  "gridcolor": with_alpha(colours.faint, 0.35), "zeroline": False, "automargin": True},
        "shapes": [{"type": "line", "x0": -0.5, "x1": count - 0.5, "y0": 1, "y1": 1,
                    "line": {"color": colours.ink, "width": 1, "dash": "dot"}}],
    }  # fmt: skip
    return go.Figure(traces, layout)
