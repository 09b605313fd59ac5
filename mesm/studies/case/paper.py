"""Draw the charts of one clip for paper, with matplotlib: scores, scores over top-p, two predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mesm.figures.page import DASHES, INK, guide, new_figure
from mesm.figures.style import MODALITY_SHADES, MODALITY_WORDS, emotion_colour
from mesm.studies.case.chart_data import SCORE_RANGE, PairChart, ScoresChart, ScoresOverPChart
from mesm.studies.case.words import WordsChart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIGNS = {"text": "o", "visual": "s", "acoustic": "D"}


def plot_scores(chart: ScoresChart, width: float) -> Figure:
    """Draw a bar per emotion, the first on top; a hollow sign per modality alone, a tick at the threshold, truth in bold."""
    figure = new_figure(width, 0.62 + 0.2 * len(chart.labels))
    axes = figure.add_subplot()
    guide(axes, "x")
    rows = np.arange(len(chart.labels))
    axes.barh(rows, chart.scores, height=0.6, color=[emotion_colour(name) for name in chart.labels])
    axes.scatter(chart.thresholds, rows, marker="|", s=90, color=INK, linewidths=1.2, label="threshold", zorder=3)
    for modality, scores in chart.alone.items():
        axes.scatter(scores, rows, marker=_SIGNS[modality], s=11, facecolors="white", edgecolors=INK, linewidths=0.7,
                     label=f"{MODALITY_WORDS[modality]} alone", zorder=4)  # fmt: skip
    _name_rows(axes, chart.labels, chart.truth)
    axes.set(xlim=SCORE_RANGE, ylim=(len(rows) - 0.5, -0.5), xlabel=chart.axis_title)
    figure.legend(loc="outside upper left", ncols=4, handletextpad=0, handlelength=1.3, columnspacing=0.4)
    return figure


def plot_scores_over_p(chart: ScoresOverPChart, width: float) -> Figure:
    """Draw a line per emotion over top-p, and an upright line at each mark."""
    figure = new_figure(width, 2.3)
    axes = figure.add_subplot()
    guide(axes, "both")
    for e, name in enumerate(chart.labels):
        dashes = DASHES[e % len(DASHES)]
        axes.plot(chart.top_ps, chart.scores[:, e], color=emotion_colour(name), linestyle=dashes, label=name)
    for number, (words, p) in enumerate(chart.marks.items()):
        axes.axvline(p, color=INK, linewidth=0.7, linestyle=(0, (1, 1.5)))
        late = p > 0.7
        axes.annotate(
            words, (p, 0.03 + 0.09 * number), (-2 if late else 2, 0), textcoords="offset points",
            ha="right" if late else "left", fontsize=6.5,
        )  # fmt: skip
    axes.set(xlim=(0, 1.01), ylim=SCORE_RANGE, xlabel=chart.axis_titles[0], ylabel=chart.axis_titles[1])
    columns = min(6, len(chart.labels) if width > 4 else 3)
    figure.legend(loc="outside upper left", ncols=columns, columnspacing=0.8)
    return figure


def plot_pair(chart: PairChart, width: float) -> Figure:
    """Draw two bars per emotion, the first filled, the second hollow; truth in bold."""
    figure = new_figure(width, 0.62 + 0.28 * len(chart.labels))
    axes = figure.add_subplot()
    guide(axes, "x")
    rows = np.arange(len(chart.labels))
    colours = [emotion_colour(name) for name in chart.labels]
    for offset, scores, fill, name in zip((-0.19, 0.19), chart.scores, (colours, "white"), chart.names, strict=True):
        axes.barh(rows + offset, scores, height=0.36, color=fill, edgecolor=colours, linewidth=0.8, label=name)
    _name_rows(axes, chart.labels, chart.truth)
    title = chart.axis_title if width > 4.5 else chart.axis_title.replace("; ", "\n").replace(", hollow", ",\nhollow")
    axes.set(xlim=SCORE_RANGE, ylim=(len(rows) - 0.5, -0.5), xlabel=title)
    return figure


def plot_words(chart: WordsChart, width: float) -> Figure:
    """Draw a bar per word for the change of the score on the left, and one per modality for that of the mask on the right."""
    figure = new_figure(width, 0.75 + 0.17 * len(chart.words))
    panels = figure.subplots(1, 2 if chart.masks else 1, sharey=True, squeeze=False)[0]
    rows = np.arange(len(chart.words))
    for axes in panels:
        guide(axes, "x")
    panels[0].barh(rows, chart.change, height=0.6, color=emotion_colour(chart.emotion))
    panels[0].axvline(0, color=INK, linewidth=0.6)
    panels[0].set_yticks(rows, chart.words)
    panels[0].set(ylim=(len(rows) - 0.5, -0.5), xlabel="\nof ".join(chart.score_title.rsplit(" of ", 1)))
    height = 0.7 / max(len(chart.masks), 1)
    for number, (modality, shares) in enumerate(chart.masks.items()):
        panels[1].barh(rows - 0.35 + (number + 0.5) * height, shares, height=height,
                       color=MODALITY_SHADES[modality][1], label=f"{MODALITY_WORDS[modality]}'s mask")  # fmt: skip
    if chart.masks:
        panels[1].set(xlabel=chart.mask_title, xlim=(0, max(1.0, panels[1].get_xlim()[1])))
        figure.legend(loc="outside upper right", ncols=2, handlelength=1, columnspacing=0.8)
    for axes in panels:
        axes.tick_params(axis="y", length=0)
    return figure


def _name_rows(axes: Axes, labels: Sequence[str], truth: Sequence[float]) -> None:
    axes.set_yticks(np.arange(len(labels)), labels)
    for label, intensity in zip(axes.get_yticklabels(), truth, strict=True):
        label.set_fontweight("bold" if intensity > 0 else "normal")
    axes.tick_params(axis="y", length=0)
