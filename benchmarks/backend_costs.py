"""Time the backends of a CPU, fit the constants that `auto` chooses by, and say how well it then chooses.

python -m benchmarks.backend_costs [--json out.json] [--dtype float32] [--turns 9] [--threads 2]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.timing import CLOCKS, conditions, interleaved_ms, medians
from mesm.sparse.backend_costs import COSTS, BackendCosts, ConvCosts, fastest
from mesm.sparse.dense_backend import convolve as dense
from mesm.sparse.fused_backend import convolve_panels, pack, panels, why_not
from mesm.sparse.sites import Rulebook, Sites

#: Input channels, output channels, height and width: the sparse convolutions of a face and of a mel chunk.
LAYERS = (
    (64, 128, 24, 24),
    (128, 128, 24, 24),
    (128, 256, 12, 12),
    (256, 256, 12, 12),
    (256, 512, 6, 6),
    (512, 512, 6, 6),
    (128, 128, 64, 16),
    (256, 256, 32, 8),
    (512, 512, 16, 4),
)
DENSITIES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def cell(
    layer: tuple[int, int, int, int], segments: int, density: float, dtype: torch.dtype, turns: int, clock: str
) -> dict[str, Any]:
    """Median milliseconds of the backends on one random mask, from rows to rows."""
    c_in, c_out, height, width = layer
    sites = Sites.of_mask(torch.rand(segments, height, width) < density)
    book = Rulebook(sites)
    weight = torch.randn(c_out, c_in, 3, 3).to(dtype).contiguous(memory_format=torch.channels_last)
    bias, packed, features = torch.randn(c_out).to(dtype), pack(weight), torch.randn(len(sites), c_in).to(dtype)

    runs: dict[str, Callable[[], Any]] = {
        "dense": lambda: dense(features, book, weight, bias).relu_(),
        "pairs": lambda: Rulebook(sites),
    }
    if not why_not(features.device, dtype):
        weight_panels = panels(packed)
        runs["fused"] = lambda: convolve_panels(features, book, weight_panels, bias, relu=True)
    ms = medians(interleaved_ms(runs, turns, warm_up=1, clock=clock))
    lists = {"fused": ms["pairs"] / 2}  # they serve two convolutions
    return {
        "layer": list(layer),
        "segments": segments,
        "density": density,
        "positions": sites.mask_SHW.numel(),
        "pairs": book.num_pairs,
        "ms": {name: ms[name] + lists.get(name, 0) for name in ("dense", "fused") if name in ms},
    }


def fit(cells: list[dict[str, Any]]) -> BackendCosts:
    """Constants of least relative error; none is negative."""
    constants = {}
    for backend in cells[0]["ms"]:
        count, kernel = ("positions", 9) if backend == "dense" else ("pairs", 1)
        ns = np.array([1e6 * c["ms"][backend] for c in cells])
        c_in, c_out = np.array([c["layer"][:2] for c in cells]).T
        rows = np.array([c[count] for c in cells])
        terms = [np.ones(len(ns)), rows * kernel * c_in * c_out, rows * (c_in + c_out), 9 * c_in * c_out]
        found = _non_negative(np.stack(terms, 1) / ns[:, None], np.ones(len(ns)))
        constants[backend] = ConvCosts(*(float(f"{value:.3g}") for value in found))
    return constants


def _non_negative(terms: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Least squares with the most negative coefficient set to zero until none is."""
    used = list(range(terms.shape[1]))
    while True:
        found = np.zeros(terms.shape[1])
        found[used] = np.linalg.lstsq(terms[:, used], target, rcond=None)[0]
        if (found >= 0).all():
            return found
        used.remove(int(found.argmin()))


def judge(costs: BackendCosts, cells: list[dict[str, Any]]) -> dict[str, float]:
    """How far `auto` is from the best backend: geometric mean and worst cell of its time over the best time."""
    chosen = [fastest(costs, c["positions"], c["pairs"], *c["layer"][:2]) for c in cells]
    excess = [c["ms"][name] / min(c["ms"].values()) for name, c in zip(chosen, cells, strict=True)]
    return {"geometric_mean": float(np.exp(np.log(excess).mean())), "worst": max(excess)}


def main() -> None:
    """Measure, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--clock", default="wall", choices=list(CLOCKS), help="cpu: for a busy machine, with --threads 1"
    )
    parser.add_argument("--segments", type=int, nargs="+", default=[1, 4, 16, 64])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    dtype = getattr(torch, options.dtype)
    with torch.inference_mode():
        cells = [
            cell(layer, segments, density, dtype, options.turns, options.clock)
            for segments in options.segments
            for layer in LAYERS
            for density in DENSITIES
        ]
    costs = fit(cells)
    print(f"cpu {options.dtype}: {costs}")
    print("auto with these constants:", judge(costs, cells))
    stored = COSTS.get(("cpu", options.dtype))
    if stored is not None:
        print("auto with the stored constants:", judge(stored, cells))
    if options.json:
        result = {
            "conditions": conditions() | {"clock": options.clock},
            "costs": {name: asdict(value) for name, value in costs.items()},
            "judged": judge(costs, cells),
            "cells": cells,
        }
        options.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
