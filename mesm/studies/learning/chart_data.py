"""Compute the learning curves of training runs: loss and validation scores by epoch, and the best epoch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mesm.figures.style import LINE_STYLES, LineStyle, line_style
from mesm.records.training_log import EpochReport

LOSS = "loss"
#: Field of a score in the log -> its name, in the order of their dashes.
SCORES: dict[str, str] = {"valid_f1": "F1", "valid_wacc": "WAcc", "valid_auc": "AUC"}
X_TITLE, LOSS_TITLE, SCORES_TITLE = "epoch", "training loss", "validation scores, %"


@dataclass(frozen=True)
class TrainingRun:
    """Hold one run in the form that the chart needs.

    Attributes:
        number: place in the order of creation among the runs of its folder, from 0; fixes its colour.
        epochs: lines of its log.
    """

    name: str
    number: int
    epochs: tuple[EpochReport, ...]


@dataclass(frozen=True)
class Series:
    """Hold the values over epochs, which are counted from 1; epochs without a value are missing."""

    epochs: tuple[int, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class RunCurves:
    """Hold the curves of one run.

    Attributes:
        style: colour and marker of the run.
        scores: name of a score -> its curve, dashed as `score_styles` has it.
        best: epoch with the highest valid F1 and that F1; None before the first epoch.
    """

    name: str
    style: LineStyle
    loss: Series
    scores: dict[str, Series]
    best: tuple[int, float] | None


@dataclass(frozen=True)
class LearningChart:
    """Hold the curves of some runs: the training loss, and the scores of the validation split."""

    runs: tuple[RunCurves, ...]

    @property
    def score_styles(self) -> dict[str, LineStyle]:
        """Return the style whose dashes mark a score."""
        return dict(zip(SCORES.values(), LINE_STYLES, strict=False))

    @property
    def alt(self) -> str:
        """Describe the chart for readers who do not see it."""
        names = ", ".join(run.name for run in self.runs)
        return f"Learning curves of {names}: training loss, and F1, WAcc and AUC of the validation split by epoch."


def learning_chart(runs: Sequence[TrainingRun]) -> LearningChart:
    """Compute the curves of some runs."""
    curves = []
    for run in runs:
        scores = {name: _series(run.epochs, key) for key, name in SCORES.items()}
        f1 = scores[SCORES["valid_f1"]]
        best = max(f1.values, default=None)
        ring = None if best is None else (f1.epochs[f1.values.index(best)], best)
        curves.append(RunCurves(run.name, run_style(run.number), _series(run.epochs, LOSS), scores, ring))
    return LearningChart(tuple(curves))


def _series(epochs: Iterable[EpochReport], key: str) -> Series:
    known = [(row.epoch + 1, value) for row in epochs if (value := getattr(row, key)) is not None]
    return Series(tuple(epoch for epoch, _ in known), tuple(value for _, value in known))


def run_style(number: int) -> LineStyle:
    """Return the style of the run that was created as this number; after six colours the markers differ."""
    style, turn = line_style(number), line_style(number + number // len(LINE_STYLES))
    return LineStyle(style.colour, style.dark_colour, style.dashes, turn.marker, style.screen_dash, turn.screen_symbol)


def creation_number(folder: Path) -> int:
    """Return the place of a run among the runs beside it, by the time when it was created.

    The place fixes the run's colour: a later run does not move it.
    """
    folder = folder.resolve()
    created, siblings = run_created(folder), (path for path in folder.parent.glob("*") if path != folder)
    earlier = [(time, path.name) for path in siblings if (time := run_created(path))]
    return sum(other < (created, folder.name) for other in earlier)


def run_created(folder: Path) -> float:
    """Return the time when a run was created, by the first of its files; 0 for a folder that holds no run."""
    times = [
        path.stat().st_mtime
        for name in ("config.json", "recipe.json", "process.json")
        if (path := folder / name).is_file()
    ]
    return min(times, default=0.0)
