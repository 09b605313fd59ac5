"""Does `auto` choose well? The choice after a calibration of a few seconds, judged on many convolutions timed afterwards.

python -m benchmarks.backend_costs [--json out.json] [--dtype float32] [--threads 2] [--device cuda]
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks.timing import conditions
from mesm.sparse.backend_costs import COSTS
from mesm.sparse.calibration import fit, judge, measure

#: Input channels, output channels, height and width: the sparse convolutions of a face and of a mel chunk at full width.
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
DENSITIES = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0)


def main() -> None:
    """Calibrate, measure, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32", choices=["float32", "float16", "bfloat16"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--segments", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--widths", type=float, nargs="+", default=[1.0, 0.25])
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device, dtype = torch.device(options.device), getattr(torch, options.dtype)
    start = time.perf_counter()
    costs = fit(measure(device, dtype))
    print(f"calibrated in {time.perf_counter() - start:.1f} s: {costs}")
    judged = {}
    for width in options.widths:
        grid = [
            (round(c * width), round(k * width), h, w, segments, density)
            for segments in options.segments
            for c, k, h, w in LAYERS
            for density in DENSITIES
        ]
        cells = measure(device, dtype, grid, budget_s=float("inf"))
        mean, worst = judge(costs, cells)
        judged[str(width)] = {"cells": len(cells), "geometric_mean": round(mean, 4), "worst": round(worst, 3)}
        stored = COSTS.get((device.type, options.dtype))
        if stored:
            mean, worst = judge(stored, cells)
            judged[str(width)] |= {"stored_geometric_mean": round(mean, 4), "stored_worst": round(worst, 3)}
        print(f"width {width:g}: {judged[str(width)]}", flush=True)
    if options.json:
        result = {
            "conditions": conditions(),
            "costs": {name: asdict(value) for name, value in costs.items()},
            "judged": judged,
        }
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
