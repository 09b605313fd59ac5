"""Draw the charts of a sweep on the screen with plotly."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from mesm.figures.charts import PlotlyLayout, axes_layout, decoration, error_bars, trace, with_alpha
from mesm.figures.style import line_style, theme
from mesm.studies.sweep.chart_data import DENSE, REPORTED, ChartLine, ClipCostChart, LayersChart, SweepChart

SWEEP_PX, LAYERS_PX, CLIP_COST_PX = 470, 400, 300


def draw_sweep(chart: SweepChart, dark: bool = False) -> go.Figure:
    """Draw a line with its 95 % band per sweep, FE2E as a star, the paper's points faint, elbows ringed."""
    layout = axes_layout(SWEEP_PX, dark, chart.x_title, chart.y_title)
    if chart.view.log:
        layout["xaxis"] |= {"type": "log"}
    return go.Figure([trace for line in chart.lines for trace in _line_traces(line, dark)], layout)


def _line_traces(line: ChartLine, dark: bool) -> list[PlotlyLayout]:
    colours = theme(dark)
    hover = [
        f"{line.name}<br>" + (f"p = {p.top_p:g}, " if p.top_p is not None else "") + f"cost {p.x:.3g}<br>{p.y:.3g}"
        + (f", 95 % {p.low:.3g} to {p.high:.3g}" if p.low is not None else "") + "<extra></extra>"
        for p in line.points
    ]  # fmt: skip
    main = trace("scatter", line.x, line.y, name=line.name, hovertemplate=hover)
    if line.kind == REPORTED:
        stroke = {"color": colours.faint, "width": 1.5, "dash": "dot"}
        return [main | {"mode": "lines+markers", "line": stroke, "marker": {"symbol": "x-thin-open", "size": 7}}]
    bars = error_bars(*line.error_bars, thickness=1.5)
    if line.kind == DENSE:
        star = {"symbol": "star", "size": 14, "color": colours.ink}
        return [main | {"mode": "markers", "error_y": bars | {"color": colours.ink}, "marker": star}]
    colour = line.style.on_screen(dark)
    main |= {
        "mode": "lines+markers+text",
        "text": ["" if p.elbow else f"{p.top_p:g}" for p in line.points],  # the ring has its own words
        "textposition": "bottom right",
        "textfont": {"size": 11, "color": colour},
        "line": {"color": colour, "width": 2.5, "dash": line.style.screen_dash},
        "marker": {"symbol": line.style.screen_symbol, "size": 8},
    }
    elbows = [p for p in line.points if p.elbow]
    ring = {"symbol": "circle-open", "size": 17, "color": colours.ink, "line": {"width": 2}}
    labels = [p.elbow_label for p in elbows]
    rings = decoration([p.x for p in elbows], [p.y for p in elbows], "markers+text", text=labels, marker=ring)
    rings["textposition"] = "top center"
    if not line.has_band:
        return [main | {"error_y": bars}, rings]
    low, high = line.band
    fill: PlotlyLayout = {"fill": "toself", "fillcolor": with_alpha(colour, 0.22), "line": {"width": 0}}
    band = decoration(line.x + line.x[::-1], high + low[::-1], **fill)
    return [band, main, rings]


def draw_layers(chart: LayersChart, dark: bool = False) -> go.Figure:
    """Draw stacked bars of the cost of each part at every top-p; voice hatched."""
    edge = {"width": 0.5, "color": theme(dark).faint if dark else theme(dark).ground}
    hatch = {"pattern": {"shape": "/", "size": 7, "solidity": 0.2, "fillmode": "overlay"}}
    bars = [
        trace(
            "bar",
            chart.top_ps,
            bar.amounts,
            base=list(bottom),
            name=bar.name,
            showlegend=bar.in_legend,
            marker={"color": bar.colour, "line": edge, **(hatch if bar.hatched else {})},
            customdata=list(bar.amounts),
            hovertemplate=f"{bar.name}<br>p = %{{x}}: %{{customdata:.4f}} {chart.unit}<extra></extra>",
        )
        for bar, bottom in zip(chart.bars, chart.bottoms, strict=True)
    ]  # fmt: skip
    layout = axes_layout(LAYERS_PX, dark, chart.x_title, chart.y_title)
    layout["xaxis"] |= {"type": "category"}
    layout["legend"] = {"traceorder": "reversed", "font": {"size": 12}, "itemclick": False, "itemdoubleclick": False}
    return go.Figure(bars, layout | {"barmode": "overlay", "bargap": 0.25})


def draw_clip_cost(chart: ClipCostChart, dark: bool = False) -> go.Figure:
    """Draw a box per top-p over the clips: quartiles, whiskers around 95 %, outliers as dots."""
    names = ("lowerfence", "q1", "median", "q3", "upperfence")
    marks = np.transpose([box.marks for box in chart.boxes]).tolist()
    boxes = {
        "type": "box",
        "x": [box.top_p for box in chart.boxes],
        **dict(zip(names, marks, strict=True)),  # plotly's own whiskers end elsewhere
        "marker": {"color": line_style(0).on_screen(dark)},
        "line": {"width": 1.5},
        "showlegend": False,
    }
    points = [(box.top_p, value) for box in chart.boxes for value in box.outliers]
    dots = {"color": theme(dark).faint, "size": 3}
    outliers = decoration([top_p for top_p, _ in points], [value for _, value in points], "markers", marker=dots)
    layout = axes_layout(CLIP_COST_PX, dark, chart.x_title, chart.y_title)
    layout["yaxis"] |= {"rangemode": "tozero"}
    layout["xaxis"] |= {"type": "category"}
    return go.Figure([boxes, outliers], layout)
