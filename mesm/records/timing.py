"""Hold the time that models take on one machine."""

from __future__ import annotations

from dataclasses import dataclass

from mesm.records.evaluation import TimedOn


@dataclass(frozen=True)
class TimedModel:
    """Hold the time of one model at one top-p.

    Attributes:
        checkpoint: its name.
        sha256: digest of its weights.
        top_p: nucleus mass; None for a model without attention.
        ms_per_clip: median milliseconds of one clip alone (`studies.evaluation.timing`).
    """

    checkpoint: str
    sha256: str
    top_p: float | None
    ms_per_clip: float


@dataclass(frozen=True)
class Timing:
    """Hold the times of several models, measured in turn in one process.

    Attributes:
        split: of the corpus that the clips are of.
        timed_on: the machine.
        models: one per checkpoint and top-p.
    """

    split: str
    timed_on: TimedOn
    models: tuple[TimedModel, ...]

    def ms(self, sha256: str, top_p: float | None) -> float | None:
        """Return the time of weights at a top-p; None if they were not timed."""
        return next((m.ms_per_clip for m in self.models if (m.sha256, m.top_p) == (sha256, top_p)), None)
