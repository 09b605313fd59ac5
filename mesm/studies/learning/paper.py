"""Draw learning curves in print with matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesm.figures.page import INK, guide, new_figure
from mesm.studies.learning.chart_data import LOSS_TITLE, SCORES_TITLE, X_TITLE, LearningChart

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_learning_curves(chart: LearningChart, width: float) -> Figure:
    """Draw the training loss on the left and the validation scores on the right; a colour per run, the best F1 ringed."""
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(width, 1.9 + 0.12 * len(chart.runs))
    left, right = figure.subplots(1, 2)
    for axes in (left, right):
        guide(axes, "both")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for number, run in enumerate(chart.runs):
        style = {"color": run.style.colour, "marker": run.style.marker, "markersize": 2.5}
        left.plot(run.loss.epochs, run.loss.values, label=run.name, **style)
        for name, series in run.scores.items():
            dashes, label = chart.score_styles[name].dashes, name if number == 0 else None
            right.plot(series.epochs, series.values, linestyle=dashes, label=label, **style)
        if run.best is not None:
            right.plot(*run.best, marker="o", markersize=7, fillstyle="none", color=INK, markeredgewidth=0.8)
    left.set(xlabel=X_TITLE, ylabel=LOSS_TITLE)
    right.set(xlabel=X_TITLE, ylabel=SCORES_TITLE)
    left.legend(loc="best")
    right.legend(loc="best")
    return figure
