"""Charts of one clip beyond its scores: the answer over top-p, and two answers side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from mesm.figures.charts import axes_layout, emotion_label
from mesm.figures.style import emotion_colour, theme
from mesm.records.prediction import Prediction

OVER_P_PX = 330
PAIR_PX = 330
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


def chart_scores_over_p(
    labels: Sequence[str],
    top_ps: np.ndarray,
    scores: np.ndarray,
    marks: Mapping[str, float],
    truth: Mapping[str, float] | None = None,
    dark: bool = False,
) -> go.Figure:
    """A line per emotion over top-p, and an upright line at each mark.

    Args:
        scores: (P, E) at the P values of `top_ps`.
        marks: words -> p.
    """
    colours = theme(dark)
    lines: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": top_ps.tolist(),
            "y": scores[:, e].tolist(),
            "name": emotion_label(name, truth),
            "line": {"color": emotion_colour(name, dark), "width": 2.5, "dash": _DASHES[e % len(_DASHES)]},
            "hovertemplate": f"{name}: %{{y:.2f}} at p = %{{x:.2f}}<extra></extra>",
        }
        for e, name in enumerate(labels)
    ]
    layout = axes_layout(OVER_P_PX, dark, "top-p", "score")
    layout["xaxis"] |= {"range": [0, 1.01], "dtick": 0.1}
    layout["yaxis"] |= {"range": [0, 1.02]}
    layout["shapes"] = [
        {
            "type": "line",
            "x0": p,
            "x1": p,
            "y0": 0,
            "y1": 1,
            "line": {"color": colours.ink, "width": 1.5, "dash": "dot"},
        }
        for p in marks.values()
    ]
    layout["annotations"] = [
        {"x": p, "y": 0.02 + 0.09 * n, "text": words, "showarrow": False, "xanchor": "left" if p < 0.7 else "right",
         "yanchor": "bottom", "bgcolor": colours.ground, "font": {"size": 13, "color": colours.ink}}
        for n, (words, p) in enumerate(marks.items())
    ]  # fmt: skip
    return go.Figure(lines, layout)


def chart_two_answers(
    first: Prediction,
    second: Prediction,
    names: tuple[str, str],
    truth: Mapping[str, float] | None = None,
    dark: bool = False,
) -> go.Figure:
    """Two bars per emotion that both score: filled the first answer, hollow the second."""
    shared = [label for label in first.labels if label in second.labels]
    rows = [emotion_label(label, truth) for label in shared]
    ink = theme(dark).ink
    bars = []
    for answer, name, hollow in ((first, names[0], False), (second, names[1], True)):
        colours = [emotion_colour(label, dark) for label in shared]
        fill = [theme(dark).ground] * len(shared) if hollow else colours
        bars.append(
            {
                "type": "bar",
                "orientation": "h",
                "y": rows,
                "x": [float(answer.scores[answer.labels.index(label)]) for label in shared],
                "name": name,
                "marker": {"color": fill, "line": {"width": 2, "color": colours if hollow else fill}},
                "hovertemplate": f"%{{y}}: %{{x:.2f}} {name}<extra></extra>",
                "showlegend": False,
            }
        )
    layout = axes_layout(PAIR_PX, dark, f"score; filled: {names[0]}, hollow: {names[1]}", "")
    layout["xaxis"] |= {"range": [0, 1.02], "dtick": 0.25}
    layout["yaxis"] |= {"showline": False, "ticks": "", "ticksuffix": "  ", "showgrid": False, "color": ink}
    layout["yaxis"] |= {"categoryorder": "array", "categoryarray": rows[::-1]}
    # Rows run down, but plotly stacks a group upwards: the second drawn stands above the first.
    return go.Figure(bars[::-1], layout | {"barmode": "group", "bargap": 0.3})
