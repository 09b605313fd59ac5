"""Compute convolutions, ReLUs and pools of a dense CNN for inference on a CPU: each thread takes some segments through all.

Torch spends about a tenth of a millisecond on each operation, which for small maps is more than its multiply-adds take.
`compiled_maps` computes a convolution with bias, ReLU and pool in one compiled call, on framed maps that stay in the core's
cache. `VGGTrunk` computes the same with torch's operations on every device and with gradients; the tests compare the two.

Shape legend: S segments, C channels, H W map, K output channels, R kernel size.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from mesm.errors import DataError
from mesm.layers.normalisation import FoldedConv
from mesm.sparse import compiled_maps
from mesm.sparse.compiled_maps import LANES
from mesm.sparse.fused_backend import share_out

#: Segments that a thread takes at a time at most.
GROUP_SEGMENTS = 4
#: Multiply-adds of a layer on one segment from which all threads share the layer where there are fewer segments than
#: threads: half a millisecond on one core, where waking a thread takes about a twentieth.
SHARED_MACS = 20_000_000


@dataclass(frozen=True, eq=False)
class DenseLayer:
    """Hold a convolution R x R with stride 1 and "same" padding, batch norm folded in, its ReLU, and whether a pool follows.

    Attributes:
        weights: of `compiled_maps.lay_out`.
        bias_K: of `compiled_maps.lay_out`.
        size: R.
        c_in: C.
        c_out: K.
        pooled: whether a 2x2 max-pool follows.
    """

    weights: np.ndarray
    bias_K: np.ndarray
    size: int
    c_in: int
    c_out: int
    pooled: bool

    @classmethod
    def of(cls, folded: FoldedConv, *, pooled: bool = False) -> DenseLayer:
        """Lay out the weights."""
        k, c, r, _ = folded.weight_KCRR.shape
        return cls(*compiled_maps.lay_out(folded.weight_KCRR.numpy(), folded.bias_K.numpy()), r, c, k, pooled)

    @property
    def panels(self) -> int:
        """Return how many groups of LANES output channels there are."""
        return -(-self.c_out // LANES)


@lru_cache(maxsize=64)
def _places(
    size: int, channels: int, stride: int, height: int, width: int, out_stride: int, frame: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Return source and destination of every place of a map, and the runs of its window: see `convolve_places`."""
    y, x = np.mgrid[:height, :width].reshape(2, -1)
    source = (y * (width + size - 1) + x) * stride
    destination = ((y + frame) * (width + 2 * frame) + x + frame) * out_stride
    offsets, run = compiled_maps.window_runs(size, channels, width + size - 1, stride)
    return compiled_maps.in_tiles(source), compiled_maps.in_tiles(destination), offsets, run


def run_layers(layers: Sequence[DenseLayer], maps_SCHW: np.ndarray) -> np.ndarray:
    """Compute the layers one after the other.

    Args:
        layers: at least one.
        maps_SCHW: float32, contiguous; every side large enough for the pools.

    Returns:
        (S, H', W', K) of the last layer.

    Raises:
        DataError: maps of another type, shape or number of channels than the first layer reads.
    """
    if maps_SCHW.ndim != 4 or maps_SCHW.shape[1] != layers[0].c_in or maps_SCHW.dtype != np.float32:
        raise DataError(
            f"maps of {maps_SCHW.shape} in {maps_SCHW.dtype}; this network reads (S, {layers[0].c_in}, H, W) in float32"
        )
    s, _, h, w = maps_SCHW.shape
    pools = sum(layer.pooled for layer in layers)
    out_SHWK = np.empty((s, h >> pools, w >> pools, layers[-1].panels * LANES), np.float32)
    threads = torch.get_num_threads()
    parts = max(1, min(s, threads * -(-s // (threads * GROUP_SEGMENTS))))
    bounds = [(s * i // parts, s * (i + 1) // parts) for i in range(parts)]
    if parts < threads:
        for first, last in bounds:
            _run_group(layers, maps_SCHW[first:last], out_SHWK[first:last], threads)
    else:
        share_out(bounds, lambda b: _run_group(layers, maps_SCHW[b[0] : b[1]], out_SHWK[b[0] : b[1]], 1))
    return np.ascontiguousarray(out_SHWK[..., : layers[-1].c_out])  # without the lanes behind K


class _Workspace(threading.local):
    """Keep a thread's buffers from call to call: fresh memory of this size costs a page fault every 4 KiB."""

    def __init__(self) -> None:
        self._buffers: dict[int, np.ndarray] = {}

    def array(self, number: int, shape: tuple[int, ...]) -> np.ndarray:
        """Return buffer `number` in a shape, with whatever is in it."""
        size = math.prod(shape)
        if number not in self._buffers or self._buffers[number].size < size:
            self._buffers[number] = np.empty(size, np.float32)
        return self._buffers[number][:size].reshape(shape)


_workspace = _Workspace()
_SCRATCH = 2


def _run_group(layers: Sequence[DenseLayer], maps_SCHW: np.ndarray, out_SHWK: np.ndarray, threads: int) -> None:
    """Compute the layers for a group of segments, the large ones with `threads` threads."""
    s, stride, h, w = maps_SCHW.shape
    frame = layers[0].size // 2
    x_SHWC = _workspace.array(1, (s, h + 2 * frame, w + 2 * frame, stride))
    compiled_maps.frame_maps(np.ascontiguousarray(maps_SCHW), x_SHWC, frame)
    for number, (layer, following) in enumerate(pairwise([*layers, None])):
        assert layer is not None
        frame, width = 0 if following is None else following.size // 2, layer.panels * LANES
        inner = 0 if layer.pooled else frame
        source, destination, offsets, run = _places(layer.size, layer.c_in, stride, h, w, width, inner)
        scratch = np.empty((0, h, w, width), np.float32)
        macs = h * w * layer.c_in * layer.c_out * layer.size**2
        if layer.pooled:
            together = max(1, compiled_maps.BLOCK_FLOATS // (h * w * width), compiled_maps.LEAST_PLACES // (h * w))
            scratch = _workspace.array(_SCRATCH, (min(s, together), h, w, width))
            h, w = h // 2, w // 2
        if following is None:
            out = out_SHWK
        else:
            out = _workspace.array(number % 2, (s, h + 2 * frame, w + 2 * frame, width))
            compiled_maps.clear_frame(out, frame)
        fixed = x_SHWC, layer.weights, layer.bias_K, source, destination, offsets, run, out, scratch, frame
        if threads == 1 or macs < SHARED_MACS:
            compiled_maps.convolve_maps(*fixed, 0, layer.panels)
        else:
            work = partial(_convolve_panels, fixed)
            share_out(pairwise(layer.panels * i // threads for i in range(threads + 1)), work)
        x_SHWC, stride = out, width


def _convolve_panels(fixed: tuple[Any, ...], panels: tuple[int, int]) -> None:
    compiled_maps.convolve_maps(*fixed, *panels)
