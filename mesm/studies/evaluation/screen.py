"""Draw matrices of emotions and reliability diagrams on the screen (plotly), from `chart_data`."""

from __future__ import annotations

import plotly.graph_objects as go

from mesm.figures.charts import axes_layout, colour_bar, error_bars, trace
from mesm.figures.page import COLOURS
from mesm.figures.style import theme
from mesm.studies.evaluation.chart_data import SHARE_TITLE, MatrixChart, MatrixPanel, ReliabilityChart

MATRIX_PX, RELIABILITY_PX = 400, 400
#: Side of the invisible point of a cell.
CELL_PX = 34


def chart_matrix(chart: MatrixChart, panel: MatrixPanel, dark: bool = False, clickable: bool = False) -> go.Figure:
    """Draw one panel as a square map in cividis: shades are shares of the row, texts are counts.

    Args:
        clickable: whether each cell with clips has an invisible point, because plotly selects points and no cells.
    """
    heatmap = trace(
        "heatmap", chart.names, chart.names, z=panel.shares.tolist(), zmin=0, zmax=1, xgap=1, ygap=1, colorscale="Cividis",
        text=[[str(int(v)) for v in row] for row in panel.counts], texttemplate="%{text}", textfont={"size": 13},
        colorbar=colour_bar(SHARE_TITLE, 12), hovertemplate="%{y} → %{x}: %{text} clips, %{z:.0%} of the row<extra></extra>",
    )  # fmt: skip
    layout = axes_layout(MATRIX_PX, dark, chart.column_title, chart.row_title)
    layout["xaxis"] |= {"showgrid": False, "showline": False, "ticks": "", "tickangle": -40}
    layout["yaxis"] |= {"showgrid": False, "showline": False, "ticks": "", "autorange": "reversed", "ticksuffix": "  "}
    cells = [
        (x, y)
        for y, row in zip(chart.names, panel.counts, strict=True)
        for x, n in zip(chart.names, row, strict=True)
        if n
    ]
    unseen = {"symbol": "square", "size": CELL_PX, "opacity": 0}
    points = trace("scatter", [x for x, _ in cells], [y for _, y in cells], mode="markers", marker=unseen,
                   hoverinfo="none", showlegend=False, selected={"marker": {"opacity": 0}},
                   unselected={"marker": {"opacity": 0}})  # fmt: skip
    return go.Figure([heatmap, points] if clickable else [heatmap], layout)


def chart_reliability(chart: ReliabilityChart, dark: bool = False) -> go.Figure:
    """Draw the share of true answers over the score with its interval; bars show the number of scores."""
    colours = theme(dark)
    largest = int(chart.counts.max(initial=1))
    bars = trace(
        "bar", chart.centres, 0.2 * chart.counts / largest, width=0.09, customdata=chart.counts.tolist(),
        marker={"color": colours.faint, "opacity": 0.35, "line": {"width": 0}},
        name=f"number of scores, at most {largest}", hovertemplate="%{customdata} scores<extra></extra>",
    )  # fmt: skip
    dashed = {"color": colours.faint, "dash": "dash", "width": 1.5}
    diagonal = trace("scatter", [0, 1], [0, 1], mode="lines", line=dashed, hoverinfo="skip", name="perfect calibration")
    curve = trace(
        "scatter", chart.x, chart.y, mode="lines+markers", error_y=error_bars(chart.below, chart.above, thickness=1.5),
        line={"color": COLOURS[0] if not dark else COLOURS[5], "width": 2.5}, marker={"size": 9}, name="this model",
        hovertemplate="score %{x:.2f}: %{y:.0%} true<extra></extra>",
    )  # fmt: skip
    layout = axes_layout(RELIABILITY_PX, dark, chart.x_title, chart.y_title)
    layout["xaxis"] |= {"range": [0, 1]}
    layout["yaxis"] |= {"range": [0, 1]}
    return go.Figure([bars, diagonal, curve], layout)
