"""Hold MESM under each guidance of its attention beside FE2E with the same budget, all trained in one reduced setup."""

from __future__ import annotations

from dataclasses import dataclass

from mesm.estimate import Estimate
from mesm.records.supervision import Supervision


@dataclass(frozen=True)
class GuidedRow:
    """Hold one trained model.

    Attributes:
        row: its name, which begins with the truth used in its training: labels, units or truth.
        what: the model in words.
        wacc: average over the emotions in percent, `f1` likewise.
        macs_ratio: share of FE2E's multiply-adds.
        supervision: of its attention; None for FE2E, which has none.
        kept: L lifts of the kept sites on the truly active units, 1 is chance; () for FE2E.
        own_over_other: L ratios of the lift on the shown emotion's units over that on other emotions' units.
        leak_auc: of the face's score for the text's emotion on neutral faces, 0.5 is no leak; None where not measured.
    """

    row: str
    what: str
    wacc: float
    f1: float
    macs_ratio: float
    supervision: Supervision | None = None
    kept: tuple[Estimate, ...] = ()
    own_over_other: tuple[Estimate, ...] = ()
    leak_auc: float | None = None


@dataclass(frozen=True)
class Guidance:
    """Hold the rows of one seed.

    Attributes:
        width: of the paper's channels.
        training_clips: of each training; 0 = all.
        epochs: of FE2E, and again of every other row.
        clips: of the scored split; `speakers` in it.
        top_p: nucleus mass of every MESM.
    """

    split: str
    top_p: float
    width: float
    training_clips: int
    epochs: int
    seed: int
    clips: int
    speakers: int
    rows: tuple[GuidedRow, ...]

    def row(self, name: str) -> GuidedRow | None:
        """Return a row by its name; None where it was not trained."""
        return next((row for row in self.rows if row.row == name), None)
