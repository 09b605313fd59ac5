"""Build the figures of `mesm figure learning` and `mesm figure runs`, and draw them in print with matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from shlex import quote
from typing import TYPE_CHECKING, Any

from mesm.config import RunConfig
from mesm.figures.export import FigureExport, origin_of
from mesm.figures.page import INK, guide, new_figure
from mesm.figures.tables import Row, Table
from mesm.records.training_log import EpochReport
from mesm.studies.learning.chart_data import (
    LOSS,
    LOSS_TITLE,
    RATE_TITLE,
    SCORES,
    SCORES_TITLE,
    VALID_LOSS,
    X_TITLE,
    LearningChart,
    TrainingRun,
    learning_chart,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CURVES_CAPTION = (
    "Left: training loss with all objectives (solid) and label loss on the validation split (dashed), above the learning "
    "rate. Right: F1, WAcc and AUC of the validation split in percent. By epoch; ring: best F1."
)


def plot_learning_curves(chart: LearningChart, width: float) -> Figure:
    """Draw losses above the learning rate on the left, validation scores on the right; a colour per run, the best F1 ringed."""
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(width, 2.3 + 0.12 * len(chart.runs))
    panels = figure.subplot_mosaic([["loss", "scores"], ["rate", "scores"]], height_ratios=[2.2, 1])
    left, right, rate = panels["loss"], panels["scores"], panels["rate"]
    for axes in (left, right, rate):
        guide(axes, "both")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for number, run in enumerate(chart.runs):
        style: dict[str, Any] = {"color": run.style.colour, "marker": run.style.marker, "markersize": 2.5}
        left.plot(run.loss.epochs, run.loss.values, label=run.name, **style)
        left.plot(run.valid_loss.epochs, run.valid_loss.values, linestyle="--", **style)
        rate.plot(run.rate.epochs, run.rate.values, **style)
        for name, series in run.scores.items():
            dashes, label = chart.score_styles[name].dashes, name if number == 0 else None
            right.plot(series.epochs, series.values, linestyle=dashes, label=label, **style)
        if run.best is not None:
            right.plot(*run.best, marker="o", markersize=7, fillstyle="none", color=INK, markeredgewidth=0.8)
    left.set(ylabel=LOSS_TITLE)
    rate.set(xlabel=X_TITLE, ylabel=RATE_TITLE)
    rate.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    right.set(xlabel=X_TITLE, ylabel=SCORES_TITLE)
    left.legend(loc="best")
    right.legend(loc="best")
    return figure


def learning_export(runs: Sequence[TrainingRun]) -> FigureExport:
    """Build the learning curves of some runs."""
    chart, names = learning_chart(runs), [run.name for run in runs]
    keys = (LOSS, VALID_LOSS, *SCORES)
    rows = tuple(
        Row((run.name, row.epoch + 1, *(getattr(row, key) for key in keys), _rate_words(row)), ranked=False)
        for run in runs
        for row in run.epochs
    )
    return FigureExport(
        name=f"learning-{'-'.join(names)}",
        title="Learning curves",
        caption=CURVES_CAPTION,
        command=f"mesm figure learning {' '.join(map(quote, names))}",
        origin=origin_of(runs=names),
        draw=partial(plot_learning_curves, chart),
        table=Table(("run", "epoch", "training loss", "validation loss", *SCORES.values(), RATE_TITLE), rows, digits=3),
    )


def _rate_words(row: EpochReport) -> str | None:
    """Return a learning rate as text, which three decimals would round to nothing."""
    return None if row.lr is None else f"{row.lr:.3g}"


def runs_export(runs: Sequence[tuple[TrainingRun, RunConfig]]) -> FigureExport:
    """Build the table of runs: a line each, with the loss and the validation scores of the last epoch."""
    rows = []
    for run, config in runs:
        last = run.epochs[-1] if run.epochs else EpochReport(-1)
        minutes = last.seconds / 60 if last.seconds else None
        scores = (last.loss, last.valid_f1, last.valid_wacc)
        done = f"{len(run.epochs)} of {config.train.epochs}"
        rows.append(Row((run.name, config.model.name, config.train.seed, done, *scores, minutes), ranked=False))
    columns = ("run", "model", "seed", "epochs", "loss", "valid F1", "valid WAcc", "minutes")
    names = [run.name for run, _ in runs]
    return FigureExport(
        name=f"runs-{'-'.join(names)}",
        title="Training runs",
        caption="Training runs with the loss and the validation scores, in percent, of their last epoch.",
        command=f"mesm figure runs {' '.join(map(quote, names))}",
        origin=origin_of(runs=names),
        table=Table(columns, tuple(rows), digits=3),
    )
