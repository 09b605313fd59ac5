"""Learning curves as an exhibit."""

from __future__ import annotations

from mesm.figures.bundle import Exhibit
from mesm.figures.learning import LOSS, SCORES, Runs
from mesm.figures.static.learning import plot_learning_curves
from mesm.figures.tables import Row, Table


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
