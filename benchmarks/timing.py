"""Interleaved timing: every contender runs once per turn, so that a noisy neighbour hits all of them alike."""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, TypeVar

import torch

from mesm.runtime import processor

Name = TypeVar("Name", bound=Hashable)


#: "wall" is what a user waits for; "cpu", the process's own processor time, is what a busy machine can still measure,
#: with one thread.
CLOCKS: dict[str, Callable[[], float]] = {"wall": time.perf_counter, "cpu": time.process_time}


def interleaved_ms(
    runs: dict[Name, Callable[[], Any]], turns: int, warm_up: int = 2, clock: str = "wall"
) -> dict[Name, list[float]]:
    """Milliseconds of every run, turn by turn, after `warm_up` turns that are thrown away."""
    now = CLOCKS[clock]
    times: dict[Name, list[float]] = {name: [] for name in runs}
    for turn in range(turns + warm_up):
        for name, run in runs.items():
            start = now()
            run()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if turn >= warm_up:
                times[name].append(1e3 * (now() - start))
    return times


def medians(times: dict[Name, list[float]]) -> dict[Name, float]:
    """Median of each contender."""
    return {name: statistics.median(values) for name, values in times.items()}


def conditions() -> dict[str, Any]:
    """What a timing depends on."""
    return {
        "processor": processor(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "",
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def write_measured(measured: dict[str, Any], path: str | None) -> None:
    """Print what was measured as JSON, and write it to a file if one is named."""
    text = json.dumps(measured, indent=1)
    print(text)
    if path:
        Path(path).write_text(text + "\n")
