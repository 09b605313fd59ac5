"""How much of the attention is enough: every clip's decision over a grid of top-p."""

from __future__ import annotations

from typing import Any

import numpy as np

from mesm.studies.faithfulness.evaluation_clips import Clips, Progress, section
from mesm.studies.faithfulness.intervals import mean_estimate

GRID: tuple[float, ...] = tuple(round(0.05 * step, 2) for step in range(1, 21))


def first_steady(decided_PNE: np.ndarray) -> np.ndarray:
    """(N,) index of the first p from which the decided labels equal those at the last p and stay so."""
    same_PN = (decided_PNE == decided_PNE[-1]).all(2)
    return len(same_PN) - np.cumprod(same_PN[::-1], axis=0).sum(0)


def flips(decided_PNE: np.ndarray) -> np.ndarray:
    """(N, P - 1) bool: whether the decided labels change between one p and the next."""
    return (decided_PNE[1:] != decided_PNE[:-1]).any(2).T


def sufficient_p(clips: Clips, grid: tuple[float, ...] = GRID, *, progress: Progress | None = None) -> dict[str, Any]:
    """Smallest sufficient p and flip points of every clip, from the fused decided labels over an ascending grid to 1.

    Returns:
        `grid`; `same_as_all`: share of the clips that decide as at p = 1, at each p, with intervals over speakers;
        `sufficient` quartiles over the clips; `flips` per clip on average; and `per_clip`: `id`, `sufficient_p`, and
        `flips` (the p at which the decided labels are others than at the grid's p before).
    """
    assert grid[-1] == 1.0
    thresholds = clips.predictor.thresholds[list(clips.columns)]
    parts: list[np.ndarray] = []
    for _, prepared in clips.prepared(progress):
        runs = [clips.branch_scores(clips.predictor.model.finish(prepared, p))["fused"] for p in grid]
        parts.append(np.stack(runs) >= thresholds)
    decided_PNE = np.concatenate(parts, axis=1)
    steady, changes = first_steady(decided_PNE), flips(decided_PNE)
    values = np.array(grid)
    same_PN = (decided_PNE == decided_PNE[-1]).all(2)
    return section(
        clips,
        grid=list(grid),
        same_as_all=[mean_estimate(row.astype(float), clips.groups) for row in same_PN],
        sufficient=[float(v) for v in np.percentile(values[steady], [25, 50, 75], method="inverted_cdf")],
        flips=mean_estimate(changes.sum(1).astype(float), clips.groups),
        per_clip={
            "id": [row.clip_id for row in clips.rows],
            "sufficient_p": values[steady].tolist(),
            "flips": [values[1:][row].tolist() for row in changes],
        },
    )
