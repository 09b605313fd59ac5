"""From which top-p on a clip has its answer: its flip point and its smallest sufficient p."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mesm.config import check_top_p
from mesm.records.prediction import Prediction

#: Where a clip is looked at first; the last, 1, is the answer that the others are compared with.
GRID: tuple[float, ...] = tuple(round(0.05 * step, 2) for step in range(1, 21))


@dataclass(frozen=True)
class FlipReport:
    """One clip's answers over top-p.

    Attributes:
        labels: emotion names, the order of the scores.
        top_ps: (P,) ascending, 1 last.
        scores: (P, E) fused scores.
        work: (P,) multiply-adds of convolutions and attention as a multiple of FE2E's; NaN where nothing is convolved.
        answer: the strongest label at p = 1.
        flip_p: going down from 1, the first p whose strongest label is another; None if there is none.
        sufficient_p: the smallest p whose strongest label is the answer: so much of the attention is enough.
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
        """The label with the highest score at each p."""
        return tuple(self.labels[e] for e in self.scores.argmax(1))


def flip_report(
    run: Callable[[float], Prediction], top_ps: Sequence[float] = GRID, *, precision: float = 0.01
) -> FlipReport:
    """Score one clip over a grid of p, and closer where its strongest label changes.

    Args:
        run: the prediction at a p, with its cost; e.g. `lambda p: predictor.run(prepared, p)`.
        top_ps: where to look first; 1 is added.
        precision: the two points are exact to this. A change back and forth between two neighbours of the grid is
            not seen.

    Raises:
        ConfigError: a p outside (0, 1].
    """
    found = {p: run(p) for p in sorted({*map(check_top_p, top_ps), 1.0})}
    answer = int(found[1.0].scores.argmax())

    def agrees(p: float) -> bool:
        if p not in found:
            found[p] = run(p)
        return int(found[p].scores.argmax()) == answer

    grid = list(found)
    others = [p for p in grid if not agrees(p)]
    flip = _last_of(agrees, max(others), grid[grid.index(max(others)) + 1], precision, False) if others else None
    first = next(p for p in grid if agrees(p))
    if first != grid[0]:
        first = _last_of(agrees, grid[grid.index(first) - 1], first, precision, True)
    order = sorted(found)
    dense = [found[p].macs.get("fe2e_conv_stack", 0) for p in order]
    work = [found[p].macs["conv_stack"] / whole if whole else np.nan for p, whole in zip(order, dense, strict=True)]
    return FlipReport(
        found[1.0].labels,
        np.array(order),
        np.stack([found[p].scores for p in order]),
        np.array(work),
        found[1.0].labels[answer],
        flip,
        first,
    )


def _last_of(agrees: Callable[[float], bool], below: float, above: float, precision: float, side: bool) -> float:
    """Halve the interval between a p that disagrees and one above that agrees; the end on the side asked for."""
    while above - below > precision + 1e-9:
        middle = round((below + above) / 2, 4)
        if agrees(middle):
            above = middle
        else:
            below = middle
    return above if side else below
