"""Measure how much attention is enough: each clip's decision over a grid of top-p."""

from __future__ import annotations

import numpy as np

from mesm.records.faithfulness import ClipSufficientP, SufficientP
from mesm.statistics import Speakers
from mesm.studies.faithfulness.evaluation_clips import EvaluationClips, Progress

GRID: tuple[float, ...] = tuple(round(0.05 * step, 2) for step in range(1, 21))


def first_steady(decided_PNE: np.ndarray) -> np.ndarray:
    """Return the (N,) index of the first p from which the decided labels equal those at the last p and stay so."""
    same_PN = (decided_PNE == decided_PNE[-1]).all(2)
    return len(same_PN) - np.cumprod(same_PN[::-1], axis=0).sum(0)


def decision_changes(decided_PNE: np.ndarray) -> np.ndarray:
    """Return (N, P - 1) bool: whether the decided labels differ between one p and the next."""
    return (decided_PNE[1:] != decided_PNE[:-1]).any(2).T


def sufficient_p(
    clips: EvaluationClips, grid: tuple[float, ...] = GRID, *, progress: Progress | None = None
) -> SufficientP:
    """Measure the smallest sufficient p and the changes of every clip's fused decision over a rising grid to 1."""
    assert grid[-1] == 1.0
    thresholds = clips.predictor.thresholds[list(clips.columns)]
    parts: list[np.ndarray] = []
    for _, _, prepared in clips.batches(progress):
        runs = [clips.branch_scores(clips.predictor.model.finish(prepared, p))["fused"] for p in grid]
        parts.append(np.stack(runs) >= thresholds)
    decided_PNE = np.concatenate(parts, axis=1)
    steady, changes = first_steady(decided_PNE), decision_changes(decided_PNE)
    values, speakers, size = np.array(grid), Speakers(clips.groups), clips.size
    low, middle, high = np.percentile(values[steady], [25, 50, 75], method="inverted_cdf")
    return SufficientP(
        size.clips,
        size.speakers,
        grid=tuple(grid),
        same_as_all=tuple(speakers.mean(row.astype(float)) for row in (decided_PNE == decided_PNE[-1]).all(2)),
        quartiles=(float(low), float(middle), float(high)),
        changes=speakers.mean(changes.sum(1).astype(float)),
        per_clip=ClipSufficientP(
            tuple(row.clip_id for row in clips.rows),
            tuple(values[steady].tolist()),
            tuple(tuple(values[1:][row].tolist()) for row in changes),
        ),
    )
