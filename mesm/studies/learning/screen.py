"""Draw learning curves on the screen with plotly."""

from __future__ import annotations

import plotly.graph_objects as go

from mesm.figures.charts import PlotlyLayout, axes_layout
from mesm.figures.style import theme
from mesm.studies.learning.chart_data import LOSS_TITLE, RATE_TITLE, SCORES_TITLE, X_TITLE, LearningChart

LEARNING_PX = 380


def draw_learning_curves(chart: LearningChart, dark: bool = False) -> go.Figure:
    """Draw losses above the learning rate on the left, validation scores on the right; a colour per run, the best F1 ringed.

    The legend names the runs by their colour and the scores by their dashes, once each; the validation loss is dashed.
    """
    traces: list[PlotlyLayout] = []
    for run in chart.runs:
        colour, symbol = run.style.on_screen(dark), run.style.screen_symbol
        base = {"type": "scatter", "mode": "lines+markers", "marker": {"symbol": symbol, "size": 6}}
        traces.append(
            base
            | {"x": list(run.loss.epochs), "y": list(run.loss.values), "name": run.name,
               "line": {"color": colour, "width": 2.5},
               "hovertemplate": f"{run.name}<br>epoch %{{x}}: loss %{{y:.3f}}<extra></extra>"}
        )  # fmt: skip
        unnamed = {"showlegend": False}
        traces.append(
            base
            | unnamed
            | {"x": list(run.valid_loss.epochs), "y": list(run.valid_loss.values), "name": f"{run.name}: validation loss",
               "line": {"color": colour, "width": 2, "dash": "dash"},
               "hovertemplate": f"{run.name}<br>epoch %{{x}}: validation loss %{{y:.3f}}<extra></extra>"}
        )  # fmt: skip
        traces.append(
            base
            | unnamed
            | {"x": list(run.rate.epochs), "y": list(run.rate.values), "name": f"{run.name}: {RATE_TITLE}",
               "yaxis": "y3", "line": {"color": colour, "width": 2},
               "hovertemplate": f"{run.name}<br>epoch %{{x}}: {RATE_TITLE} %{{y:.2g}}<extra></extra>"}
        )  # fmt: skip
        second = {"xaxis": "x2", "yaxis": "y2", "showlegend": False}
        for name, series in run.scores.items():
            stroke = {"color": colour, "width": 2.5, "dash": chart.score_styles[name].screen_dash}
            traces.append(
                base
                | second
                | {"x": list(series.epochs), "y": list(series.values), "name": f"{run.name}: {name}", "line": stroke,
                   "hovertemplate": f"{run.name}<br>epoch %{{x}}: {name} %{{y:.1f}}<extra></extra>"}
            )  # fmt: skip
        if run.best is not None:
            ring = {"symbol": "circle-open", "size": 14, "color": theme(dark).ink, "line": {"width": 2}}
            traces.append(
                second
                | {"type": "scatter", "mode": "markers", "x": [run.best[0]], "y": [run.best[1]], "marker": ring,
                   "name": f"{run.name}: best F1", "hoverinfo": "skip"}
            )  # fmt: skip
    traces += [
        {"type": "scatter", "mode": "lines", "x": [None], "y": [None], "name": name,
         "line": {"color": theme(dark).ink, "width": 2, "dash": style.screen_dash}}
        for name, style in chart.score_styles.items()
    ]  # fmt: skip
    layout = axes_layout(LEARNING_PX, dark, X_TITLE, LOSS_TITLE)
    whole = {"tickformat": "d"}
    layout["xaxis2"] = {**layout["xaxis"], **whole, "domain": [0.53, 1], "anchor": "y2"}
    layout["yaxis2"] = {
        **layout["yaxis"],
        "anchor": "x2",
        "side": "right",
        "title": layout["yaxis"]["title"] | {"text": SCORES_TITLE},
    }
    layout["yaxis3"] = {**layout["yaxis"], "domain": [0, 0.24], "exponentformat": "e", "nticks": 3}
    layout["yaxis3"]["title"] = layout["yaxis"]["title"] | {"text": RATE_TITLE}
    layout["yaxis"]["domain"] = [0.36, 1]
    layout["xaxis"] = {**layout["xaxis"], **whole, "domain": [0, 0.47], "anchor": "y3"}
    return go.Figure(traces, layout)
