"""Submanifold convolution as gather, matmul and segment sum, in plain torch on any device.

The source rows of two opposite kernel offsets are gathered into a small buffer and multiplied into a slice of one large
buffer; `embedding_bag` then adds the rows of each destination, which turns the usual scatter into a segment sum. The buffers
are kept from one convolution to the next (`Workspace`): fresh ones cost more in page faults than the gathering itself.
"""

from __future__ import annotations

import threading
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mesm.sparse.sites import OFFSET_ORDER, Rulebook


class Workspace(threading.local):
    """Memory that successive convolutions share, one piece per thread; its content is valid until the next `rows`."""

    def __init__(self) -> None:
        self._buffer = torch.empty(0)

    def __deepcopy__(self, memo: dict[int, Any]) -> Workspace:
        return Workspace()

    def __reduce__(self) -> tuple[type[Workspace], tuple[()]]:
        return Workspace, ()

    def rows(self, like: Tensor, *shapes: tuple[int, int]) -> list[Tensor]:
        """Uninitialised matrices of the given shapes, side by side."""
        sizes = [rows * columns for rows, columns in shapes]
        fits = self._buffer.dtype == like.dtype and self._buffer.device == like.device
        if self._buffer.is_inference() and not torch.is_inference_mode_enabled():
            fits = False  # such memory must not be written outside inference mode
        if not fits or self._buffer.numel() < sum(sizes):
            self._buffer = like.new_empty(0)  # the old memory goes before the new one comes
            self._buffer = like.new_empty(sum(sizes))
        parts = self._buffer[: sum(sizes)].split(sizes)
        return [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]


def pack(weight_KCRR: Tensor) -> Tensor:
    """(K, C, 3, 3) -> (9, K, C) contiguous, one matrix per kernel offset."""
    return weight_KCRR.permute(2, 3, 0, 1).reshape(9, *weight_KCRR.shape[:2]).contiguous()


def _products(features: Tensor, index_P: Tensor, book: Rulebook, weight_9CK: Tensor, space: Workspace) -> Tensor:
    """(P, K): row `index_P[i]` of the features times the matrix (C, K) of pair i's offset."""
    counts, (c, k) = book.pairs_per_offset, weight_9CK.shape[1:]
    sizes = counts if book.widened else [counts[0], *(2 * n for n in counts[1::2])]
    product_PK, gathered = space.rows(features, (sum(counts), k), (max(sizes), c))
    groups = zip(sizes, index_P.split(sizes), product_PK.split(sizes), strict=True)
    for number, (size, index, product) in enumerate(groups):
        if number == 0 and not book.widened:
            torch.mm(features, weight_9CK[OFFSET_ORDER[0]], out=product)  # every site is its own centre
            continue
        rows = torch.index_select(features, 0, index, out=gathered[:size])
        if book.widened:
            torch.mm(rows, weight_9CK[OFFSET_ORDER[number]], out=product)
        else:  # two opposite offsets, with as many pairs each: two matmuls side by side use two cores better than one
            first = OFFSET_ORDER[2 * number - 1]
            pair = weight_9CK[first : 9 - first : 8 - 2 * first]
            torch.bmm(rows.view(2, -1, c), pair, out=product.view(2, -1, k))
    return product_PK


def _segment_sum(rows_PK: Tensor, order_P: Tensor, start_N: Tensor) -> Tensor:
    """(N, K): row n is the sum of `rows_PK[order_P[start_N[n] : start_N[n + 1]]]`."""
    if not len(start_N) or not len(order_P):
        return rows_PK.new_zeros(len(start_N), rows_PK.shape[1])
    return F.embedding_bag(order_P, rows_PK, start_N, mode="sum")


def convolve_packed(
    features_NC: Tensor,
    book: Rulebook,
    weight_9KC: Tensor,
    bias_K: Tensor | None = None,
    space: Workspace | None = None,
) -> Tensor:
    """The inference path: no graph is built.

    Args:
        features_NC: (sources, C) rows in the order of `book`'s sources.
        book: the sites.
        weight_9KC: `pack`ed weights.
        bias_K: (K,) or None.
        space: memory to reuse.

    Returns:
        (destinations, K).
    """
    space = space or Workspace()
    product_PK = _products(features_NC, book.source_P, book, weight_9KC.transpose(1, 2), space)
    out = _segment_sum(product_PK, *book.by_destination)
    return out if bias_K is None else out.add_(bias_K)


class _Gather(torch.autograd.Function):
    """Keeps the features and the rulebook for backward, not the nine times larger gathered rows."""

    @staticmethod
    def forward(ctx: Any, features_NC: Tensor, weight_9KC: Tensor, book: Rulebook) -> Tensor:
        ctx.save_for_backward(features_NC, weight_9KC)
        ctx.book = book
        return convolve_packed(features_NC, book, weight_9KC)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        features_NC, weight_9KC = ctx.saved_tensors
        book: Rulebook = ctx.book
        grad_NK, space = grads[0].contiguous(), Workspace()
        grad_features = grad_weight = None
        if ctx.needs_input_grad[0]:
            back_PC = _products(grad_NK, book.destination_P, book, weight_9KC, space)
            grad_features = _segment_sum(back_PC, *book.by_source)
        if ctx.needs_input_grad[1]:
            grad_weight = weight_gradient(features_NC, grad_NK, book, space)
        return grad_features, grad_weight, None


def weight_gradient(features_NC: Tensor, grad_MK: Tensor, book: Rulebook, space: Workspace) -> Tensor:
    """(9, K, C), as `pack`ed, from the gradient of the destinations."""
    counts, c, k = book.pairs_per_offset, features_NC.shape[1], grad_MK.shape[1]
    grad_9KC, most = features_NC.new_empty(9, k, c), max(counts)
    sources, destinations = space.rows(features_NC, (most, c), (most, k))
    lists = zip(OFFSET_ORDER, counts, book.source_P.split(counts), book.destination_P.split(counts), strict=True)
    for offset, count, source, destination in lists:
        rows = torch.index_select(features_NC, 0, source, out=sources[:count])
        grad = torch.index_select(grad_MK, 0, destination, out=destinations[:count])
        torch.mm(grad.t(), rows, out=grad_9KC[offset])
    return grad_9KC


def convolve(features_NC: Tensor, book: Rulebook, weight_KCRR: Tensor, bias_K: Tensor | None = None) -> Tensor:
    """As `dense_backend.convolve`, with gradients for features, weight and bias; memory is not kept between calls."""
    device = features_NC.device.type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
        features_NC, weight_KCRR = features_NC.to(dtype), weight_KCRR.to(dtype)
    out = _Gather.apply(features_NC, pack(weight_KCRR), book)
    return out if bias_K is None else out + bias_K
