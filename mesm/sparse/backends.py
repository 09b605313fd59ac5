"""The backends by name, and `auto`: which one runs a given convolution."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mesm.errors import BackendUnavailable, ConfigError
from mesm.sparse import dense_backend, fused_backend, gather_backend, spconv_backend
from mesm.sparse.backend_costs import COSTS, fastest
from mesm.sparse.sites import Rulebook

Convolve = Callable[[Tensor, Rulebook, Tensor, Tensor | None], Tensor]

CONVOLVE: dict[str, Convolve] = {
    "dense": dense_backend.convolve,
    "gather": gather_backend.convolve,
    "fused": fused_backend.convolve,
    "spconv": spconv_backend.convolve,
}


def available(name: str, device: torch.device) -> bool:
    """Whether backend `name` can run on `device`, in float32."""
    return _why_not(name, device, torch.float32) is None


def _why_not(name: str, device: torch.device, dtype: torch.dtype) -> str | None:
    if name == "spconv":
        return spconv_backend.why_not(device)
    return fused_backend.why_not(device, dtype) if name == "fused" else None


def compute_dtype(x: Tensor) -> torch.dtype:
    """The type in which a convolution of `x` runs: autocast's where that is on."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


def choose(name: str, book: Rulebook, c_in: int, c_out: int, dtype: torch.dtype) -> str:
    """The backend that runs: `name` itself, or for `auto` the one that the measured costs say is fastest.

    Args:
        name: auto, or a key of `CONVOLVE`.
        book: the sites.
        c_in: channels of the sources.
        c_out: channels of the destinations.
        dtype: what it computes in, see `compute_dtype`.

    Raises:
        ConfigError: no backend has that name.
        BackendUnavailable: it cannot run on the sites' device, or not in that type.
    """
    device = book.destinations.mask_SHW.device
    if name == "auto":
        costs = COSTS.get((device.type, str(dtype).removeprefix("torch.")))
        return fastest(costs, book.destinations.mask_SHW.numel(), book.num_pairs, c_in, c_out) if costs else "dense"
    if name not in CONVOLVE:
        raise ConfigError(f"backend is {name!r}; it must be one of auto, {', '.join(CONVOLVE)}")
    if reason := _why_not(name, device, dtype):
        raise BackendUnavailable(reason)
    return name


def submanifold_conv(
    features_NC: Tensor, book: Rulebook, weight_KCRR: Tensor, bias_K: Tensor | None = None, *, backend: str = "auto"
) -> Tensor:
    """3x3 submanifold convolution: outputs only at `book`'s destinations, sums only over its sources.

    Args:
        features_NC: (sources, C) rows in the order of the rulebook's sources.
        book: the sites.
        weight_KCRR: (K, C, 3, 3), as in `torch.nn.Conv2d`.
        bias_K: (K,) or None.
        backend: auto, dense, gather, fused or spconv.

    Returns:
        (destinations, K).
    """
    c_out, c_in = weight_KCRR.shape[:2]
    name = choose(backend, book, c_in, c_out, compute_dtype(features_NC))
    return CONVOLVE[name](features_NC, book, weight_KCRR, bias_K)
