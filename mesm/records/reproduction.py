"""Hold one line of a reproduced Table 3 or 4: scores over its seeds, size, work, time, and where its models come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mesm.json_form import Json
from mesm.records.evaluation import TimedOn
from mesm.records.seeds import SeedsMean, mean_from_schema_1


@dataclass(frozen=True)
class LineCheckpoint:
    """Hold the model of one seed.

    Attributes:
        origin: given on the command line, shipped with the corpus, or trained for the table.
        differs: settings in which it differs from the preset, such as "epochs 5, not 3".
        epochs: of its training; None where the checkpoint does not record it.
    """

    seed: int
    name: str
    sha256: str
    origin: Literal["given", "shipped", "trained"]
    differs: tuple[str, ...]
    epochs: int | None = None
    train_seconds: float | None = None


@dataclass(frozen=True)
class ReproducedLine(SeedsMean):
    """Hold one model's line of the table.

    Attributes:
        parameters: number of them.
        macs: mean multiply-adds per clip, everything but the text encoder.
        ms_per_clip: median milliseconds of one clip alone; None where no clip was timed.
    """

    parameters: int
    macs: int
    ms_per_clip: float | None
    timed_on: TimedOn
    checkpoints: tuple[LineCheckpoint, ...]


def from_schema_1(data: dict[str, Json]) -> dict[str, Json]:
    """Return a line of schema 1 in today's form."""
    own = ("parameters", "macs", "ms_per_clip", "timed_on", "checkpoints")
    return mean_from_schema_1(data) | {name: data[name] for name in own}
