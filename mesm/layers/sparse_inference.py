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

from mesm.layers.normalisation import FoldedConv
from mesm.sparse import compiled, compiled_maps
from mesm.sparse.compiled_attention import AttentionWeights, SegmentAttention, nucleus
from mesm.sparse.fused_backend import LANES, blocks_of, convolve_arrays, lane_bias, share_out
from mesm.sparse.sites import STEPS

#: Segments that a thread takes at a time at most: enough to share the reading of the weights.
GROUP_SEGMENTS = 16
#: Multiply-adds, per output channel, that cost as much as loading and storing the sums of one pair (measured on AVX2).
PAIR_COST = 20
_STEPS = np.array(STEPS)


@dataclass(frozen=True, eq=False)
class Convolution:
    """Hold a convolution with its batch norm folded in, as `fused_backend.convolve_arrays` reads it."""

    panels: np.ndarray
    bias_K: np.ndarray
    width: int

    @classmethod
    def of(cls, folded: FoldedConv) -> Convolution:
        """Lay out the weights."""
        bias_K = lane_bias(folded.bias_K, folded.panels.shape[1])
        return cls(folded.panels.numpy(), bias_K, len(folded.bias_K))


@dataclass(frozen=True, eq=False)
class BlockWeights:
    """Hold the weights of one sparse block."""

    attention: AttentionWeights
    convolutions: tuple[Convolution, ...]


@dataclass(frozen=True, eq=False)
class Block:
    """Hold one sparse block under the segments' queries."""

    attention: SegmentAttention
    convolutions: tuple[Convolution, ...]


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
        rows_NC = compiled.select_rows(rows_NC, attention_SHW, active_SHW, kept_SHW, kept, clip)
        rows_NC = _convolve(rows_NC, kept_SHW, kept, block.convolutions, threads)
        rows_NC, active_SHW = compiled.max_pool(rows_NC, kept_SHW)[:2]
        known_SHW = None
    return BlocksResult(rows_NC, active_SHW, tuple(layers))


def _convolve(
    rows_NC: np.ndarray, kept_SHW: np.ndarray, kept: int, convolutions: Sequence[Convolution], threads: int
) -> np.ndarray:
    """Compute a block's convolutions on the kept sites, the first ones by tiles where the sites are many for their channels.

    Tiles multiply also by the zeros of the neighbours that are not kept; pairs skip these, but load and store a sum for each.
    """
    num_pairs, tiled = compiled_maps.count_pairs(kept_SHW), 0
    while tiled < len(convolutions) and _suits_tiles(num_pairs, kept, convolutions[tiled]):
        tiled += 1
    if tiled:
        rows_NC = _convolve_tiles(rows_NC, kept_SHW, convolutions[:tiled], threads)
    if tiled == len(convolutions):
        return rows_NC
    pairs = compiled.list_pairs(kept_SHW, kept_SHW, kept, _STEPS)
    for conv in convolutions[tiled:]:
        rows_NC = convolve_arrays(rows_NC, pairs, kept, conv.panels, conv.bias_K, relu=True, threads=threads)
        rows_NC = _without_spare_lanes(rows_NC, conv)
    return rows_NC


def _suits_tiles(num_pairs: int, kept: int, conv: Convolution) -> bool:
    channels = conv.panels.shape[2]
    return num_pairs * (channels + PAIR_COST) > 9 * kept * channels


def _convolve_tiles(
    rows_NC: np.ndarray, kept_SHW: np.ndarray, convolutions: Sequence[Convolution], threads: int
) -> np.ndarray:
    (s, h, w), (kept, stride) = kept_SHW.shape, rows_NC.shape
    x, places = np.empty((s, h + 2, w + 2, stride), np.float32), np.empty(kept, np.int64)
    compiled_maps.scatter_rows(rows_NC, kept_SHW, x, places)
    places = compiled_maps.in_tiles(places)
    for conv in convolutions:
        _, panels, channels, _ = conv.panels.shape
        width, last = panels * LANES, conv is convolutions[-1]
        out = np.empty((kept, width), np.float32) if last else np.zeros((s, h + 2, w + 2, width), np.float32)
        destination = compiled_maps.in_tiles(np.arange(kept)) if last else places + (w + 3)
        offsets = np.array([(dy + 1) * (w + 2) + dx + 1 for dy, dx in STEPS]) * stride
        fixed = (
            x.reshape(-1), conv.panels.reshape(-1), conv.bias_K, places * stride, destination * width, offsets, channels,
            panels * channels * LANES, out.reshape(-1),
        )  # fmt: skip
        blocks = blocks_of(kept, channels + width, panels, threads)
        if threads == 1:
            for block in blocks:
                compiled_maps.convolve_places(*fixed, *block)
        else:
            share_out(blocks, partial(compiled_maps.convolve_places, *fixed))
        x, stride = out, width
    return _without_spare_lanes(x, convolutions[-1])


def _without_spare_lanes(rows_NC: np.ndarray, conv: Convolution) -> np.ndarray:
    """Return the rows without the lanes behind a width that is no multiple of theirs."""
    return rows_NC if rows_NC.shape[1] == conv.width else np.ascontiguousarray(rows_NC[:, : conv.width])
