"""Everything that has to be seen on a GPU, in one run of at most eight minutes: is it right, and is it faster?

    python -m benchmarks.gpu --json gpu.json
    python -m benchmarks.gpu --device cpu --segments 2 --budget 60      # tries the script itself

1. Each backend against the definition in float64, in every type that it takes. 2. A calibration of `auto`, judged on other
convolutions. 3. FE2E's CNN (channels-last, and compiled) and MESM's over top-p, in float32 and bfloat16, at 1, 64 and 512
segments. 4. Forward and backward of both at 64 segments. What the budget leaves no time for is listed as not run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks.dense_rivals import folded_network
from benchmarks.sparse_stack import QUERY_DIM, SHAPES, networks
from benchmarks.timing import conditions, interleaved_ms
from mesm.config import MESMConfig
from mesm.layers.vgg import channels_last
from mesm.sparse.backends import CONVOLVE
from mesm.sparse.calibration import backends, fit, judge, measure
from mesm.sparse.sites import Rulebook, Sites

#: Largest error relative to the largest value that a type's rounding explains.
TOLERANCE = {"float32": 2e-3, "float16": 2e-2, "bfloat16": 5e-2}  # float32 convolutions of a GPU may use TF32
TOP_P = (0.3, 0.5, 0.7, 1.0)


def check_backends(device: torch.device) -> list[dict[str, Any]]:
    """Error of every backend and type on random masks, against the dense backend in float64 on the processor."""
    rows, generator = [], torch.Generator().manual_seed(1)
    for name in TOLERANCE:
        dtype = getattr(torch, name)
        for backend in backends(device, dtype):
            errors = []
            for density, (c, k) in ((0.2, (16, 32)), (0.6, (64, 128)), (1.0, (128, 128))):
                mask = torch.rand(6, 24, 24, generator=generator) < density
                features = torch.randn(int(mask.sum()), c, generator=generator)
                weight, bias = torch.randn(k, c, 3, 3, generator=generator), torch.randn(k, generator=generator)
                truth = CONVOLVE["dense"](
                    features.double(), Rulebook(Sites.of_mask(mask)), weight.double(), bias.double()
                )
                book = Rulebook(Sites.of_mask(mask.to(device)))
                result = CONVOLVE[backend](
                    *(features.to(device, dtype), book, weight.to(device, dtype), bias.to(device, dtype))
                )
                errors.append(float((result.double().cpu() - truth).abs().max() / truth.abs().max()))
            right = max(errors) <= TOLERANCE[name]
            rows.append({"backend": backend, "dtype": name, "largest_error": max(errors), "right": right})
            print(f"  {backend:7s} {name:9s} error {max(errors):.1e} {'right' if right else 'WRONG'}", flush=True)
    return rows


def calibrate(device: torch.device) -> list[dict[str, Any]]:
    """How well `auto` chooses after its calibration, on convolutions that the calibration has not seen."""
    rows = []
    for name in TOLERANCE:
        dtype = getattr(torch, name)
        if len(backends(device, dtype)) == 1:
            print(f"  {name:9s} only dense runs", flush=True)
            continue
        costs = fit(measure(device, dtype))
        layers = ((64, 128, 24, 24), (128, 128, 24, 24), (256, 256, 12, 12), (512, 512, 6, 6))
        grid = [(*layer, s, d) for s in (1, 64, 256) for layer in layers for d in (0.2, 0.5, 0.8, 1.0)]
        mean, worst = judge(costs, measure(device, dtype, grid, budget_s=20))
        rows.append({"dtype": name, "geometric_mean": mean, "worst": worst})
        print(f"  {name:9s} auto over the best: {mean:.3f} in geometric mean, {worst:.2f} at worst", flush=True)
    return rows


def features(device: torch.device, modality: str, segments: int, name: str, width: float, turns: int) -> dict[str, Any]:
    """Milliseconds of both CNNs, and MESM's ratios to the faster form of FE2E."""
    dense, sparse = networks(modality, MESMConfig(text_dim=QUERY_DIM, width=width), str(device))
    maps, query = (
        torch.randn(segments, *SHAPES[modality], device=device),
        torch.randn(segments, QUERY_DIM, device=device),
    )
    runs: dict[Any, Callable[[], Any]] = {"FE2E": lambda: dense(maps)}
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=name == "bfloat16"):
        try:
            torch.compiler.reset()
            compiled, last = (
                torch.compile(folded_network(dense).to(memory_format=torch.channels_last)),
                channels_last(maps),
            )
            compiled(last)
            runs["FE2E, compiled"] = lambda: compiled(last)
        except Exception as error:  # a compiler that is missing must not end the run
            print(f"  torch.compile: {str(error).splitlines()[0]}")
        runs |= {p: (lambda p=p: sparse(maps, query, p)) for p in TOP_P}
        ms = {key: statistics.median(v) for key, v in interleaved_ms(runs, turns, warm_up=3).items()}
        ran = [layer.backends for layer in sparse(maps, query, 0.5, trace=True).layers]
    best = min(v for key, v in ms.items() if isinstance(key, str))
    ratios = {str(p): round(ms[p] / best, 3) for p in TOP_P}
    print(
        f"  {modality:8s} {segments:4d} {name:9s} FE2E {best:8.2f} ms, MESM / FE2E {ratios}, backends {ran}", flush=True
    )
    row = {"modality": modality, "segments": segments, "dtype": name, "width": width, "ratios": ratios}
    return row | {"ms": {str(key): round(v, 3) for key, v in ms.items()}, "backends": [list(names) for names in ran]}


def training(device: torch.device, modality: str, segments: int, turns: int) -> dict[str, Any]:
    """Milliseconds of forward and backward of both CNNs at p = .5, float32."""
    dense, sparse = (net.train() for net in networks(modality, MESMConfig(text_dim=QUERY_DIM), str(device)))
    maps, query = (
        torch.randn(segments, *SHAPES[modality], device=device),
        torch.randn(segments, QUERY_DIM, device=device),
    )
    runs: dict[str, Callable[[], Any]] = {
        "FE2E": lambda: dense(maps).square().mean().backward(),
        "MESM": lambda: sparse(maps, query, 0.5).features_SCHW.square().mean().backward(),
    }
    ms = {name: statistics.median(v) for name, v in interleaved_ms(runs, turns).items()}
    print(f"  {modality:8s} {segments:4d} training: {ms['MESM']:.1f} / {ms['FE2E']:.1f} ms", flush=True)
    return {"modality": modality, "segments": segments, "ms": ms, "ratio": ms["MESM"] / ms["FE2E"]}


def main() -> None:
    """Run the parts in turn, each kept from ending the others."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--segments", nargs="+", type=int, default=[1, 64, 512])
    parser.add_argument("--widths", nargs="+", type=float, default=[1.0, 0.25])
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--budget", type=float, default=450, help="seconds after which nothing more is begun")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    device, end = torch.device(options.device), time.perf_counter() + options.budget
    measured: dict[str, Any] = {"conditions": conditions(), "backends": backends(device, torch.float32), "not_run": []}
    print(json.dumps(measured["conditions"]), measured["backends"])
    parts: dict[str, Callable[[], Any]] = {
        "correct": lambda: check_backends(device),
        "calibration": lambda: calibrate(device),
    }
    for width in options.widths:
        for segments in options.segments:
            for name in ("float32", "bfloat16"):
                for modality in SHAPES:
                    parts[f"features {modality} {segments} {name} {width:g}"] = (
                        lambda a=(modality, segments, name, width): features(device, *a, options.turns)
                    )
        if width == options.widths[0]:
            for modality in SHAPES:
                parts[f"training {modality}"] = lambda m=modality: training(
                    device, m, min(64, max(options.segments)), 5
                )
    for part, run in parts.items():
        if time.perf_counter() > end:
            measured["not_run"].append(part)
            continue
        print(part, flush=True)
        try:
            measured[part] = run()
        except Exception:
            measured[part] = traceback.format_exc()
            print(measured[part], flush=True)
        if options.json:  # whatever ends the run, the parts before it are kept
            options.json.write_text(json.dumps(measured, indent=1) + "\n")
    print("not run:", measured["not_run"] or "nothing")


if __name__ == "__main__":
    main()
