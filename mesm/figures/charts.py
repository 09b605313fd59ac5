"""Draw charts on the screen with plotly: the layouts that all charts share, and the charts of one prediction.

Start with `base_layout` and `axes_layout`; every `mesm/studies/<study>/screen.py` builds on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from mesm.figures.style import MODALITY_SIGNS, MODALITY_WORDS, STAGE_WORDS, emotion_colour, rgb, theme
from mesm.records.prediction import Prediction

SCORES_PX = 350
WORK_PX = 220
#: Shades from dark to light for the stages of the cost; the order separates them in grey print too.
_STAGE_COLOURS = ("#1B3A57", "#0072B2", "#56B4E9")
#: Anchored to the picture, not to the plot: anchored to the plot, it covers points after the window has grown.
LEGEND_ON_TOP: dict[str, Any] = {
    "orientation": "h",
    "x": 0,
    "y": 1,
    "yref": "container",
    "yanchor": "top",
    "itemclick": False,
    "itemdoubleclick": False,
}
#: No zoom and no selection: a chart keeps its axes, so that it stays comparable with its export.
PLOTLY_CONFIG: dict[str, Any] = {"displayModeBar": False, "scrollZoom": False, "doubleClick": False}


def chart_scores(prediction: Prediction, truth: Mapping[str, float] | None = None, dark: bool = False) -> go.Figure:
    """Draw the fused score of each emotion as a bar, single-modality scores as markers, thresholds as ticks.

    Args:
        truth: emotion -> intensity; emotions above 0 are marked.
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
    layout = _bars_layout(SCORES_PX, dark, {"range": [0, 1.02], "dtick": 0.25}, "score", names)
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
    """Return an emotion's name, in bold with its intensity where it is a label of the clip."""
    intensity = (truth or {}).get(name, 0)
    return f"<b>{name} ✓ {intensity:g}</b>" if intensity > 0 else name


def chart_work(macs: Mapping[str, int], dark: bool = False) -> go.Figure:
    """Draw the multiply-adds of a clip's convolutions and attention beside FE2E's on the same faces and mel chunks.

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
    layout = _bars_layout(WORK_PX, dark, {"rangemode": "tozero"}, "GMAC, 10⁹ multiply-adds", rows)
    return go.Figure(bars, layout | {"barmode": "stack"})


def base_layout(height: int, dark: bool, font_px: int = 14) -> dict[str, Any]:
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


def axes_layout(height: int, dark: bool, x_title: str, y_title: str) -> dict[str, Any]:
    """Return the layout of a chart with two numeric axes: legend on top, faint grid lines both ways."""
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
        "xaxis": {**axis, "title": {"text": x_title, "font": {"size": 14}}},
        "yaxis": {**axis, "title": {"text": y_title, "font": {"size": 14}, "standoff": 14}},
    }


def _bars_layout(height: int, dark: bool, x_axis: dict[str, Any], x_title: str, names: list[str]) -> dict[str, Any]:
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
