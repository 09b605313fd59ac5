"""Compute the learning curves of training runs: losses, learning rate and validation scores by epoch, the best epoch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from mesm.errors import DataError
from mesm.figures.style import LINE_STYLES, LineStyle, line_style
from mesm.files import read_regular, write_atomic
from mesm.records.training_log import EpochReport

LOSS, VALID_LOSS, RATE = "loss", "valid_loss", "lr"
#: Field of a score in the log -> its name, in the order of their dashes.
SCORES: dict[str, str] = {"valid_f1": "F1", "valid_wacc": "WAcc", "valid_auc": "AUC"}
X_TITLE, LOSS_TITLE, SCORES_TITLE, RATE_TITLE = "epoch", "loss", "validation scores, %", "learning rate"
#: File in a run's folder with the number that fixes its colour.
_NUMBER = "colour.json"
_NUMBER_BYTES, _MOST_NUMBER = 20, 10**6


@dataclass(frozen=True)
class TrainingRun:
    """Hold one run in the form that the chart needs.

    Attributes:
        number: of `run_number`, from 0; fixes its colour.
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
        loss: of training, all objectives together.
        valid_loss: label loss on the validation split; empty for a log of an earlier version.
        rate: learning rate at the end of each epoch.
        scores: name of a score -> its curve, dashed as `score_styles` has it.
        best: epoch with the highest valid F1 and that F1; None before the first epoch.
    """

    name: str
    style: LineStyle
    loss: Series
    valid_loss: Series
    rate: Series
    scores: dict[str, Series]
    best: tuple[int, float] | None


@dataclass(frozen=True)
class LearningChart:
    """Hold the curves of some runs: losses, learning rate, and the scores of the validation split."""

    runs: tuple[RunCurves, ...]

    @property
    def score_styles(self) -> dict[str, LineStyle]:
        """Return the style whose dashes mark a score."""
        return dict(zip(SCORES.values(), LINE_STYLES, strict=False))

    @property
    def alt(self) -> str:
        """Describe the chart for readers who do not see it."""
        names = ", ".join(run.name for run in self.runs)
        return (
            f"Learning curves of {names}: training and validation loss, learning rate, and F1, WAcc and AUC of the "
            "validation split by epoch."
        )


def learning_chart(runs: Sequence[TrainingRun]) -> LearningChart:
    """Compute the curves of some runs."""
    curves = []
    for run in runs:
        scores = {name: _series(run.epochs, key) for key, name in SCORES.items()}
        f1 = scores[SCORES["valid_f1"]]
        best = max(f1.values, default=None)
        ring = None if best is None else (f1.epochs[f1.values.index(best)], best)
        loss, valid_loss, rate = (_series(run.epochs, key) for key in (LOSS, VALID_LOSS, RATE))
        curves.append(RunCurves(run.name, run_style(run.number), loss, valid_loss, rate, scores, ring))
    return LearningChart(tuple(curves))


def _series(epochs: Iterable[EpochReport], key: str) -> Series:
    known = [(row.epoch + 1, value) for row in epochs if (value := getattr(row, key)) is not None]
    return Series(tuple(epoch for epoch, _ in known), tuple(value for _, value in known))


def run_style(number: int) -> LineStyle:
    """Return the style of the run with this number; after six colours the markers differ."""
    style, turn = line_style(number), line_style(number + number // len(LINE_STYLES))
    return LineStyle(style.colour, style.dark_colour, style.dashes, turn.marker, style.screen_dash, turn.screen_symbol)


def run_number(folder: Path) -> int:
    """Return the number that fixes a run's colour; see `run_numbers`."""
    folder = folder.resolve()
    return run_numbers(folder.parent).get(folder.name, 0)


def run_numbers(parent: Path) -> dict[str, int]:
    """Return the number of each run in a folder: the lowest that no run beside it had when it was first seen.

    It is kept in the run's folder: other runs that come, go or are renamed do not change it. Where nothing can be
    written, it is the run's place in the order of creation.
    """
    runs = sorted((created, path) for path in parent.glob("[!.]*") if (created := run_created(path)))
    numbers = {path.name: number for _, path in runs if (number := _read_number(path)) is not None}
    for _, path in runs:
        if path.name not in numbers:
            taken = set(numbers.values())
            numbers[path.name] = next(number for number in count() if number not in taken)
            with contextlib.suppress(DataError):
                write_atomic(path / _NUMBER, f"{numbers[path.name]}\n".encode())
    return numbers


def _read_number(folder: Path) -> int | None:
    try:
        text = read_regular(folder / _NUMBER, _NUMBER_BYTES).decode(errors="replace").strip()
    except OSError:
        return None
    return int(text) if text.isascii() and text.isdigit() and int(text) < _MOST_NUMBER else None


def run_created(folder: Path) -> float:
    """Return the time when a run was created, by the first of its files; 0 for a folder that holds no run."""
    times = [
        path.stat().st_mtime
        for name in ("config.json", "recipe.json", "process.json")
        if (path := folder / name).is_file()
    ]
    return min(times, default=0.0)
