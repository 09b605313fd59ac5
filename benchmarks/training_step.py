"""Forward and backward of MESM's CNN against FE2E's at full width: time, interleaved in one run, and peak memory.

    python -m benchmarks.training_step [--json out.json] [--segments 16] [--top-p 0.5] [--gate soft_straight_through]

Peak memory is the growth of the resident set over three steps, each network in a process of its own that has already
loaded its libraries in a step on one segment; it is read from /proc, so on Linux only.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.sparse_stack import QUERY_DIM, SHAPES
from benchmarks.timing import CLOCKS, conditions, interleaved_ms
from mesm.config import MESMConfig
from mesm.layers.sparse_vgg import SparseVGG
from mesm.layers.vgg import DenseVGG


def step(network: str, modality: str, segments: int, top_p: float, gate: str, backend: str) -> Callable[[], None]:
    """A function that runs forward and backward once."""
    torch.manual_seed(0)
    config, channels = MESMConfig(gate=gate, backend=backend, text_dim=QUERY_DIM), SHAPES[modality][0]
    maps, query = torch.randn(segments, *SHAPES[modality]), torch.randn(segments, QUERY_DIM)
    net = DenseVGG(channels, config) if network == "fe2e" else SparseVGG(channels, config, QUERY_DIM)
    net.train()

    def run() -> None:
        for parameter in net.parameters():
            parameter.grad = None
        out = net(maps) if network == "fe2e" else net(maps, query, top_p).features_SCHW
        out.square().mean().backward()

    return run


def peak_mib(network: str, options: argparse.Namespace, modality: str) -> float:
    """Growth of the peak resident set over three steps, in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.training_step", "--peak-of", network, "--modalities", modality]
    command += ["--segments", str(options.segments), "--top-p", str(options.top_p), "--gate", options.gate]
    command += ["--backend", options.backend, "--threads", str(options.threads)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def resident_mib(field: str) -> float:
    """`VmRSS`, what is resident now, or `VmHWM`, the most that was."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def print_peak(options: argparse.Namespace) -> None:
    """What the fresh process does."""
    settings = (options.top_p, options.gate, options.backend)
    step(options.peak_of, options.modalities[0], 1, *settings)()
    run = step(options.peak_of, options.modalities[0], options.segments, *settings)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    before = resident_mib("VmRSS")
    for _ in range(3):
        run()
    print(resident_mib("VmHWM") - before)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--modalities", nargs="+", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--segments", type=int, default=16)
    parser.add_argument("--top-p", type=float, default=0.5)
    parser.add_argument("--gate", default="soft_straight_through")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--clock", default="wall", choices=list(CLOCKS), help="cpu: for a busy machine, with --threads 1"
    )
    parser.add_argument("--peak-of", choices=["fe2e", "mesm"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.peak_of:
        print_peak(options)
        return
    rows: list[dict[str, Any]] = []
    for modality in options.modalities:
        settings = (modality, options.segments, options.top_p, options.gate, options.backend)
        times = interleaved_ms(
            {name: step(name, *settings) for name in ("fe2e", "mesm")}, options.turns, clock=options.clock
        )
        dense, sparse = (statistics.median(times[name]) for name in ("fe2e", "mesm"))
        memory = {name: peak_mib(name, options, modality) for name in ("fe2e", "mesm")}
        row = {"modality": modality, "segments": options.segments, "top_p": options.top_p, "gate": options.gate}
        row |= {"dense_ms": round(dense, 1), "sparse_ms": round(sparse, 1), "ratio": round(sparse / dense, 3)}
        row |= {"dense_peak_mib": round(memory["fe2e"]), "sparse_peak_mib": round(memory["mesm"])}
        print(row)
        rows.append(row)
    if options.json:
        options.json.write_text(
            json.dumps({"conditions": conditions() | {"clock": options.clock}, "rows": rows}, indent=1)
        )


if __name__ == "__main__":
    main()
