"""How long does a frame of the demo corpus take, and a clip? One process, one thread.

    python -m benchmarks.marionette --json out.json
    python -m benchmarks.marionette --clock cpu        on a busy machine

A frame: another expression and view of another person each time, at 96 px and at the size that the corpus films, from the
posed head to the JPEG-coded picture. A clip: speech, film, ground truth and ingestion, everything that the corpus stores.
"""

from __future__ import annotations

import argparse
import json
import statistics

import numpy as np
import torch

from benchmarks.timing import CLOCKS, conditions, interleaved_ms
from mesm.data.marionette.action_units import prototype_vector
from mesm.data.marionette.build import identity, make_numbered
from mesm.data.marionette.clips import FRAME_PX
from mesm.data.marionette.head import shared_head
from mesm.data.marionette.performance import draw_view
from mesm.data.marionette.problem import LABELS
from mesm.data.marionette.scene import render
from mesm.files import write_atomic

PEOPLE = 8


def frames_ms(size_px: int, turns: int, clock: str) -> list[float]:
    """Milliseconds of each of `turns` frames for each of `PEOPLE`, whose making is not counted."""
    head, rng = shared_head(), np.random.default_rng(0)

    def one(person: int) -> None:
        units = prototype_vector(LABELS[int(rng.integers(len(LABELS)))]) * rng.uniform(0.3, 1)
        render(head, identity(0, person), units, draw_view(rng), size_px)

    runs = {person: lambda person=person: one(person) for person in range(PEOPLE)}  # type: ignore[misc]
    times = interleaved_ms(runs, turns, clock=clock)
    return [ms for each in times.values() for ms in each]


def main() -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json")
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--clock", choices=sorted(CLOCKS), default="wall")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    measured: dict[str, float] = {}
    for size_px in (96, FRAME_PX):
        measured[f"frame_{size_px}px_ms"] = round(
            statistics.median(frames_ms(size_px, arguments.turns, arguments.clock)), 2
        )
    clips = iter(range(10_000))
    runs = {"clip": lambda: make_numbered(0, next(clips), 240)}
    measured["clip_ms"] = round(
        statistics.median(interleaved_ms(runs, arguments.clips, clock=arguments.clock)["clip"]), 1
    )
    print(json.dumps(measured, indent=1))
    if arguments.json:
        write_atomic(arguments.json, json.dumps({"conditions": conditions(), **measured}, indent=1).encode())


if __name__ == "__main__":
    main()
