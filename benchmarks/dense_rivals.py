"""Is the dense network that MESM is compared with the fastest one that can be had? Rivals interleaved in one run.

    pip install onnx onnxruntime onnxscript openvino     # none is needed by the project; those that are missing are left out
    python -m benchmarks.dense_rivals --json rivals.json
    python -m benchmarks.dense_rivals --segments 16 --width 0.25 --turns 25

FE2E's CNN on normalised faces or mel chunks, batch norms folded in all: as the project runs it (weights packed), in plain
torch (channels-last), frozen by `torch.jit.optimize_for_inference`, in ONNX Runtime and in OpenVINO; beside it MESM's CNN at
some top-p under random attention, whose ratio is quoted against the fastest of the others.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import statistics
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.sparse_stack import QUERY_DIM, SHAPES, networks
from benchmarks.timing import CLOCKS, conditions, interleaved_ms
from mesm.config import MESMConfig
from mesm.layers.vgg import POOLED_BLOCKS, DenseVGG, channels_last

Run = Callable[[], Any]


def folded_network(net: DenseVGG) -> nn.Sequential:
    """The same network as plain convolutions, ReLUs and pools, for other runtimes."""
    layers: list[nn.Module] = []
    with torch.no_grad():
        for number, steps in enumerate(([net.first], *(list(block.steps) for block in net.blocks))):  # type: ignore[union-attr]
            for step in steps:
                folded = step.folded(step.conv.weight)
                conv = nn.Conv2d(step.conv.in_channels, step.conv.out_channels, step.conv.kernel_size, padding="same")
                conv.weight.copy_(folded.weight_KCRR)
                conv.bias.copy_(folded.bias_K)  # type: ignore[union-attr]
                layers += [conv, nn.ReLU()]
            if number == 0 or number - 1 in POOLED_BLOCKS:
                layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers).to(net.conv.weight.device).eval()


def onnx_bytes(network: nn.Module, maps: Tensor) -> bytes:
    """The network in ONNX form for this shape."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, (maps,), file, input_names=["maps"], output_names=["features"], dynamo=False)
    return file.getvalue()


def in_onnx_runtime(model: bytes, maps: Tensor, threads: int) -> Run:
    """Run by ONNX Runtime on the processor."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    inputs = {"maps": maps.numpy()}
    return lambda: session.run(None, inputs)[0]


def in_openvino(model: bytes, maps: Tensor, threads: int) -> Run:
    """Run by OpenVINO on the processor, float32."""
    import openvino

    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    compiled = core.compile_model(core.read_model(model), "CPU", settings)
    request, array = compiled.create_infer_request(), maps.numpy()
    return lambda: request.infer({0: array})[0]


def rivals(net: DenseVGG, maps: Tensor, threads: int) -> dict[str, Run]:
    """The dense network in every runtime that is installed; each is checked against ours."""
    plain, last = folded_network(net).to(memory_format=torch.channels_last), channels_last(maps)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frozen = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(plain, last)))
    runs: dict[str, Run] = {
        "FE2E": lambda: net(maps),
        "torch, channels-last": lambda: plain(last),
        "torch.jit, optimised": lambda: frozen(last),
    }
    installed = {name: importlib.util.find_spec(name) for name in ("onnx", "onnxruntime", "openvino")}
    if installed["onnx"]:
        model = onnx_bytes(folded_network(net), maps)
        if installed["onnxruntime"]:
            runs["ONNX Runtime"] = in_onnx_runtime(model, maps, threads)
        if installed["openvino"]:
            runs["OpenVINO"] = in_openvino(model, maps, threads)
    truth = net(maps)
    for name, run in runs.items():
        if not torch.allclose(torch.as_tensor(run()), truth, atol=1e-4, rtol=1e-3):
            raise SystemExit(f"{name} computes something else")
    return runs


def measure(modality: str, segments: int, options: argparse.Namespace) -> dict[str, Any]:
    """Median milliseconds of every rival and of MESM, and MESM's ratios to FE2E and to the fastest rival."""
    dense, sparse = networks(modality, MESMConfig(text_dim=QUERY_DIM, width=options.width))
    maps, query = torch.randn(segments, *SHAPES[modality]), torch.randn(segments, QUERY_DIM)
    with torch.inference_mode():
        runs: dict[Any, Run] = dict(rivals(dense, maps, options.threads))
        names = list(runs)
        runs |= {p: (lambda p=p: sparse(maps, query, p)) for p in options.top_p}
        times = interleaved_ms(runs, options.turns, clock=options.clock)
    ms = {name: statistics.median(values) for name, values in times.items()}
    best = min(names, key=ms.__getitem__)
    return {
        "modality": modality,
        "segments": segments,
        "width": options.width,
        "ms": {str(name): round(value, 2) for name, value in ms.items()},
        "best": best,
        "fe2e_over_best": round(ms["FE2E"] / ms[best], 3),
        "mesm_over_fe2e": {str(p): round(ms[p] / ms["FE2E"], 3) for p in options.top_p},
        "mesm_over_best": {str(p): round(ms[p] / ms[best], 3) for p in options.top_p},
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segments", nargs="+", type=int, default=[1, 16, 64])
    parser.add_argument("--modalities", nargs="+", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--top-p", nargs="+", type=float, default=[0.3, 0.5, 0.9, 1.0])
    parser.add_argument("--width", type=float, default=1.0, help="share of the paper's channels; 0.25 is what ships")
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", default="wall", choices=list(CLOCKS), help="cpu: for a busy machine, --threads 1")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = []
    for modality in options.modalities:
        for segments in options.segments:
            rows.append(measure(modality, segments, options))
            print(json.dumps(rows[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps({"conditions": conditions(), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
