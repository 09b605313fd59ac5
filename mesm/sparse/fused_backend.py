"""Compute submanifold convolution in one compiled pass: no gathered rows, no stored products; float32, CPU, gradients.

The work is cut into blocks of destination rows that fit a core's cache, and each of torch's threads takes the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mesm.errors import DataError
from mesm.sparse.sites import OFFSET_ORDER, Rulebook, check_rows

#: Output channels that are computed together, `compiled.LANES`.
LANES = 16
#: Floats of a block's rows in and out: 256 KiB, half of a usual second-level cache.
BLOCK_FLOATS = 1 << 16
#: Rows of a block at least, so that enough pairs share the reading of the weights.
LEAST_ROWS = 256


def why_not(device: torch.device, dtype: torch.dtype) -> str | None:
    """Return why the fused backend cannot run, or None where it can."""
    if device.type != "cpu" or dtype != torch.float32:
        return f"the fused backend computes float32 on a CPU, not {dtype} on {device.type}; use backend='auto'"
    return None


def pack(weight_KCRR: Tensor) -> Tensor:
    """Return (K, C, 3, 3) as (9, K, C) contiguous, one matrix per kernel offset."""
    return weight_KCRR.permute(2, 3, 0, 1).reshape(9, *weight_KCRR.shape[:2]).contiguous()


def panels(weight_9KC: Tensor) -> Tensor:
    """Return (9, K, C) of `pack` as (9, ceil(K / LANES), C, LANES) in the order of a rulebook's pairs."""
    return in_lanes(weight_9KC[list(OFFSET_ORDER)])


def in_lanes(weight_RKC: Tensor) -> Tensor:
    """Return (R, K, C) as (R, ceil(K / LANES), C, LANES), the form of `compiled.convolve_rows`, zeros behind K."""
    r, k, c = weight_RKC.shape
    padded = F.pad(weight_RKC, (0, 0, 0, -k % LANES))
    return padded.view(r, -1, LANES, c).transpose(2, 3).contiguous()


@cache
def _pool(workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, thread_name_prefix="mesm-sparse")


def share_out(pieces: Iterable[Any], work: Callable[[Any], None]) -> None:
    """Call `work` on every piece, with as many threads as torch may use, each taking the next one.

    `work` must release Python's lock.
    """
    left, threads = iter(tuple(pieces)), torch.get_num_threads()

    def take() -> None:
        for piece in left:
            work(piece)

    others = [_pool(threads - 1).submit(take) for _ in range(threads - 1)]
    take()
    for other in others:
        if not other.cancel():  # one that has not begun has nothing left to do
            other.result()


def _blocks(rows: int, width: int, num_panels: int, threads: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield (first row, last row, first panel, last panel) of pieces that fit the cache and keep the threads busy."""
    height = max(LEAST_ROWS, BLOCK_FLOATS // width)
    pieces = max(1, -(-rows // height))
    parts = min(num_panels, -(-2 * threads // pieces)) if threads > 1 else 1
    bounds = [num_panels * i // parts for i in range(parts + 1)]
    for row in range(0, rows, height):
        for first, last in pairwise(bounds):
            yield row, min(rows, row + height), first, last


def convolve_arrays(
    rows_NC: np.ndarray,
    pairs: tuple[np.ndarray, np.ndarray, np.ndarray],
    num_out: int,
    panels: np.ndarray,
    bias_K: np.ndarray,
    *,
    relu: bool,
    threads: int,
) -> np.ndarray:
    """Compute bias plus the sum over the pairs of each output row, on arrays that are known to fit.

    Args:
        rows_NC: (N, C) float32, contiguous.
        pairs: (source, destination, count of each offset) of `compiled.list_pairs`.
        num_out: M, number of output rows.
        panels: see `panels`.
        bias_K: (K,) float32 with one value for each lane of the panels.
        relu: whether to end with a ReLU.
        threads: how many take part; with one, the calling thread computes all.

    Returns:
        (M, K) with K = panels * LANES.
    """
    from mesm.sparse import compiled

    source_P, destination_P, counts = pairs
    width = panels.shape[1] * LANES
    out, starts = np.empty((num_out, width), np.float32), np.cumsum([0, *counts])
    fixed = rows_NC, panels, bias_K, relu, out, source_P, destination_P, starts
    blocks = _blocks(num_out, rows_NC.shape[1] + width, panels.shape[1], threads)
    if threads == 1:
        for block in blocks:
            compiled.convolve_rows(*fixed, *block)
    else:
        share_out(blocks, lambda block: compiled.convolve_rows(*fixed, *block))
    return out


def lane_bias(bias_K: Tensor, panels: int) -> np.ndarray:
    """Return the (K,) bias with a zero for each lane of the `panels` behind K."""
    return F.pad(bias_K.detach(), (0, panels * LANES - len(bias_K))).numpy()


def _sum_pairs(
    rows_NC: Tensor,
    pairs: tuple[Tensor, Tensor, list[int]],
    num_out: int,
    weight: Tensor,
    bias_K: Tensor | None = None,
    relu: bool = False,
) -> Tensor:
    """Return (num_out, panels * LANES): bias plus the sum over the pairs (from, to, count of each offset) of each row."""
    from_P, to_P, counts = pairs
    bias = lane_bias(rows_NC.new_zeros(0) if bias_K is None else bias_K, weight.shape[1])
    rows = rows_NC.detach().contiguous().numpy()
    lists = from_P.numpy(), to_P.numpy(), np.asarray(counts)
    threads = torch.get_num_threads()
    return torch.from_numpy(
        convolve_arrays(rows, lists, num_out, weight.detach().numpy(), bias, relu=relu, threads=threads)
    )


def convolve_panels(
    features_NC: Tensor, book: Rulebook, weight: Tensor, bias_K: Tensor, *, relu: bool = False
) -> Tensor:
    """Convolve for inference, without a graph.

    Args:
        features_NC: (sources, C) float32 rows in the order of `book`'s sources.
        book: the sites.
        weight: of `panels`.
        bias_K: (K,).
        relu: whether to end with a ReLU.

    Returns:
        (destinations, K).

    Raises:
        DataError: features that do not fit the rulebook or the weight.
    """
    check_rows(features_NC, book)
    if features_NC.shape[1] != weight.shape[2] or {features_NC.dtype, weight.dtype, bias_K.dtype} != {torch.float32}:
        raise DataError(
            f"features of {features_NC.shape[1]} channels in {features_NC.dtype} for a weight of {weight.shape[2]} in "
            f"{weight.dtype}; they must agree, in float32"
        )
    pairs = book.source_P, book.destination_P, book.pairs_per_offset
    return _sum_pairs(features_NC, pairs, len(book.destinations), weight, bias_K, relu)[:, : len(bias_K)]


class _Fused(torch.autograd.Function):
    """Compute the convolution and its gradients; both directions are one sum, the weights' gradient gathers rows."""

    @staticmethod
    def forward(ctx: Any, features_NC: Tensor, weight_9KC: Tensor, book: Rulebook) -> Tensor:
        ctx.save_for_backward(features_NC, weight_9KC)
        ctx.book = book
        return convolve_panels(features_NC, book, panels(weight_9KC), features_NC.new_zeros(weight_9KC.shape[1]))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        features_NC, weight_9KC = ctx.saved_tensors
        book: Rulebook = ctx.book
        grad_MK, c = grads[0].contiguous(), features_NC.shape[1]
        grad_features = grad_weight = None
        if ctx.needs_input_grad[0]:
            # Within an offset the sources rise with the destinations, so the lists serve both ways.
            pairs = book.destination_P, book.source_P, book.pairs_per_offset
            grad_features = _sum_pairs(grad_MK, pairs, len(features_NC), panels(weight_9KC.transpose(1, 2)))[:, :c]
        if ctx.needs_input_grad[1]:
            grad_weight = weight_gradient(features_NC, grad_MK, book)
        return grad_features, grad_weight, None


def weight_gradient(features_NC: Tensor, grad_MK: Tensor, book: Rulebook) -> Tensor:
    """Return the (9, K, C) gradient of `pack`ed weights, from the gradient of the destinations.

    Args:
        features_NC: (sources, C) rows.
        grad_MK: (destinations, K).
        book: the sites.
    """
    counts, c, k = book.pairs_per_offset, features_NC.shape[1], grad_MK.shape[1]
    grad_9KC, most = features_NC.new_empty(9, k, c), max(counts)
    # Buffers for all nine offsets: fresh ones cost more in page faults than the gathering itself.
    sources, destinations = features_NC.new_empty(most, c), features_NC.new_empty(most, k)
    lists = zip(OFFSET_ORDER, counts, book.source_P.split(counts), book.destination_P.split(counts), strict=True)
    for offset, count, source, destination in lists:
        rows = torch.index_select(features_NC, 0, source, out=sources[:count])
        grad = torch.index_select(grad_MK, 0, destination, out=destinations[:count])
        torch.mm(grad.t(), rows, out=grad_9KC[offset])
    return grad_9KC


def convolve(features_NC: Tensor, book: Rulebook, weight_KCRR: Tensor, bias_K: Tensor | None = None) -> Tensor:
    """Convolve as `dense_backend.convolve` does, with gradients for features, weight and bias."""
    out = _Fused.apply(features_NC, pack(weight_KCRR), book)
    return out if bias_K is None else out + bias_K
