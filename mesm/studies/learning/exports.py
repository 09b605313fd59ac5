"""Build the figures of `mesm figure learning` and `mesm figure runs`."""

from __future__ import annotations

from collections.abc import Sequence

from mesm.config import RunConfig
from mesm.figures.export import FigureExport, origin_of
from mesm.figures.tables import Row, Table
from mesm.records.training_log import EpochReport
from mesm.studies.learning.chart_data import LOSS, LOSS_TITLE, SCORES, TrainingRun, learning_chart
from mesm.studies.learning.paper import plot_learning_curves


def learning_export(runs: Sequence[TrainingRun]) -> FigureExport:
    """Build the learning curves of some runs."""
    chart, names = learning_chart(runs), [run.name for run in runs]
    keys = (LOSS, *SCORES)
    rows = tuple(
        Row((run.name, row.epoch + 1, *(getattr(row, key) for key in keys)), ranked=False)
        for run in runs
        for row in run.epochs
    )
    return FigureExport(
        name=f"learning-{'-'.join(names)}",
        title="Learning curves",
        caption="Training loss, and F1, WAcc and AUC of the validation split in percent, by epoch. Ring: best F1.",
        command=f"mesm figure learning {' '.join(names)}",
        origin=origin_of(runs=names),
        draw=lambda width: plot_learning_curves(chart, width),
        table=Table(("run", "epoch", LOSS_TITLE, *SCORES.values()), rows, digits=3),
    )


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
        command=f"mesm figure runs {' '.join(names)}",
        origin=origin_of(runs=names),
        table=Table(columns, tuple(rows), digits=3),
    )
