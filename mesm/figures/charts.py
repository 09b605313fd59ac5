"""Charts for the screen, as plotly figures. They draw records and compute nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from mesm.figures.style import MODALITY_SIGNS, MODALITY_WORDS, STAGE_WORDS, emotion_colour, theme
from mesm.records.prediction import Prediction

SCORES_PX = 350
WORK_PX = 220
#: Shades from dark to light for the stages of the work; the order separates them in grey print too.
_STAGE_COLOURS = ("#1B3A57", "#0072B2", "#56B4E9")
#: Tied to the picture, not to the plot: tied to the plot, it lies on the points once a window has grown wider.
LEGEND_ON_TOP: dict[str, Any] = {
    "orientation": "h",
    "x": 0,
    "y": 1,
    "yref": "container",
    "yanchor": "top",
    "itemclick": False,
    "itemdoubleclick": False,
}
#: Nothing here zooms or selects: a chart that moves under the finger is not the same picture any more.
PLOTLY_CONFIG: dict[str, Any] = {"displayModeBar": False, "scrollZoom": False, "doubleClick": False}


def chart_scores(prediction: Prediction, truth: Mapping[str, float] | None = None, dark: bool = False) -> go.Figure:
    """A bar per emotion for the fused score, a sign per modality alone, a tick at the threshold.

    Args:
        truth: emotion -> intensity; those above 0 are marked.
    """
    colours = theme(dark)
    names = [emotion_label(name, truth) for name in prediction.labels]
    bar = {
        "type": "bar",
        "orientation": "h",
        "y": names,
        "x": [float(s) for s in prediction.scores],
        "width": 0.62,
        "marker": {"color": [emotion_colour(name, dark) for name in prediction.labels], "line": {"width": 0}},
        "hovertemplate": "%{y}: %{x:.2f} all together<extra></extra>",
        "showlegend": False,
    }
    ticks = _signs(
        names,
        prediction.thresholds,
        "threshold",
        "%{y}: decided from %{x:.2f} on",
        {"symbol": "line-ns", "size": 24, "line": {"width": 2.5, "color": colours.ink}},
    )
    alone = [
        _signs(
            names,
            scores,
            f"{MODALITY_WORDS[modality]} alone",
            f"%{{y}}: %{{x:.2f}} from the {MODALITY_WORDS[modality]} alone",
            {
                "symbol": MODALITY_SIGNS[modality],
                "size": 10,
                "color": colours.ground,
                "line": {"width": 2, "color": colours.ink},
            },
        )
        for modality, scores in prediction.modality_scores.items()
    ]
    layout = _layout(SCORES_PX, dark, {"range": [0, 1.02], "dtick": 0.25}, "score", names)
    # One dict, checked once: setting a figure's parts one by one takes plotly ten times as long.
    return go.Figure([bar, ticks, *alone], layout)


def _signs(names: list[str], values: Sequence[float] | np.ndarray, name: str, hover: str, marker: dict) -> dict:
    return {
        "type": "scatter",
        "mode": "markers",
        "y": names,
        "x": [float(v) for v in values],
        "name": name,
        "hovertemplate": f"{hover}<extra></extra>",
        "marker": marker,
    }


def emotion_label(name: str, truth: Mapping[str, float] | None) -> str:
    """An emotion's name, in bold with its intensity where it is true of the clip."""
    intensity = (truth or {}).get(name, 0)
    return f"<b>{name} ✓ {intensity:g}</b>" if intensity > 0 else name


def chart_work(macs: Mapping[str, int], dark: bool = False) -> go.Figure:
    """The convolutions' multiply-adds of a clip beside FE2E's on the same faces and sounds.

    Args:
        macs: `Prediction.macs`, with the stages stem, attention and conv, and `fe2e_conv_stack`.
    """
    rows = ["this clip", "FE2E"]
    edge = theme(dark).faint if dark else theme(dark).ground  # else the darkest bar is lost on a dark ground
    stages = [
        (STAGE_WORDS[stage], colour, [macs.get(stage, 0) / 1e9, 0.0])
        for stage, colour in zip(("stem", "attention", "conv"), _STAGE_COLOURS, strict=True)
    ]
    stages.append(("all sites", theme(dark).faint, [0.0, macs.get("fe2e_conv_stack", 0) / 1e9]))
    bars = [
        {
            "type": "bar",
            "orientation": "h",
            "y": rows,
            "x": giga,
            "width": 0.6,
            "marker": {"color": colour, "line": {"width": 0.5, "color": edge}},
            "name": name,
            "hovertemplate": f"{name}: %{{x:.3f}} GMAC<extra></extra>",
        }
        for name, colour, giga in stages
    ]
    layout = _layout(WORK_PX, dark, {"rangemode": "tozero"}, "GMAC, 10⁹ multiply-adds", rows)
    return go.Figure(bars, layout | {"barmode": "stack"})


def _layout(height: int, dark: bool, x_axis: dict[str, Any], x_title: str, names: list[str]) -> dict[str, Any]:
    """What all charts share: fixed height, legend on top, no frame, the theme's ground, the first name on top."""
    colours = theme(dark)
    return {
        "height": height,
        "margin": {"l": 8, "r": 12, "t": 8, "b": 8},
        "legend": {**LEGEND_ON_TOP, "entrywidth": 80, "font": {"size": 12}, "traceorder": "normal"},
        "paper_bgcolor": colours.ground,
        "plot_bgcolor": colours.ground,
        "font": {"color": colours.ink, "size": 14},
        "dragmode": False,
        "hovermode": "closest",
        "bargap": 0.3,
        "template": {},  # plotly's own is two thirds of what would be sent, and nothing of it is seen here
        "xaxis": {
            "gridcolor": mixed(colours.faint, 0.35),
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


def mixed(colour: str, alpha: float) -> str:
    """`#RRGGBB` as a see-through colour."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha})"
