"""Submanifold convolution as gather, matmul and segment sum, in plain torch on any device.

All pairs are gathered once, sorted by kernel offset; nine matmuls write slices of one buffer; `embedding_bag` adds the
rows of each destination, which turns the usual scatter into a segment sum (2-3 times faster than nine `index_add_`).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mesm.sparse.sites import Rulebook


def pack(weight_KCRR: Tensor) -> Tensor:
    """(K, C, 3, 3) -> (9, C, K) contiguous, one matrix per kernel offset."""
    return weight_KCRR.permute(2, 3, 1, 0).reshape(9, weight_KCRR.shape[1], weight_KCRR.shape[0]).contiguous()


def _offset_matmuls(rows_PC: Tensor, weight_9CK: Tensor, pairs_per_offset: list[int]) -> Tensor:
    """(P, K): each slice of pairs times its offset's matrix."""
    product, start = rows_PC.new_empty(len(rows_PC), weight_9CK.shape[2]), 0
    for matrix, count in zip(weight_9CK, pairs_per_offset, strict=True):
        if count:
            torch.mm(rows_PC[start : start + count], matrix, out=product[start : start + count])
        start += count
    return product


def _segment_sum(rows_PK: Tensor, order_P: Tensor, start_N: Tensor) -> Tensor:
    """(N, K): row n is the sum of `rows_PK[order_P[start_N[n] : start_N[n + 1]]]`."""
    if not len(start_N):
        return rows_PK.new_zeros(0, rows_PK.shape[1])
    if not len(order_P):
        return rows_PK.new_zeros(len(start_N), rows_PK.shape[1])
    return F.embedding_bag(order_P, rows_PK, start_N, mode="sum")


def convolve_packed(features_NC: Tensor, book: Rulebook, weight_9CK: Tensor, bias_K: Tensor | None = None) -> Tensor:
    """The inference path: no graph is built.

    Args:
        features_NC: (sources, C) rows in the order of `book`'s sources.
        book: the sites.
        weight_9CK: `pack`ed weights.
        bias_K: (K,) or None.

    Returns:
        (destinations, K).
    """
    rows = features_NC.index_select(0, book.source_P)
    product = _offset_matmuls(rows, weight_9CK, book.pairs_per_offset)
    out = _segment_sum(product, book.by_destination_P, book.destination_start_N)
    return out if bias_K is None else out.add_(bias_K)


class _Gather(torch.autograd.Function):
    """Keeps the features and the rulebook for backward, not the nine times larger gathered rows."""

    @staticmethod
    def forward(ctx: Any, features_NC: Tensor, weight_9CK: Tensor, book: Rulebook) -> Tensor:
        ctx.save_for_backward(features_NC, weight_9CK)
        ctx.book = book
        return convolve_packed(features_NC, book, weight_9CK)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        features_NC, weight_9CK = ctx.saved_tensors
        book: Rulebook = ctx.book
        grad_PK = grads[0].index_select(0, book.destination_P)
        grad_features = grad_weight = None
        if ctx.needs_input_grad[0]:
            back = _offset_matmuls(grad_PK, weight_9CK.transpose(1, 2), book.pairs_per_offset)
            grad_features = _segment_sum(back, *book.by_source)
        if ctx.needs_input_grad[1]:
            grad_weight, start = torch.zeros_like(weight_9CK), 0
            rows_PC = features_NC.index_select(0, book.source_P)
            for k, count in enumerate(book.pairs_per_offset):
                pair = slice(start, start + count)
                if count:
                    torch.mm(rows_PC[pair].t(), grad_PK[pair], out=grad_weight[k])
                start += count
        return grad_features, grad_weight, None


def convolve(features_NC: Tensor, book: Rulebook, weight_KCRR: Tensor, bias_K: Tensor | None = None) -> Tensor:
    """As `dense_backend.convolve`, with gradients for features, weight and bias."""
    if torch.is_autocast_enabled(features_NC.device.type):
        dtype = torch.get_autocast_dtype(features_NC.device.type)
        features_NC, weight_KCRR = features_NC.to(dtype), weight_KCRR.to(dtype)
    with torch.autocast(features_NC.device.type, enabled=False):
        if torch.is_grad_enabled() and (features_NC.requires_grad or weight_KCRR.requires_grad):
            out = _Gather.apply(features_NC, pack(weight_KCRR), book)
        else:
            out = convolve_packed(features_NC, book, pack(weight_KCRR))
    return out if bias_K is None else out + bias_K
