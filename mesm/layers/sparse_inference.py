"""Compute MESM's sparse blocks for inference on a CPU: each thread takes some segments through all blocks.

A segment's sites depend on that segment alone, so nothing is waited for between the layers, a segment's rows stay in its
core's cache, and Python is entered about ten times a block whatever the number of sites. `SparseVGG.sparse_part` computes
the same layer by layer for whole batches, on every device and with gradients; the tests compare the two.

Shape legend: S segments, H W map, N active sites, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from mesm.layers.dense_inference import SHARED_MACS
from mesm.layers.normalisation import FoldedConv
from mesm.sparse import compiled
from mesm.sparse.compiled_attention import AttentionWeights, SegmentAttention, nucleus
from mesm.sparse.compiled_block import run_block
from mesm.sparse.fused_backend import convolve_arrays, lane_bias, share_out
from mesm.sparse.sites import STEPS

#: Segments that a thread takes at a time at most: enough to share the reading of the weights.
GROUP_SEGMENTS = 8
_STEPS = np.array(STEPS)


@dataclass(frozen=True, eq=False)
class BlockWeights:
    """Hold the weights of one sparse block: its attention's, and its convolutions' with their batch norms folded in.

    Attributes:
        attention: of the block.
        panels: of `fused_backend.panels`, one per convolution.
        biases: of `fused_backend.lane_bias`.
        width: output channels of the last convolution.
    """

    attention: AttentionWeights
    panels: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]
    width: int

    @classmethod
    def of(cls, attention: AttentionWeights, convolutions: Sequence[FoldedConv]) -> BlockWeights:
        """Lay out the weights."""
        panels = tuple(conv.panels.numpy() for conv in convolutions)
        biases = tuple(lane_bias(conv.bias_K, conv.panels.shape[1]) for conv in convolutions)
        return cls(attention, panels, biases, len(convolutions[-1].bias_K))

    def under(self, query_SD: torch.Tensor | None, segments: int) -> Block:
        """Return the block under the segments' queries."""
        return Block(self.attention.under(query_SD, segments), self.panels, self.biases, self.width)


@dataclass(frozen=True, eq=False)
class Block:
    """Hold one sparse block under the segments' queries; see `BlockWeights`."""

    attention: SegmentAttention
    panels: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]
    width: int

    def macs(self, sites: int) -> int:
        """Return the multiply-adds of the convolutions on `sites` sites all of whose neighbours are there."""
        return sum(sites * panels.size for panels in self.panels)


@dataclass(frozen=True, eq=False)
class LayerArrays:
    """Hold attention and selection of one layer, see `sparse_vgg.LayerTensors`."""

    attention_SHW: np.ndarray
    kept_SHW: np.ndarray
    active_SHW: np.ndarray


@dataclass(frozen=True, eq=False)
class BlocksResult:
    """Hold the rows at the last pool's sites, these sites, and the layers."""

    rows_NC: np.ndarray
    active_SHW: np.ndarray
    layers: tuple[LayerArrays, ...]

    def maps(self) -> np.ndarray:
        """Return the rows as (S, H, W, C) maps, zeros at inactive sites."""
        maps_SHWC = np.zeros((*self.active_SHW.shape, self.rows_NC.shape[1]), np.float32)
        maps_SHWC[self.active_SHW] = self.rows_NC
        return maps_SHWC


def attend(rows_NC: np.ndarray, active_SHW: np.ndarray, attention: SegmentAttention) -> np.ndarray:
    """Compute the (S, H, W) attention of one layer, the segments shared out to the threads."""
    attention_SHW = np.empty(active_SHW.shape, np.float32)

    def work(group: tuple[int, int, int, int]) -> None:
        first, last, start, end = group
        attention_SHW[first:last] = attention(rows_NC[start:end], active_SHW[first:last], first)

    share_out(_groups(active_SHW), work)
    return attention_SHW


def run_blocks(
    rows_NC: np.ndarray,
    active_SHW: np.ndarray,
    blocks: Sequence[Block],
    top_p: float,
    clip: float,
    first_attention_SHW: np.ndarray | None = None,
) -> BlocksResult:
    """Compute attention, selection, convolutions and pool of every block.

    Args:
        rows_NC: (N, C) float32, contiguous, the stem's rows at the active sites.
        active_SHW: (S, H, W) bool, contiguous.
        blocks: in their order.
        top_p: nucleus mass in (0, 1].
        clip: largest factor of the soft gate; 0 for the hard one.
        first_attention_SHW: the first block's attention, where it is known.

    Raises:
        DataError: rows that do not fit, or an attention that is not a number.
    """
    groups = _groups(active_SHW)
    threads = torch.get_num_threads() if len(groups) == 1 else 1
    results: list[BlocksResult] = [None] * len(groups)  # type: ignore[list-item]

    def work(number: int) -> None:
        first, last, start, end = groups[number]
        known = None if first_attention_SHW is None else first_attention_SHW[first:last]
        results[number] = _run_group(
            rows_NC[start:end], active_SHW[first:last], first, blocks, top_p, clip, known, threads=threads
        )

    share_out(range(len(groups)), work)
    if len(results) == 1:
        return results[0]
    layers = tuple(
        LayerArrays(*(np.concatenate(parts) for parts in zip(*(_fields(r.layers[i]) for r in results), strict=True)))
        for i in range(len(blocks))
    )
    rows, active = np.concatenate([r.rows_NC for r in results]), np.concatenate([r.active_SHW for r in results])
    return BlocksResult(rows, active, layers)


def _fields(layer: LayerArrays) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return layer.attention_SHW, layer.kept_SHW, layer.active_SHW


def _groups(active_SHW: np.ndarray) -> list[tuple[int, int, int, int]]:
    """Return (first segment, last segment, first row, last row) of equal groups, at least one per thread where possible."""
    segments, threads = len(active_SHW), torch.get_num_threads()
    parts = max(1, min(segments, threads * -(-segments // (threads * GROUP_SEGMENTS))))
    groups, row = [], 0
    for first, last in pairwise(segments * i // parts for i in range(parts + 1)):
        rows = int(np.count_nonzero(active_SHW[first:last]))
        groups.append((first, last, row, row + rows))
        row += rows
    return groups


def _run_group(
    rows_NC: np.ndarray,
    active_SHW: np.ndarray,
    first: int,
    blocks: Sequence[Block],
    top_p: float,
    clip: float,
    known_SHW: np.ndarray | None,
    *,
    threads: int,
) -> BlocksResult:
    """Compute the blocks for the segments from `first` on, the convolutions with `threads` threads."""
    layers = []
    for block in blocks:
        attention_SHW = block.attention(rows_NC, active_SHW, first) if known_SHW is None else known_SHW
        kept_SHW, kept = nucleus(attention_SHW, active_SHW, top_p)
        layers.append(LayerArrays(attention_SHW, kept_SHW, active_SHW))
        if threads > 1 and block.macs(kept) > SHARED_MACS:
            rows_NC = compiled.select_rows(rows_NC, attention_SHW, active_SHW, kept_SHW, kept, clip)
            rows_NC, active_SHW = _run_shared(rows_NC, kept_SHW, kept, block, threads)
        else:
            arrays = rows_NC, attention_SHW, active_SHW, kept_SHW, kept, clip
            rows_NC, active_SHW = run_block(*arrays, block.panels, block.biases, block.width, _STEPS)
        known_SHW = None
    return BlocksResult(rows_NC, active_SHW, tuple(layers))


def _run_shared(
    rows_NC: np.ndarray, kept_SHW: np.ndarray, kept: int, block: Block, threads: int
) -> tuple[np.ndarray, np.ndarray]:
    """Compute convolutions and pool of a block as `compiled_block.run_block` does by pairs, each one shared by the threads."""
    pairs = compiled.list_pairs(kept_SHW, kept_SHW, kept, _STEPS)
    for panels, bias_K in zip(block.panels, block.biases, strict=True):
        rows_NC = np.ascontiguousarray(rows_NC[:, : panels.shape[2]])  # without spare lanes
        rows_NC = convolve_arrays(rows_NC, pairs, kept, panels, bias_K, relu=True, threads=threads)
    return compiled.max_pool(np.ascontiguousarray(rows_NC[:, : block.width]), kept_SHW)[:2]
