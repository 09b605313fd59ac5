"""Learning curves as an exhibit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mesm.figures.export import Exhibit
from mesm.figures.tables import Row, Table
from mesm.studies.learning.paper import plot_learning_curves
from mesm.studies.learning.screen import LOSS, SCORES, Runs


def learning(runs: Runs) -> Exhibit:
    """Loss and validation scores of runs, epoch by epoch."""
    keys = (LOSS, *SCORES)
    rows = tuple(
        Row((name, int(row["epoch"]) + 1, *(row.get(key) for key, _ in keys)), ranked=False)
        for name, found in runs.items()
        for row in found
    )
    return Exhibit(
        name=f"learning-{'-'.join(runs)}",
        title="Learning curves",
        caption="Training loss, and F1, WAcc and AUC of the validation split in percent, per epoch; the best F1 is ringed.",
        command=f"mesm figure learning {' '.join(runs)}",
        origin={"runs": list(runs)},
        draw=lambda width: plot_learning_curves(runs, width),
        table=Table(("run", "epoch", *(words for _, words in keys)), rows, digits=3),
    )


def runs_table(runs: Mapping[str, tuple[Sequence[Mapping[str, Any]], Mapping[str, Any]]]) -> Exhibit:
    """Where runs stand: a line each, with the last epoch's loss and validation scores.

    Args:
        runs: name -> the lines of its metrics.jsonl and its config.
    """
    rows = []
    for name, (epochs, config) in runs.items():
        last = epochs[-1] if epochs else {}
        minutes = last["seconds"] / 60 if last.get("seconds") else None
        settings = (config.get("model", {}).get("name", ""), config.get("train", {}).get("seed"))
        scores = (last.get(key) for key in (LOSS[0], "valid_f1", "valid_wacc"))
        done = f"{len(epochs)} of {config.get('train', {}).get('epochs', '?')}"
        rows.append(Row((name, *settings, done, *scores, minutes), ranked=False))
    columns = ("run", "model", "seed", "epochs", "loss", "valid F1", "valid WAcc", "minutes")
    return Exhibit(
        name=f"runs-{'-'.join(runs)}",
        title="Training runs",
        caption="Training runs with the loss and the validation scores, in percent, of their last epoch.",
        command=f"mesm figure runs {' '.join(runs)}",
        origin={"runs": list(runs)},
        table=Table(columns, tuple(rows), digits=3),
    )
