"""Matrices of emotions and the reliability of scores: for paper."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mesm.figures.page import COLOURS, FAINT, guide, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def row_shares(counts: np.ndarray) -> np.ndarray:
    """Counts as shares of their row; of the diagonal where a clip may have several (co-occurrence)."""
    whole = np.maximum(counts.sum(axis=1), 1)[:, None]
    diagonal = np.maximum(np.diag(counts), 1)[:, None]
    symmetric = counts.shape[0] == counts.shape[1] and (counts == counts.T).all()
    return counts / (diagonal if symmetric else whole)


def plot_matrix(panels: Sequence[tuple[str, np.ndarray]], names: Sequence[str], width: float) -> Figure:
    """One or two square maps in cividis with their counts; shares of the row give the shade.

    Two stand below each other in a narrow column.
    """
    beside = width > 4.5 or len(panels) == 1
    columns = len(panels) if beside else 1
    rows = 1 if beside else len(panels)
    side = (width - 0.9) / columns if columns > 1 else min(width, 4.2) - 0.9
    figure = new_figure(width, rows * (side + 0.95) if len(panels) > 1 else min(width, 4.2) * 0.95)
    figure.set_layout_engine("compressed")  # maps are square: no empty bands between them
    drawn = figure.subplots(rows, columns, squeeze=False, sharey=beside).ravel()
    for number, (axes, (title, counts)) in enumerate(zip(drawn, panels, strict=True)):
        shares = row_shares(counts)
        picture = axes.imshow(shares, cmap="cividis", vmin=0, vmax=1, aspect="equal", interpolation="none")
        for (y, x), share in np.ndenumerate(shares):
            axes.text(x, y, str(int(counts[y, x])), ha="center", va="center", fontsize=6,
                      color="white" if share < 0.55 else "black")  # fmt: skip
        axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(names)), names)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        if title:
            axes.set_title(title)
        else:
            axes.set(xlabel="highest score", ylabel="true")
        if number == len(panels) - 1:
            bar = figure.colorbar(picture, ax=list(drawn), shrink=0.8, pad=0.02, aspect=30)
            bar.set_label("share of the row")
            bar.outline.set_visible(False)
    return figure


def plot_reliability(bins: Sequence[Any], width: float) -> Figure:
    """Share of true answers over the score, with intervals; below, how many scores there are."""
    figure = new_figure(width, min(width, 3.6) * 0.98)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    guide(upper, "both")
    upper.plot([0, 1], [0, 1], color=FAINT, linestyle=(0, (4, 2)), linewidth=0.8)
    x, y = [b.mean_score for b in bins], [b.share_true for b in bins]
    error = [[v - b.interval[0] for v, b in zip(y, bins, strict=True)],
             [b.interval[1] - v for v, b in zip(y, bins, strict=True)]]  # fmt: skip
    upper.errorbar(x, y, yerr=np.maximum(error, 0), color=COLOURS[0], marker="o", capsize=1.5, elinewidth=0.8)
    upper.set(ylabel="share that is true", ylim=(0, 1), xlim=(0, 1))
    lower.bar([(b.low + b.high) / 2 for b in bins], [b.count for b in bins], width=0.085, color=FAINT)
    lower.set(xlabel="score", ylabel="scores")
    return figure
