"""Does the saved work become saved time? FE2E's and MESM's feature extraction, interleaved in one run.

    python -m benchmarks.sparse_stack --json out.json
    python -m benchmarks.sparse_stack --segments 16 --modalities visual --top-p 0.3 0.5 --turns 25

From normalised faces or mel chunks to 512x3x3 or 512x8x2, everything included: stem, attention, nucleus, rulebook,
convolutions, pooling. Both networks share their weights; batch norms are folded in both; both run channels-last.
Attention "random": randomly initialised, so that about top_p of the active sites are kept, in no pattern: the hard
case. "trained": the sites that a checkpoint keeps on a corpus, replayed on the full-width network (its attention and
nucleus still run and are timed).
"""

from __future__ import annotations

import argparse
import json
import statistics
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor

from benchmarks.timing import CLOCKS, conditions, interleaved_ms
from mesm.analysis.cost import conv_stack_ratio
from mesm.config import MESMConfig
from mesm.layers import sparse_inference
from mesm.layers.sparse_vgg import SparseResult, SparseVGG
from mesm.layers.vgg import DenseVGG
from mesm.records.prediction import LayerTrace, Trace
from mesm.runtime import assets, pick_device

SHAPES = {"visual": (3, 48, 48), "acoustic": (1, 128, 32)}
QUERY_DIM = 384
Masks = dict[float, list[Tensor]]


def networks(modality: str, config: MESMConfig, device: str = "cpu") -> tuple[DenseVGG, SparseVGG]:
    """FE2E's and MESM's CNN, with the same weights."""
    torch.manual_seed(0)
    dense = DenseVGG(SHAPES[modality][0], config).eval()
    sparse = SparseVGG(SHAPES[modality][0], config, QUERY_DIM).eval()
    sparse.load_state_dict(dense.state_dict(), strict=False)
    return dense.to(device), sparse.to(device)


@contextmanager
def replayed(masks: list[Tensor] | None) -> Iterator[None]:
    """Keep these sites, layer after layer, instead of the nucleus that is computed (and timed) all the same."""
    if masks is None:
        yield
        return
    place, group, select = threading.local(), sparse_inference._run_group, sparse_inference.nucleus

    def run_group(rows: np.ndarray, active: np.ndarray, first: int, *others: Any, **options: Any) -> Any:
        place.first, place.layers = first, iter(masks)
        return group(rows, active, first, *others, **options)

    def stored(attention_SHW: np.ndarray, active_SHW: np.ndarray, top_p: float) -> tuple[np.ndarray, int]:
        select(attention_SHW, active_SHW, top_p)
        kept = next(place.layers)[place.first : place.first + len(active_SHW)].numpy() & active_SHW
        return kept, int(kept.sum())

    with mock.patch.multiple(sparse_inference, _run_group=run_group, nucleus=stored):
        yield


def trained_masks(checkpoint: str, corpus: str, modality: str, segments: int, top_ps: list[float]) -> Masks:
    """Sites that a checkpoint keeps on the corpus's test clips, (segments, H, W) per layer and top_p."""
    from mesm.analysis.predictor import load
    from mesm.data.corpora import open_corpus

    predictor, clips = load(checkpoint), open_corpus(corpus)
    found: dict[float, list[list[np.ndarray]]] = {p: [] for p in top_ps}
    count = 0
    for clip_id in clips.ids("test"):
        if count >= segments:
            break
        prepared = predictor.prepare(clips[clip_id])
        layers = None
        for top_p in top_ps:
            trace = predictor.run(prepared, top_p).trace
            layers = trace.layers.get(modality) if trace else None
            if layers:
                found[top_p].append([layer.kept for layer in layers])
        count += len(layers[0].kept) if layers else 0
    if not count:
        raise SystemExit(f"corpus {corpus!r} has no test clip with {modality} segments")
    repeats = -(-segments // count)
    return {
        p: [torch.from_numpy(np.concatenate([c[i] for c in of_p] * repeats)[:segments]) for i in range(3)]
        for p, of_p in found.items()
    }


def macs_ratio(modality: str, config: MESMConfig, result: SparseResult) -> float:
    """Multiply-adds relative to FE2E's convolutions: the floor of the time ratio if all work ran at one rate."""
    layers = tuple(
        LayerTrace(x.attention_SHW.cpu().numpy(), x.kept_SHW.cpu().numpy(), x.active_SHW.cpu().numpy(), ())
        for x in result.layers
    )
    return conv_stack_ratio(config, Trace({modality: layers}, 1.0))


def measure(
    modality: str, segments: int, dtype: str, attention: str, masks: Masks | None, options: argparse.Namespace
) -> list[dict[str, Any]]:
    """One row per top_p; FE2E and every top_p run once per turn."""
    device = options.device
    config = MESMConfig(
        backend=options.backend, text_dim=QUERY_DIM, stem_blocks=options.stem_blocks, width=options.width
    )
    dense, sparse = networks(modality, config, device)
    maps = torch.randn(segments, *SHAPES[modality], device=device)
    query = torch.randn(segments, QUERY_DIM, device=device)

    def run(top_p: float, trace: bool = False) -> SparseResult:
        with replayed([m.to(device) for m in masks[top_p]] if masks else None):
            return sparse(maps, query, top_p, trace=trace)

    runs: dict[Any, Callable[[], Any]] = {"dense": lambda: dense(maps)}
    runs |= {p: (lambda p=p: run(p)) for p in options.top_p}
    low = torch.autocast(torch.device(device).type, torch.bfloat16) if dtype == "bfloat16" else nullcontext()
    with torch.inference_mode(), low:
        times = interleaved_ms(runs, options.turns, clock=options.clock)
        traces = {p: run(p, trace=True) for p in options.top_p}
    base = statistics.median(times["dense"])
    rows = []
    for p in options.top_p:
        median = statistics.median(times[p])
        paired = statistics.median(s / d for s, d in zip(times[p], times["dense"], strict=True))
        rows.append(
            {
                "modality": modality,
                "segments": segments,
                "width": options.width,
                "top_p": p,
                "dtype": dtype,
                "attention": attention,
                "dense_ms": round(base, 2),
                "sparse_ms": round(median, 2),
                "ratio": round(median / base, 3),
                "ratio_turn_by_turn": round(paired, 3),
                "macs_ratio": round(macs_ratio(modality, config, traces[p]), 3),
                "backends": [list(layer.backends) for layer in traces[p].layers],
            }
        )
    return rows


def show(rows: list[dict[str, Any]]) -> None:
    """One line per top_p."""
    first = rows[0]
    print(
        f"\n{first['segments']} {first['modality']} segments, {first['dtype']}, {first['attention']} attention: "
        f"FE2E {first['dense_ms']} ms"
    )
    for row in rows:
        ran = " ".join("".join(name[0] for name in layer) for layer in row["backends"])
        print(
            f"  top_p {row['top_p']:.1f}  MESM {row['sparse_ms']:8.2f} ms  ratio {row['ratio']:.3f}"
            f"  (turn by turn {row['ratio_turn_by_turn']:.3f}, MACs {row['macs_ratio']:.3f}, {ran})"
        )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--modalities", nargs="+", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--segments", nargs="+", type=int, default=[1, 16, 64])
    parser.add_argument("--top-p", nargs="+", type=float, default=[i / 10 for i in range(1, 11)])
    parser.add_argument("--dtypes", nargs="+", default=["float32"], choices=["float32", "bfloat16"])
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--width", type=float, default=1.0, help="share of the paper's channels; 0.25 is what ships")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--clock", default="wall", choices=list(CLOCKS), help="cpu: for a busy machine, with --threads 1"
    )
    parser.add_argument("--backend", default="auto", help="auto, dense, fused or spconv")
    parser.add_argument("--stem-blocks", type=int, default=2, help="fewer: the first attention comes earlier")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or auto")
    parser.add_argument("--checkpoint", default="marionette-mesm", help="for the trained masks; '' leaves them out")
    parser.add_argument("--corpus", default=str(assets() / "marionette"))
    options = parser.parse_args()
    options.device = pick_device(options.device)
    return options


def main() -> None:
    """Measure, print, write."""
    options = parse()
    torch.set_num_threads(options.threads)
    rows: list[dict[str, Any]] = []
    for dtype in options.dtypes:
        for modality in options.modalities:
            for segments in options.segments:
                kinds: dict[str, Masks | None] = {"random": None}
                if options.checkpoint:
                    kinds["trained"] = trained_masks(
                        options.checkpoint, options.corpus, modality, segments, options.top_p
                    )
                for attention, masks in kinds.items():
                    found = measure(modality, segments, dtype, attention, masks, options)
                    show(found)
                    rows += found
    if options.json:
        options.json.write_text(
            json.dumps({"conditions": conditions() | {"clock": options.clock}, "rows": rows}, indent=1)
        )


if __name__ == "__main__":
    main()
