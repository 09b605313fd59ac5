"""Measure what a submanifold convolution costs on this machine; from these costs `auto` chooses its backend.

At the first use of `auto` on a device and type on which more than one backend runs, each is timed on a few convolutions of
MESM's sparse blocks, for at most about three seconds, and the four constants of `ConvCosts` are fitted to the relative error.
They are kept in the user's cache folder per processor, number of threads, type and version of torch; `mesm calibrate` shows
and renews them. With MESM_CALIBRATION=off nothing is measured: a CPU then uses `backend_costs.COSTS`, any other device runs
dense.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from mesm.errors import DataError
from mesm.files import write_atomic
from mesm.json_form import from_json, parse_json, to_json
from mesm.runtime import processor
from mesm.sparse import dense_backend, fused_backend, spconv_backend
from mesm.sparse.backend_costs import COSTS, BackendCosts, ConvCosts, fastest
from mesm.sparse.sites import Rulebook, Sites

#: Seconds that a calibration may measure; what it has by then is fitted.
BUDGET_S = 2.5
#: Input and output channels, height, width, segments, share of active sites: MESM's blocks at full and a quarter of the
#: width. Far apart ones come first, so that a slow machine, which measures fewer, still has every constant.
CELLS: tuple[tuple[int, int, int, int, int, float], ...] = (
    (32, 32, 24, 24, 16, 0.3),
    (128, 128, 24, 24, 2, 0.9),
    (512, 512, 6, 6, 2, 0.5),
    (64, 128, 6, 6, 1, 0.6),
    (16, 32, 24, 24, 1, 0.8),
    (256, 256, 12, 12, 4, 0.7),
    (64, 64, 12, 12, 16, 0.8),
    (16, 32, 24, 24, 16, 0.9),
    (128, 128, 6, 6, 16, 0.5),
    (64, 128, 24, 24, 8, 0.2),
    (32, 64, 12, 12, 2, 0.9),
    (32, 32, 64, 16, 4, 0.6),
    (128, 256, 12, 12, 2, 1.0),
    (32, 64, 32, 8, 16, 0.2),
    (256, 512, 6, 6, 8, 0.9),
    (64, 64, 32, 8, 8, 1.0),
    (128, 128, 16, 4, 2, 0.3),
    (128, 128, 64, 16, 2, 0.5),
)
_REPEATS = 5


@dataclass(frozen=True)
class Cell:
    """Hold the milliseconds of each backend on one convolution, from rows to rows.

    Attributes:
        c_in: input channels.
        c_out: output channels.
        positions: sites of the grid, S * H * W.
        pairs: of its rulebook.
        ms: backend -> milliseconds.
    """

    c_in: int
    c_out: int
    positions: int
    pairs: int
    ms: dict[str, float]

    def excess(self, costs: BackendCosts) -> float:
        """Return the time of the backend that the costs choose over that of the fastest."""
        chosen = fastest(costs, self.positions, self.pairs, self.c_in, self.c_out)
        return self.ms[chosen] / min(self.ms.values())


@dataclass(frozen=True)
class Calibrations:
    """Hold the file's content: key of `key` -> costs."""

    costs: dict[str, BackendCosts] = field(default_factory=dict)


def path() -> Path:
    """Return the file in the user's cache folder that keeps the costs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "mesm" / "calibration.json"


def key(device: torch.device, dtype: torch.dtype) -> str:
    """Return what costs depend on: processor or GPU, threads, type, version of torch."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, {_short(dtype)}, torch {torch.__version__}"
    where = f"{processor()} ({torch.backends.cpu.get_cpu_capability()}), {torch.get_num_threads()} threads"
    return f"{where}, {_short(dtype)}, torch {torch.__version__}"


def backends(device: torch.device, dtype: torch.dtype) -> list[str]:
    """Return the backends that run on a device in a type."""
    others = {
        "fused": fused_backend.why_not(device, dtype),
        "spconv": spconv_backend.why_not(device) or (dtype == torch.float64 and "float32 or less only"),
    }
    return ["dense", *(name for name, reason in others.items() if not reason)]


def costs_here(device: torch.device, dtype: torch.dtype) -> BackendCosts | None:
    """Return the costs on this machine, measured where they are not known; None where only `dense` runs."""
    if len(backends(device, dtype)) == 1:
        return None
    if os.environ.get("MESM_CALIBRATION") == "off":
        return COSTS.get((device.type, _short(dtype)))
    name = key(device, dtype)
    with _lock:
        if name not in _known:
            _known.update(_read())
        if name not in _known:
            _known[name] = fit(measure(device, dtype))
            _write()
        return _known[name]


def renew(device: torch.device, dtype: torch.dtype) -> BackendCosts:
    """Measure the costs again and store them."""
    with _lock:
        _known.update(_read())
        _known[key(device, dtype)] = fit(measure(device, dtype))
        _write()
        return _known[key(device, dtype)]


def measure(
    device: torch.device,
    dtype: torch.dtype,
    cells: Sequence[tuple[int, int, int, int, int, float]] | None = None,
    budget_s: float = BUDGET_S,
) -> list[Cell]:
    """Time each backend on convolutions on random masks, the backends in turn, the least of five turns.

    Args:
        device: where.
        dtype: of features and weights.
        cells: see `CELLS`, the default.
        budget_s: after these seconds no other cell is begun; the first four are always measured.
    """
    measured: list[Cell] = []
    end = time.perf_counter() + budget_s
    generator = torch.Generator().manual_seed(0)
    with torch.inference_mode(), torch.autocast(device.type, enabled=False):
        for cell in CELLS if cells is None else cells:
            if len(measured) >= 4 and time.perf_counter() > end:
                break
            measured.append(_time(cell, device, dtype, generator))
    return measured


def _time(
    cell: tuple[int, int, int, int, int, float], device: torch.device, dtype: torch.dtype, generator: torch.Generator
) -> Cell:
    c_in, c_out, height, width, segments, density = cell
    sites = Sites.of_mask((torch.rand(segments, height, width, generator=generator) < density).to(device))
    book, bias = Rulebook(sites), torch.zeros(c_out, device=device, dtype=dtype)
    weight = torch.randn(c_out, c_in, 3, 3, generator=generator).to(device, dtype)
    weight = weight.contiguous(memory_format=torch.channels_last)
    features = torch.randn(len(sites), c_in, generator=generator).to(device, dtype)
    runs: dict[str, Callable[[], object]] = {
        "dense": lambda: dense_backend.convolve(features, book, weight, bias).relu_()
    }
    names = backends(device, dtype)
    if "fused" in names:
        panels = fused_backend.panels(fused_backend.pack(weight))
        runs["fused"] = lambda: fused_backend.convolve_panels(features, book, panels, bias, relu=True)
        runs["pairs"] = lambda: Rulebook(sites).num_pairs
    if "spconv" in names:
        runs["spconv"] = lambda: spconv_backend.convolve(features, book, weight, bias).relu_()
    seconds = dict.fromkeys(runs, float("inf"))
    for turn in range(_REPEATS + 1):
        for name, run in runs.items():
            _wait(device)
            start = time.perf_counter()
            run()
            _wait(device)
            if turn:  # the first one warms up
                seconds[name] = min(seconds[name], time.perf_counter() - start)
    if "fused" in seconds:
        seconds["fused"] += seconds.pop("pairs") / 2  # the lists serve two convolutions
    return Cell(c_in, c_out, sites.mask_SHW.numel(), book.num_pairs, {n: 1e3 * s for n, s in seconds.items()})


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def fit(cells: Sequence[Cell]) -> BackendCosts:
    """Fit the constants of least relative error; none is negative."""
    costs = {}
    c_in, c_out = (np.array([getattr(cell, name) for cell in cells], float) for name in ("c_in", "c_out"))
    for backend in cells[0].ms:
        dense = backend == "dense"
        ns = np.array([1e6 * cell.ms[backend] for cell in cells])
        rows = np.array([cell.positions if dense else cell.pairs for cell in cells], float)
        macs = rows * (9 if dense else 1) * c_in * c_out
        terms = np.stack([np.ones(len(ns)), macs, rows * (c_in + c_out), 9 * c_in * c_out], 1)
        constants = _non_negative(terms / ns[:, None], np.ones(len(ns)))
        costs[backend] = ConvCosts(*(float(f"{value:.3g}") for value in constants))
    return costs


def _non_negative(terms: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Solve least squares, with the most negative coefficient set to zero until none is negative."""
    used = list(range(terms.shape[1]))
    while True:
        solution = np.zeros(terms.shape[1])
        solution[used] = np.linalg.lstsq(terms[:, used], target, rcond=None)[0]
        if (solution >= 0).all():
            return solution
        used.remove(int(solution.argmin()))


def judge(costs: BackendCosts, cells: Sequence[Cell]) -> tuple[float, float]:
    """Return how far `auto` is from the fastest backend: geometric mean and worst cell of its time over the least."""
    excess = [cell.excess(costs) for cell in cells]
    return float(np.exp(np.log(excess).mean())), max(excess)


_lock = threading.Lock()
_known: dict[str, BackendCosts] = {}


def _read() -> dict[str, BackendCosts]:
    """Return the kept costs; none where the file is missing or unreadable, which costs a calibration."""
    try:
        return from_json(Calibrations, parse_json(path().read_text(encoding="utf-8"), "calibration.json")).costs
    except (OSError, UnicodeDecodeError, DataError):
        return {}


def _write() -> None:
    """Keep the costs; a workspace that cannot be written costs a calibration per process."""
    try:
        write_atomic(path(), json.dumps(to_json(Calibrations(_known)), indent=1).encode())
    except DataError:
        return


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
