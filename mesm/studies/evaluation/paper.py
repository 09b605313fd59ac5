"""Draw matrices of emotions and reliability diagrams for paper (matplotlib), from `chart_data`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mesm.figures.page import COLOURS, FAINT, guide, new_figure
from mesm.studies.evaluation.chart_data import SHARE_TITLE, MatrixChart, ReliabilityChart

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_matrix(chart: MatrixChart, width: float) -> Figure:
    """Draw one or two square maps in cividis with their counts; two stand below each other in a narrow column."""
    panels, names = chart.panels, chart.names
    beside = width > 4.5 or len(panels) == 1
    columns = len(panels) if beside else 1
    rows = 1 if beside else len(panels)
    side = (width - 0.9) / columns if columns > 1 else min(width, 4.2) - 0.9
    figure = new_figure(width, rows * (side + 0.95) if len(panels) > 1 else min(width, 4.2) * 0.95)
    figure.set_layout_engine("compressed")  # maps are square: no empty bands between them
    drawn = figure.subplots(rows, columns, squeeze=False, sharey=beside).ravel()
    for number, (axes, panel) in enumerate(zip(drawn, panels, strict=True)):
        picture = axes.imshow(panel.shares, cmap="cividis", vmin=0, vmax=1, aspect="equal", interpolation="none")
        for (y, x), share in np.ndenumerate(panel.shares):
            axes.text(x, y, str(int(panel.counts[y, x])), ha="center", va="center", fontsize=6,
                      color="white" if share < 0.55 else "black")  # fmt: skip
        axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(names)), names)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        if panel.title:
            axes.set_title(panel.title)
        else:
            axes.set(xlabel=chart.column_title, ylabel=chart.row_title)
        if number == len(panels) - 1:
            bar = figure.colorbar(picture, ax=list(drawn), shrink=0.8, pad=0.02, aspect=30)
            bar.set_label(SHARE_TITLE)
            bar.outline.set_visible(False)
    return figure


def plot_reliability(chart: ReliabilityChart, width: float) -> Figure:
    """Draw the share of true answers over the score with intervals, and below it the number of scores."""
    figure = new_figure(width, min(width, 3.6) * 0.98)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    guide(upper, "both")
    upper.plot([0, 1], [0, 1], color=FAINT, linestyle=(0, (4, 2)), linewidth=0.8)
    error = [chart.below, chart.above]
    upper.errorbar(chart.x, chart.y, yerr=error, color=COLOURS[0], marker="o", capsize=1.5, elinewidth=0.8)
    upper.set(ylabel=chart.y_title, ylim=(0, 1), xlim=(0, 1))
    lower.bar(chart.centres, chart.counts, width=0.085, color=FAINT)
    lower.set(xlabel=chart.x_title, ylabel="scores")
    return figure
