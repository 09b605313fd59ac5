"""FACS on the screen: heat map, canonical faces, controls, statements. Plotly; they draw records and compute nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from mesm.figures.charts import LEGEND_ON_TOP, base_layout, with_alpha
from mesm.figures.style import theme
from mesm.studies.facs.chart_data import ABOVE, BELOW, STRONGEST, Cell, Face, Record, is_difference, outline_lines

HEAT_ROW_PX, FACES_PX, SERIES_PX = 46, 520, 340
_SIGNS = ("circle", "square", "diamond", "cross")
_COLOURS = ("#0072B2", "#D55E00", "#8A9099", "#009E73")
_CIVIDIS = "Cividis"
#: What a canonical face counts; every other view is a difference.
_UNITS = {"kept": "share of frames", "attention": "multiple of an even share"}


def _colour_bar(unit: str) -> dict[str, Any]:
    title = {"text": unit, "side": "right", "font": {"size": 13}}
    return {"title": title, "thickness": 10, "outlinewidth": 0, "tickfont": {"size": 12}}


def diverging(dark: bool) -> list[list[Any]]:
    """Blue below, the ground at chance, orange above."""
    return [[0.0, BELOW], [0.5, theme(dark).ground], [1.0, ABOVE]]


def _base(height: int, dark: bool) -> dict[str, Any]:
    return {**base_layout(height, dark, font_px=13), "showlegend": False}


def chart_heat_map(rows: Sequence[Sequence[Cell]], dark: bool = False) -> go.Figure:
    """Emotions x regions: lift over chance by colour and number; hatched where it does not differ from chance.

    A frame marks the regions that the codebook lists for the emotion.
    """
    colours = theme(dark)
    names, regions = [row[0].emotion for row in rows], [cell.region for cell in rows[0]]
    heat = {
        "type": "heatmap",
        "z": [[cell.shade for cell in row] for row in rows],
        "x": list(range(len(regions))),
        "y": list(range(len(names))),
        "zmin": -1,
        "zmax": 1,
        "colorscale": diverging(dark),
        "text": [[f"{c.lift:.2f}" if c.lift is not None else "" for c in row] for row in rows],
        "texttemplate": "%{text}",
        "textfont": {"size": 12},  # plotly itself takes the colour that stands out on the cell's
        "customdata": [[_hover(cell) for cell in row] for row in rows],
        "hovertemplate": "%{customdata}<extra></extra>",
        "xgap": 2,
        "ygap": 2,
        "colorbar": _colour_bar("lift")
        | {
            "tickvals": [-1, -0.5, 0, 0.5, 1],
            "ticktext": [f"{STRONGEST**power:g}×" if power else "chance" for power in (-1, -0.5, 0, 0.5, 1)],
        },
    }
    hatch = {
        "type": "scatter",
        "mode": "lines",
        "hoverinfo": "skip",
        "line": {"color": with_alpha(colours.ink, 0.35), "width": 1},
        **_hatching([(x, y) for y, row in enumerate(rows) for x, cell in enumerate(row) if not cell.significant]),
    }
    layout = _base(90 + HEAT_ROW_PX * len(names), dark) | {
        "xaxis": {"tickvals": list(range(len(regions))), "ticktext": [name.removeprefix("AU ") for name in regions],
                  "title": {"text": "action units", "font": {"size": 13}}, "side": "top", "showgrid": False,
                  "zeroline": False, "fixedrange": True, "tickangle": 0, "tickfont": {"size": 12}, "automargin": True},
        "yaxis": {"tickvals": list(range(len(names))), "ticktext": names, "autorange": "reversed", "showgrid": False,
                  "zeroline": False, "fixedrange": True, "automargin": True, "ticksuffix": "  "},
        "shapes": [
            {"type": "rect", "x0": x - 0.46, "x1": x + 0.46, "y0": y - 0.44, "y1": y + 0.44,
             "line": {"color": colours.ink, "width": 2}}
            for y, row in enumerate(rows) for x, cell in enumerate(row) if cell.marked
        ],
    }  # fmt: skip
    return go.Figure([heat, hatch], layout)


def _hover(cell: Cell) -> str:
    if cell.lift is None:
        return f"{cell.emotion}, {cell.region}: not measured"
    q = "" if cell.q is None else f", q = {cell.q:.3f}"
    interval = "" if cell.low is None or cell.high is None else f" ({cell.low:.2f} to {cell.high:.2f})"
    listed = "; listed by the codebook" if cell.marked else ""
    return f"{cell.emotion}, {cell.region}: {cell.lift:.2f}{interval}{q}{listed}"


def _hatching(cells: Sequence[tuple[int, int]]) -> dict[str, list[float | None]]:
    """Three strokes in each cell, as one broken line."""
    xs: list[float | None] = []
    ys: list[float | None] = []
    for x, y in cells:
        for shift in (-0.3, 0.0, 0.3):
            left, right = max(-0.46, shift - 0.3), min(0.46, shift + 0.3)
            xs += [x + left, x + right, None]
            ys += [y - (left - shift) * 1.4, y - (right - shift) * 1.4, None]
    return {"x": xs, "y": ys}


def chart_canonical(
    data: Record, faces: Sequence[Face], view: str, values: tuple[float, float], dark: bool = False
) -> go.Figure:
    """One template face per emotion, two rows of three; in a difference, only the significant cells have full colour.

    Args:
        values: lowest and highest value of the colour scale.
    """
    colours = theme(dark)
    x0, x1, y0, y1 = data["window"]
    columns = 3
    rows = -(-len(faces) // columns)
    traces: list[dict[str, Any]] = []
    layout = _base(FACES_PX if rows > 1 else FACES_PX // 2, dark)
    layout["annotations"] = []
    layout["coloraxis"] = {
        "cmin": values[0],
        "cmax": values[1],
        "colorscale": diverging(dark) if is_difference(view) else _CIVIDIS,
        "colorbar": _colour_bar(_UNITS.get(view, "difference of the shares")),
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
            shown = np.where(face.significant, face.values, np.nan)
            traces.append(heat | {"z": _gaps(shown)})
        traces += [
            {"type": "scatter", "mode": "lines", **at, "x": line[:, 0].tolist(), "y": line[:, 1].tolist(),
             "hoverinfo": "skip", "line": {"color": colours.ink if is_difference(view) else "#FFFFFF", "width": 1.4}}
            for line in outline_lines(data)
        ]  # fmt: skip
        column, row = number % columns, number // columns
        across = [column / columns * 0.94 + 0.005, (column + 1) / columns * 0.94 - 0.005]
        up = [1 - (row + 1) / rows, 1 - row / rows - 0.07]
        bare = {"visible": False, "fixedrange": True, "constrain": "domain"}
        layout[f"xaxis{axis}"] = bare | {"domain": across, "range": [x0, x1], "anchor": f"y{axis}"}
        layout[f"yaxis{axis}"] = bare | {
            "domain": up,
            "range": [y1, y0],
            "anchor": f"x{axis}",
            "scaleanchor": f"x{axis}",
        }
        layout["annotations"].append(
            {"text": face.title, "xref": "paper", "yref": "paper", "x": sum(across) / 2, "y": up[1] + 0.005,
             "showarrow": False, "xanchor": "center", "yanchor": "bottom", "font": {"size": 14}}
        )  # fmt: skip
    return go.Figure(traces, layout)


def _gaps(values: np.ndarray) -> list[list[float | None]]:
    return [[None if np.isnan(v) else float(v) for v in row] for row in values]


def chart_layers(
    series: Mapping[str, Sequence[Mapping[str, float | None]]], title: str, dark: bool = False
) -> go.Figure:
    """Estimates with intervals, layer after layer, one sign per series; the line is chance."""
    colours = theme(dark)
    traces, count = [], max(len(series), 1)
    for number, (name, layers) in enumerate(series.items()):
        known = [(i, e) for i, e in enumerate(layers) if e["value"] is not None]
        values = [e["value"] for _, e in known]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": name,
                "x": [i + (number - (count - 1) / 2) * 0.16 for i, _ in known],
                "y": values,
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "width": 4,
                    "color": _COLOURS[number % len(_COLOURS)],
                    "array": [_gap(e["high"], e["value"]) for _, e in known],
                    "arrayminus": [_gap(e["value"], e["low"]) for _, e in known],
                },
                "marker": {
                    "symbol": _SIGNS[number % len(_SIGNS)],
                    "size": 11,
                    "color": _COLOURS[number % len(_COLOURS)],
                },
                "hovertemplate": f"{name}: %{{y:.2f}}<extra></extra>",
            }
        )
    layers_n = max((len(v) for v in series.values()), default=0)
    layout = _base(SERIES_PX, dark) | {
        "showlegend": True,
        "legend": LEGEND_ON_TOP,
        "xaxis": {"tickvals": list(range(layers_n)), "ticktext": [f"L{i + 1}" for i in range(layers_n)],
                  "range": [-0.5, layers_n - 0.5], "showgrid": False, "zeroline": False, "fixedrange": True,
                  "automargin": True},
        "yaxis": {"title": {"text": title, "font": {"size": 13}}, "fixedrange": True, "gridcolor": with_alpha(colours.faint, 0.35),
                  "zeroline": False, "automargin": True},
        "shapes": [{"type": "line", "x0": -0.5, "x1": layers_n - 0.5, "y0": 1, "y1": 1,
                    "line": {"color": colours.ink, "width": 1, "dash": "dot"}}],
    }  # fmt: skip
    return go.Figure(traces, layout)


def _gap(high: float | None, low: float | None) -> float:
    return 0.0 if high is None or low is None else max(high - low, 0.0)
