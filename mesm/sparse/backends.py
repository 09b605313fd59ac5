"""The backends by name, and `auto`: which one runs a given convolution."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mesm.errors import BackendUnavailable, ConfigError
from mesm.sparse import dense_backend, gather_backend, spconv_backend
from mesm.sparse.sites import Rulebook

Convolve = Callable[[Tensor, Rulebook, Tensor, Tensor | None], Tensor]

CONVOLVE: dict[str, Convolve] = {
    "dense": dense_backend.convolve,
    "gather": gather_backend.convolve,
    "spconv": spconv_backend.convolve,
}

#: Above this density the masked dense convolution is faster on a CPU.
DENSE_FROM_DENSITY = 0.7


def available(name: str, device: torch.device) -> bool:
    """Whether backend `name` can run on `device`."""
    return name != "spconv" or spconv_backend.why_not(device) is None


def choose(name: str, book: Rulebook) -> str:
    """The backend that runs: `name` itself, or for `auto` the one expected to be faster."""
    if name != "auto":
        if name not in CONVOLVE:
            raise ConfigError(f"backend is {name!r}; it must be one of auto, {', '.join(CONVOLVE)}")
        if name == "spconv" and (reason := spconv_backend.why_not(book.destinations.mask_SHW.device)):
            raise BackendUnavailable(reason)
        return name
    return "dense" if book.destinations.density > DENSE_FROM_DENSITY else "gather"


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
    return CONVOLVE[choose(backend, book)](features_NC, book, weight_KCRR, bias_K)
