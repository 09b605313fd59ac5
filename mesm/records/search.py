"""Hold a search for settings: where it started, its space, every trial, and the best one's command."""

from __future__ import annotations

from dataclasses import dataclass

from mesm.json_form import Json


@dataclass(frozen=True)
class Trial:
    """Hold one run of a search.

    Attributes:
        state: complete, pruned (stopped because others were better at the same epoch) or failed.
        values: setting -> JSON.
        f1: on the validation split, in percent, of the epoch that the run keeps; of the last one if pruned.
        epochs: validation F1 of every epoch.
        error: why it failed.
    """

    number: int
    state: str
    values: dict[str, str]
    f1: float | None
    epochs: tuple[float, ...]
    seconds: float
    error: str = ""


@dataclass(frozen=True)
class SearchResult:
    """Hold a search and its trials so far.

    Attributes:
        preset: name of the preset that every trial starts from.
        split: on which trials are judged.
        base: configuration (model and training) that every trial starts from.
        space: setting -> list of choices or range, see `mesm.training.search`.
        best: number of the best complete trial; None without one.
        best_command: trains with its settings.
    """

    preset: str
    split: str
    metric: str
    base: dict[str, Json]
    space: dict[str, Json]
    trials: tuple[Trial, ...]
    best: int | None
    best_command: str | None
