"""Results on the screen, as plotly figures: the same matrices and bins as `static/results.py` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from mesm.figures.charts import axes_layout
from mesm.figures.page import COLOURS
from mesm.figures.style import theme
from mesm.studies.evaluation.paper import row_shares

MATRIX_PX, RELIABILITY_PX = 400, 400


def chart_matrix(names: Sequence[str], counts: np.ndarray, titles: tuple[str, str], dark: bool = False) -> go.Figure:
    """A square map in cividis, shares of the row as shade, counts as text, the first name on top.

    Args:
        titles: of the columns and of the rows.
    """
    shares = row_shares(counts)
    shown = {
        "type": "heatmap",
        "x": list(names),
        "y": list(names),
        "z": shares.tolist(),
        "text": [[str(int(v)) for v in row] for row in counts],
        "texttemplate": "%{text}",
        "textfont": {"size": 13},
        "colorscale": "Cividis",
        "zmin": 0,
        "zmax": 1,
        "xgap": 1,
        "ygap": 1,
        "colorbar": {
            "title": {"text": "share of the row", "side": "right", "font": {"size": 13}},
            "thickness": 12,
            "outlinewidth": 0,
            "tickfont": {"size": 12},
        },
        "hovertemplate": "%{y} → %{x}: %{text} clips, %{z:.0%} of the row<extra></extra>",
    }
    layout = axes_layout(MATRIX_PX, dark, *titles)
    layout["xaxis"] |= {"showgrid": False, "showline": False, "ticks": "", "tickangle": -40}
    layout["yaxis"] |= {"showgrid": False, "showline": False, "ticks": "", "autorange": "reversed", "ticksuffix": "  "}
    return go.Figure([shown], layout)


def chart_reliability(bins: Sequence[Any], dark: bool = False) -> go.Figure:
    """Share of true answers over the score with its interval; bars for the number of scores."""
    colours = theme(dark)
    largest = max((b.count for b in bins), default=1)
    bars = {
        "type": "bar",
        "x": [(b.low + b.high) / 2 for b in bins],
        "y": [0.2 * b.count / largest for b in bins],
        "width": 0.09,
        "marker": {"color": colours.faint, "opacity": 0.35, "line": {"width": 0}},
        "customdata": [b.count for b in bins],
        "name": f"number of scores, at most {largest}",
        "hovertemplate": "%{customdata} scores<extra></extra>",
    }
    ideal = {
        "type": "scatter",
        "x": [0, 1],
        "y": [0, 1],
        "mode": "lines",
        "line": {"color": colours.faint, "dash": "dash", "width": 1.5},
        "hoverinfo": "skip",
        "name": "a score is a probability",
    }
    found = {
        "type": "scatter",
        "x": [b.mean_score for b in bins],
        "y": [b.share_true for b in bins],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [max(b.interval[1] - b.share_true, 0) for b in bins],
            "arrayminus": [max(b.share_true - b.interval[0], 0) for b in bins],
            "thickness": 1.5,
        },
        "mode": "lines+markers",
        "line": {"color": COLOURS[0] if not dark else COLOURS[5], "width": 2.5},
        "marker": {"size": 9},
        "name": "this model",
        "hovertemplate": "score %{x:.2f}: %{y:.0%} true<extra></extra>",
    }
    layout = axes_layout(RELIABILITY_PX, dark, "score", "share that is true")
    layout["xaxis"] |= {"range": [0, 1]}
    layout["yaxis"] |= {"range": [0, 1]}
    return go.Figure([bars, ideal, found], layout)
