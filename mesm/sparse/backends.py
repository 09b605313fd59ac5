"""The backends by name, and `auto`: which one runs a given convolution."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mesm.errors import BackendUnavailable, ConfigError
from mesm.sparse import dense_backend, gather_backend, spconv_backend
from mesm.sparse.backend_costs import COSTS
from mesm.sparse.sites import Rulebook

Convolve = Callable[[Tensor, Rulebook, Tensor, Tensor | None], Tensor]

CONVOLVE: dict[str, Convolve] = {
    "dense": dense_backend.convolve,
    "gather": gather_backend.convolve,
    "spconv": spconv_backend.convolve,
}


def available(name: str, device: torch.device) -> bool:
    """Whether backend `name` can run on `device`."""
    return name != "spconv" or spconv_backend.why_not(device) is None


def choose(name: str, book: Rulebook, c_in: int, c_out: int, dtype: torch.dtype) -> str:
    """The backend that runs: `name` itself, or for `auto` the one that the measured costs say is faster.

    Raises:
        ConfigError: no backend has that name.
        BackendUnavailable: it cannot run on the sites' device.
    """
    device = book.destinations.mask_SHW.device
    if name == "auto":
        costs = COSTS.get((device.type, str(dtype).removeprefix("torch.")))
        if costs is None:
            return "dense"
        dense = costs.dense_ns(book.destinations.mask_SHW.numel(), c_in, c_out)
        return "gather" if costs.gather_ns(book.num_pairs, c_in, c_out) < dense else "dense"
    if name not in CONVOLVE:
        raise ConfigError(f"backend is {name!r}; it must be one of auto, {', '.join(CONVOLVE)}")
    if name == "spconv" and (reason := spconv_backend.why_not(device)):
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
        backend: auto, dense, gather or spconv.

    Returns:
        (destinations, K).
    """
    c_out, c_in = weight_KCRR.shape[:2]
    name = choose(backend, book, c_in, c_out, features_NC.dtype)
    return CONVOLVE[name](features_NC, book, weight_KCRR, bias_K)
