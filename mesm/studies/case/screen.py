"""Draw the charts of one clip for the screen, with plotly: scores, cost, scores over top-p, two predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from mesm.figures.charts import axes_layout, bars_layout, trace, with_alpha
from mesm.figures.style import MODALITY_SHADES, MODALITY_SIGNS, MODALITY_WORDS, STAGE_WORDS, emotion_colour, theme
from mesm.studies.case.chart_data import SCORE_RANGE, PairChart, ScoresChart, ScoresOverPChart
from mesm.studies.case.words import WordsChart

SCORES_PX = 270
WORK_PX = 220
OVER_P_PX = 330
PAIR_PX = 330
#: Height of a word of `chart_words`, and of its axis and legend.
WORD_PX, WORDS_EXTRA_PX = 26, 96
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
#: Shades from dark to light for the stages of the work; the order separates them in grey print too.
_STAGE_COLOURS = ("#1B3A57", "#0072B2", "#56B4E9")


def chart_scores(chart: ScoresChart, dark: bool = False) -> go.Figure:
    """Draw a bar per emotion for the fused score, a sign per modality alone, a tick at the threshold."""
    colours = theme(dark)
    names = _row_names(chart.labels, chart.truth)
    fill = {"color": [emotion_colour(name, dark) for name in chart.labels], "line": {"width": 0}}
    hover = "%{y}: %{x:.2f} fused<extra></extra>"
    bar = trace(
        "bar", chart.scores, names, orientation="h", width=0.62, marker=fill, hovertemplate=hover, showlegend=False
    )
    tick = {"symbol": "line-ns", "size": 24, "line": {"width": 2.5, "color": colours.ink}}
    signs = [trace("scatter", chart.thresholds, names, mode="markers", name="threshold", marker=tick,
                   hovertemplate="%{y}: threshold %{x:.2f}<extra></extra>")]  # fmt: skip
    for modality, scores in chart.alone.items():
        word, sign = MODALITY_WORDS[modality], {"symbol": MODALITY_SIGNS[modality], "size": 10, "color": colours.ground}
        signs.append(
            trace("scatter", scores, names, mode="markers", name=f"{word} alone",
                  marker=sign | {"line": {"width": 2, "color": colours.ink}},
                  hovertemplate=f"%{{y}}: %{{x:.2f}} from the {word} alone<extra></extra>")
        )  # fmt: skip
    layout = bars_layout(SCORES_PX, dark, {"range": [*SCORE_RANGE], "dtick": 0.25}, chart.axis_title, names)
    layout["showlegend"] = False  # its lines take the place of the bars; the caption explains the signs
    # One dict, checked once: setting a figure's parts one by one takes plotly ten times as long.
    return go.Figure([bar, *signs], layout)


def _row_names(labels: Sequence[str], truth: Sequence[float]) -> list[str]:
    """Return the emotions' names, in bold with the intensity where an emotion is true of the clip."""
    return [
        f"<b>{name} ✓ {intensity:g}</b>" if intensity > 0 else name
        for name, intensity in zip(labels, truth, strict=True)
    ]


def chart_work(macs: Mapping[str, int], dark: bool = False) -> go.Figure:
    """Draw the multiply-adds of a clip's convolutions and attention, `Prediction.macs`, beside FE2E's on the same segments."""
    rows = ["this clip", "FE2E"]
    edge = theme(dark).faint if dark else theme(dark).ground  # else the darkest bar is lost on a dark ground
    stages = [
        (STAGE_WORDS[stage], colour, [macs.get(stage, 0) / 1e9, 0.0])
        for stage, colour in zip(("stem", "attention", "conv"), _STAGE_COLOURS, strict=True)
    ]
    stages.append(("all sites", theme(dark).faint, [0.0, macs.get("fe2e_conv_stack", 0) / 1e9]))
    bars = [
        trace("bar", giga, rows, orientation="h", width=0.6, name=name,
              marker={"color": colour, "line": {"width": 0.5, "color": edge}},
              hovertemplate=f"{name}: %{{x:.3f}} GMAC<extra></extra>")
        for name, colour, giga in stages
    ]  # fmt: skip
    layout = bars_layout(WORK_PX, dark, {"rangemode": "tozero"}, "GMAC, 10⁹ multiply-adds", rows)
    return go.Figure(bars, layout | {"barmode": "stack"})


def chart_scores_over_p(chart: ScoresOverPChart, dark: bool = False) -> go.Figure:
    """Draw a line per emotion over top-p, and an upright line at each mark."""
    colours = theme(dark)
    lines = [
        trace("scatter", chart.top_ps, chart.scores[:, e], mode="lines", name=row,
              line={"color": emotion_colour(name, dark), "width": 2.5, "dash": _DASHES[e % len(_DASHES)]},
              hovertemplate=f"{name}: %{{y:.2f}} at p = %{{x:.2f}}<extra></extra>")
        for e, (name, row) in enumerate(zip(chart.labels, _row_names(chart.labels, chart.truth), strict=True))
    ]  # fmt: skip
    layout = axes_layout(OVER_P_PX, dark, *chart.axis_titles)
    layout["xaxis"] |= {"range": [0, 1.01], "dtick": 0.1}
    layout["yaxis"] |= {"range": [*SCORE_RANGE]}
    stroke = {"color": colours.ink, "width": 1.5, "dash": "dot"}
    layout["shapes"] = [
        {"type": "line", "x0": p, "x1": p, "y0": 0, "y1": 1, "line": stroke} for p in chart.marks.values()
    ]
    layout["annotations"] = [
        {"x": p, "y": 0.02 + 0.09 * n, "text": words, "showarrow": False, "xanchor": "left" if p < 0.7 else "right",
         "yanchor": "bottom", "bgcolor": colours.ground, "font": {"size": 13, "color": colours.ink}}
        for n, (words, p) in enumerate(chart.marks.items())
    ]  # fmt: skip
    return go.Figure(lines, layout)


def chart_pair(chart: PairChart, dark: bool = False) -> go.Figure:
    """Draw two bars per emotion that both predictions score: filled the first, hollow the second."""
    rows = _row_names(chart.labels, chart.truth)
    colours = [emotion_colour(label, dark) for label in chart.labels]
    bars = []
    for scores, name, hollow in zip(chart.scores, chart.names, (False, True), strict=True):
        fill = [theme(dark).ground] * len(rows) if hollow else colours
        look = {
            "marker": {"color": fill, "line": {"width": 2, "color": colours if hollow else fill}},
            "showlegend": False,
        }
        hover = f"%{{y}}: %{{x:.2f}} {name}<extra></extra>"
        bars.append(trace("bar", scores, rows, orientation="h", name=name, hovertemplate=hover, **look))
    layout = axes_layout(PAIR_PX, dark, chart.axis_title, "")
    layout["xaxis"] |= {"range": [*SCORE_RANGE], "dtick": 0.25}
    layout["yaxis"] |= {"showline": False, "ticks": "", "ticksuffix": "  ", "showgrid": False}
    layout["yaxis"] |= {"color": theme(dark).ink, "categoryorder": "array", "categoryarray": rows[::-1]}
    # Rows run down, but plotly stacks a group upwards: the second drawn stands above the first.
    return go.Figure(bars[::-1], layout | {"barmode": "group", "bargap": 0.3})


def chart_words(chart: WordsChart, dark: bool = False) -> go.Figure:
    """Draw a bar per word for the change of the score on the left, and one per modality for that of the mask on the right."""
    rows = list(range(len(chart.words)))
    bars = [
        trace("bar", chart.change, rows, orientation="h", name=f"score of {chart.emotion}", showlegend=False,
              customdata=chart.words, marker={"color": emotion_colour(chart.emotion, dark)},
              hovertemplate="without %{customdata}: %{x:+.3f}<extra></extra>")
    ]  # fmt: skip
    layout = axes_layout(WORDS_EXTRA_PX + WORD_PX * len(rows), dark, chart.score_title, "")
    layout["yaxis"] |= {"tickvals": rows, "ticktext": [f"{word}  " for word in chart.words], "showline": False}
    layout["yaxis"] |= {"ticks": "", "showgrid": False, "color": theme(dark).ink, "range": [len(rows) - 0.4, -0.6]}
    reach = max(0.05, 1.1 * float(abs(chart.change).max(initial=0)))
    layout["xaxis"] |= {"range": [-reach, reach], "zeroline": True, "zerolinecolor": with_alpha(theme(dark).ink, 0.6)}
    for modality, shares in chart.masks.items():
        bars.append(
            trace("bar", shares, rows, orientation="h", name=f"{MODALITY_WORDS[modality]}'s mask", xaxis="x2",
                  customdata=chart.words, marker={"color": MODALITY_SHADES[modality][2 if dark else 1]},
                  hovertemplate="without %{customdata}: %{x:.2f} % of the sites<extra></extra>")
        )  # fmt: skip
    if chart.masks:
        most = max(float(shares.max(initial=0)) for shares in chart.masks.values())
        title = layout["xaxis"]["title"] | {"text": chart.mask_title}
        layout["xaxis2"] = layout["xaxis"] | {"domain": [0.54, 1], "title": title, "range": [0, max(1.1 * most, 1)]}
        layout["xaxis"] |= {"domain": [0, 0.5]}
    return go.Figure(bars, layout | {"barmode": "group", "bargap": 0.25})
