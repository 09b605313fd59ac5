"""Charts for the screen, as plotly figures. They draw records and compute nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from mesm.figures.style import MODALITY_SIGNS, MODALITY_WORDS, STAGE_WORDS, emotion_colour, theme
from mesm.records import Prediction

SCORES_PX = 350
WORK_PX = 220
#: Shades from dark to light for the stages of the work; the order separates them in grey print too.
_STAGE_COLOURS = ("#1B3A57", "#0072B2", "#56B4E9")
#: Nothing here zooms or selects: a chart that moves under the finger is not the same picture any more.
PLOTLY_CONFIG: dict[str, Any] = {"displayModeBar": False, "scrollZoom": False, "doubleClick": False}


_LEGEND: dict[str, Any] = {
    "orientation": "h",
    "xref": "container",
    "x": 0,
    "y": 1.02,
    "yanchor": "bottom",
    "entrywidth": 105,
    "itemclick": False,
    "itemdoubleclick": False,
}


def chart_scores(prediction: Prediction, truth: Mapping[str, float] | None = None, dark: bool = False) -> go.Figure:
    """A bar per emotion for the fused score, a sign per modality alone, a tick at the threshold.

    Args:
        truth: emotion -> intensity; those above 0 are marked.
    """
    colours = theme(dark)
    names = [emotion_label(name, truth) for name in prediction.labels]
    figure = go.Figure()
    figure.add_bar(
        y=names,
        x=[float(s) for s in prediction.scores],
        orientation="h",
        width=0.62,
        marker={"color": [emotion_colour(name, dark) for name in prediction.labels], "line": {"width": 0}},
        name="all together",
        text=[f"{s:.2f}" for s in prediction.scores],
        textposition="none",
        hovertemplate="%{y}: %{x:.2f} all together<extra></extra>",
        showlegend=False,
    )
    figure.add_scatter(
        y=names,
        x=[float(t) for t in prediction.thresholds],
        mode="markers",
        marker={"symbol": "line-ns", "size": 24, "line": {"width": 2.5, "color": colours.ink}},
        name="threshold",
        hovertemplate="%{y}: decided from %{x:.2f} on<extra></extra>",
    )
    for modality, scores in prediction.modality_scores.items():
        figure.add_scatter(
            y=names,
            x=[float(s) for s in scores],
            mode="markers",
            marker={
                "symbol": MODALITY_SIGNS[modality],
                "size": 10,
                "color": colours.ground,
                "line": {"width": 2, "color": colours.ink},
            },
            name=f"{MODALITY_WORDS[modality]} alone",
            hovertemplate=f"%{{y}}: %{{x:.2f}} from the {MODALITY_WORDS[modality]} alone<extra></extra>",
        )
    _lay_out(figure, SCORES_PX, dark)
    figure.update_xaxes(range=[0, 1.02], title="score", dtick=0.25)
    figure.update_yaxes(categoryorder="array", categoryarray=names[::-1])
    return figure


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
    figure = go.Figure()
    for stage, colour in zip(("stem", "attention", "conv"), _STAGE_COLOURS, strict=True):
        giga = macs.get(stage, 0) / 1e9
        figure.add_bar(
            y=rows,
            x=[giga, 0],
            orientation="h",
            width=0.6,
            marker={"color": colour, "line": {"width": 0}},
            name=STAGE_WORDS[stage],
            hovertemplate=f"{STAGE_WORDS[stage]}: {giga:.3f} GMAC<extra></extra>",
        )
    dense = macs.get("fe2e_conv_stack", 0) / 1e9
    figure.add_bar(
        y=rows,
        x=[0, dense],
        orientation="h",
        width=0.6,
        marker={"color": theme(dark).faint, "line": {"width": 0}},
        name="dense",
        hovertemplate=f"FE2E: {dense:.3f} GMAC<extra></extra>",
    )
    _lay_out(figure, WORK_PX, dark)
    figure.update_layout(barmode="stack", legend_traceorder="normal")
    figure.update_xaxes(title="GMAC, 10⁹ multiply-adds", rangemode="tozero")
    figure.update_yaxes(categoryorder="array", categoryarray=rows[::-1])
    return figure


def _lay_out(figure: go.Figure, height: int, dark: bool) -> None:
    """What all charts share: fixed height, legend on top, no frame, the theme's ground."""
    colours = theme(dark)
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 12, "t": 8, "b": 8},
        legend={
            "orientation": "h",
            "y": 1.02,
            "yanchor": "bottom",
            "x": 0,
            "itemclick": False,
            "itemdoubleclick": False,
        },
        paper_bgcolor=colours.ground,
        plot_bgcolor=colours.ground,
        font={"color": colours.ink, "size": 14},
        dragmode=False,
        bargap=0.3,
    )
    figure.update_xaxes(
        gridcolor=_mixed(colours.faint, 0.35), zeroline=False, fixedrange=True, automargin=True, title_font_size=14
    )
    figure.update_yaxes(fixedrange=True, automargin=True, ticksuffix="  ")


def _mixed(colour: str, alpha: float) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha})"
