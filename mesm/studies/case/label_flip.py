"""Find the top-p at which a clip's top label changes, and the smallest top-p from which on it stays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mesm.config import check_top_p
from mesm.records.prediction import Prediction

#: Scanned first; the last, 1, has the top label that the others are compared with.
GRID: tuple[float, ...] = tuple(round(0.05 * step, 2) for step in range(1, 21))


@dataclass(frozen=True)
class FlipReport:
    """Hold one clip's scores over top-p.

    Attributes:
        labels: emotion names, the order of the scores.
        top_ps: (P,) ascending, 1 last.
        scores: (P, E) fused scores.
        work: (P,) multiply-adds of convolutions and attention as a multiple of FE2E's; NaN where nothing is convolved.
        answer: the top label at p = 1.
        flip_p: lowering p from 1, the first value at which the top label changes; None if it does not.
        sufficient_p: the smallest p from which on the top label is that of p = 1; right above `flip_p`, if there is one.
    """

    labels: tuple[str, ...]
    top_ps: np.ndarray
    scores: np.ndarray
    work: np.ndarray
    answer: str
    flip_p: float | None
    sufficient_p: float

    @property
    def strongest(self) -> tuple[str, ...]:
        """Return the top label at each p."""
        return tuple(self.labels[e] for e in self.scores.argmax(1))


def flip_report(
    run: Callable[[float], Prediction], top_ps: Sequence[float] = GRID, *, precision: float = 0.01
) -> FlipReport:
    """Score one clip over a grid of p, and bisect where its top label changes.

    Args:
        run: the prediction at a p, with its cost; e.g. `lambda p: predictor.run(prepared, p)`.
        top_ps: scanned first; 1 is added.
        precision: distance of `flip_p` and `sufficient_p`. Reversals between two neighbours of the grid are missed.

    Raises:
        ConfigError: a p outside (0, 1].
    """
    predictions = {p: run(p) for p in sorted({*map(check_top_p, top_ps), 1.0})}
    answer = int(predictions[1.0].scores.argmax())

    def agrees(p: float) -> bool:
        if p not in predictions:
            predictions[p] = run(p)
        return int(predictions[p].scores.argmax()) == answer

    grid = list(predictions)
    others = [p for p in grid if not agrees(p)]
    flip, sufficient = None, grid[0]
    if others:
        flip, sufficient = _bisect(agrees, max(others), grid[grid.index(max(others)) + 1], precision)
    order = sorted(predictions)
    dense = [predictions[p].macs.get("fe2e_conv_stack", 0) for p in order]
    work = [
        predictions[p].macs["conv_stack"] / whole if whole else np.nan for p, whole in zip(order, dense, strict=True)
    ]
    return FlipReport(
        predictions[1.0].labels,
        np.array(order),
        np.stack([predictions[p].scores for p in order]),
        np.array(work),
        predictions[1.0].labels[answer],
        flip,
        sufficient,
    )


def _bisect(agrees: Callable[[float], bool], below: float, above: float, precision: float) -> tuple[float, float]:
    """Return a p that disagrees and one above it that agrees, `precision` apart, between two such."""
    while above - below > precision + 1e-9:
        middle = round((below + above) / 2, 4)
        if agrees(middle):
            above = middle
        else:
            below = middle
    return below, above
