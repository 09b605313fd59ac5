"""Where MESM's time goes, stage by stage, and how far each convolution is from its floor.

    python -m benchmarks.sparse_profile [--modality visual] [--segments 16] [--top-p 0.5]

The floor of a convolution: its multiply-adds at the rate that one large matmul reaches in the same run, plus its rows in
and out at the rate of a copy.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict

import torch

from benchmarks.sparse_stack import QUERY_DIM, SHAPES, networks
from benchmarks.timing import CLOCKS, conditions
from mesm.config import MESMConfig
from mesm.layers.nucleus import nucleus_mask
from mesm.layers.sparse_vgg import SparseVGG
from mesm.sparse.backends import choose
from mesm.sparse.fused_backend import convolve_panels
from mesm.sparse.sites import Sites, SparseMap


class Stopwatch:
    """Milliseconds between ticks, by name."""

    def __init__(self, clock: str) -> None:
        self.clock = CLOCKS[clock]
        self.times: dict[str, list[float]] = defaultdict(list)
        self.now = self.clock()

    def start(self) -> None:
        """Forget the time since the last tick."""
        self.now = self.clock()

    def tick(self, name: str) -> None:
        """File the time since the last tick under `name`."""
        then, self.now = self.now, self.clock()
        self.times[name].append(1e3 * (self.now - then))


def rates(clock: str) -> tuple[float, float]:
    """(multiply-adds per millisecond of a 1024-row matmul, bytes per millisecond of a copy), best of many."""
    a, b, c = torch.randn(1024, 256), torch.randn(256, 256), torch.empty(1024, 256)
    source, target = torch.zeros(1 << 21), torch.empty(1 << 21)
    watch = Stopwatch(clock)
    for _ in range(60):
        watch.start()
        torch.mm(a, b, out=c)
        watch.tick("matmul")
        target.copy_(source)
        watch.tick("copy")
    return 1024 * 256 * 256 / min(watch.times["matmul"]), 8 * source.numel() / min(watch.times["copy"])


def walk(
    net: SparseVGG, maps: torch.Tensor, query: torch.Tensor, top_p: float, watch: Stopwatch
) -> dict[str, tuple[int, int]]:
    """One forward pass with a tick after every stage; returns each convolution's multiply-adds and bytes moved."""
    work: dict[str, tuple[int, int]] = {}
    watch.start()
    stem = net.stem(maps)
    watch.tick("stem")
    s, _, h, w = stem.shape
    sparse = SparseMap.from_dense(stem, torch.ones(s, h, w, dtype=torch.bool))
    for number, (attention, group) in enumerate(zip(net.attention, net.groups, strict=True), start=1):
        watch.start()
        attention_SHW = attention(sparse, query)
        watch.tick(f"{number} attention")
        kept = Sites.of_mask(nucleus_mask(attention_SHW, sparse.sites.mask_SHW, top_p))
        watch.tick(f"{number} nucleus")
        features, book = net._select(sparse, attention_SHW, kept)
        pairs = book.num_pairs  # lists them
        watch.tick(f"{number} selection, pairs")
        for block in group:
            for which, step in enumerate(net.blocks[block].steps, start=1):  # type: ignore[union-attr]
                c, k = step.conv.in_channels, step.conv.out_channels
                folded = step.folded(features)
                watch.start()
                features = convolve_panels(features, book, folded.panels, folded.bias_K, relu=True)
                name = f"{number} conv{which} {c}->{k} (auto: {choose('auto', book, c, k, features.dtype)})"
                watch.tick(name)
                work[name] = pairs * c * k, 4 * len(kept) * (c + k)
        watch.start()
        sparse = SparseMap(features, kept).max_pool2()
        watch.tick(f"{number} pool")
    return work


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modality", default="visual", choices=list(SHAPES))
    parser.add_argument("--segments", type=int, default=16)
    parser.add_argument("--top-p", type=float, default=0.5)
    parser.add_argument("--width", type=float, default=1.0, help="share of the paper's channels; 0.25 is what ships")
    parser.add_argument("--turns", type=int, default=25)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--clock", default="wall", choices=list(CLOCKS), help="cpu: for a busy machine, with --threads 1"
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    dense, net = networks(options.modality, MESMConfig(text_dim=QUERY_DIM, width=options.width))
    maps = torch.randn(options.segments, *SHAPES[options.modality])
    query = torch.randn(options.segments, QUERY_DIM)
    watch = Stopwatch(options.clock)
    with torch.inference_mode():
        macs_per_ms, bytes_per_ms = rates(options.clock)
        for _ in range(options.turns):
            watch.start()
            dense(maps)
            watch.tick("FE2E")
            work = walk(net, maps, query, options.top_p, watch)
    print(conditions())
    print(f"matmul {macs_per_ms / 1e6:.1f} GMAC/s, copy {bytes_per_ms / 1e6:.1f} GB/s")
    medians = {name: statistics.median(values) for name, values in watch.times.items()}
    total = sum(medians.values()) - medians["FE2E"]
    for name, ms in medians.items():
        line = f"{name:38s} {ms:8.2f} ms" + (f"  {ms / total:6.1%} of MESM" if name != "FE2E" else "")
        if name in work:
            macs, moved = work[name]
            floor = macs / macs_per_ms + moved / bytes_per_ms
            line += f"  floor {floor:6.2f} ms ({macs / macs_per_ms:.2f} matmul + {moved / bytes_per_ms:.2f} memory)"
        print(line)
    print(f"MESM {total:.1f} ms, FE2E {medians['FE2E']:.1f} ms, ratio {total / medians['FE2E']:.3f}")


if __name__ == "__main__":
    main()
