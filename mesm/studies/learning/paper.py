"""Learning curves for paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mesm.figures.page import COLOURS, DASHES, INK, MARKERS, guide, new_figure
from mesm.studies.learning.screen import LOSS, SCORES, Runs, best_epoch, curve

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_learning_curves(runs: Runs, width: float) -> Figure:
    """Left the training loss, right the scores of the validation split; a colour per run, the best F1 ringed."""
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(width, 1.9 + 0.12 * len(runs))
    left, right = figure.subplots(1, 2)
    for axes in (left, right):
        guide(axes, "both")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for number, (name, rows) in enumerate(runs.items()):
        look = {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)], "markersize": 2.5}
        left.plot(*curve(rows, LOSS[0]), label=name, **look)
        for (key, words), dashes in zip(SCORES, DASHES, strict=False):
            right.plot(*curve(rows, key), linestyle=dashes, label=words if number == 0 else None, **look)
        best = best_epoch(rows)
        if best is not None:
            x, y = curve(rows, "valid_f1")
            right.plot(
                best, y[x.index(best)], marker="o", markersize=7, fillstyle="none", color=INK, markeredgewidth=0.8
            )
    left.set(xlabel="epoch", ylabel=LOSS[1])
    right.set(xlabel="epoch", ylabel="valid, %")
    left.legend(loc="best")
    right.legend(loc="best")
    return figure
