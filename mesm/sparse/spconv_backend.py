"""Compute submanifold convolution by spconv, on CUDA only: its CPU build errs with more than one thread."""

from __future__ import annotations

import importlib.util

import torch
from torch import Tensor

from mesm.errors import BackendUnavailable
from mesm.sparse.sites import Rulebook


def why_not(device: torch.device) -> str | None:
    """Return why spconv cannot run on `device`, or None where it can."""
    if device.type != "cuda":
        return (
            f"the spconv backend runs on CUDA only, and this tensor is on {device.type}: spconv's CPU build returns "
            "wrong sums with more than one thread; use backend='auto'"
        )
    if importlib.util.find_spec("spconv") is None:
        return "the spconv backend needs the package spconv-cu126 (pip install 'mesm[gpu]'); or use backend='auto'"
    return None


def convolve(features_NC: Tensor, book: Rulebook, weight_KCRR: Tensor, bias_K: Tensor | None = None) -> Tensor:
    """Convolve as `dense_backend.convolve` does; raises `BackendUnavailable` off CUDA.

    A widened rulebook is convolved on all its sources and then read at the destinations.
    """
    reason = why_not(features_NC.device)
    if reason:
        raise BackendUnavailable(reason)
    import spconv.pytorch as spconv

    s, h, w = book.sources.shape
    layer = spconv.SubMConv2d(weight_KCRR.shape[1], weight_KCRR.shape[0], 3, padding=1, bias=False, indice_key="block")
    layer = layer.to(features_NC.device)
    # spconv stores (K, 3, 3, C); assigning through a functional call keeps our weight's graph.
    packed = weight_KCRR.permute(0, 2, 3, 1).contiguous()
    tensor = spconv.SparseConvTensor(features_NC.contiguous(), book.sources.sites_N3.int(), [h, w], s)
    out = torch.func.functional_call(layer, {"weight": packed}, (tensor,)).features
    if book.widened:
        out = out.index_select(0, torch.searchsorted(book.sources.rows_N, book.destinations.rows_N))
    return out if bias_K is None else out + bias_K
