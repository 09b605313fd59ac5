"""List the backends by name, and choose the one that runs a given convolution (`auto`).

    dense   masked dense convolution: every device and type, autograd of torch; the oracle of the tests
    fused   one compiled pass over the pairs: float32 on a CPU, with its own gradients
    spconv  CUDA, where the package spconv is installed; float32 and float16

`auto` compares those that run on the device and in the type by their costs on this machine (`calibration`); where only
dense does (float64 and bfloat16 on a CPU, CUDA without spconv), it takes dense. In inference on a CPU `SparseVGG` makes
no choice: `mesm.layers.sparse_inference` always runs the fused pass. A fourth backend in plain torch (gather rows, nine matrix
products, segment sum) was dropped: its costs per call and per row were 2.4 and 5 times those of fused.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mesm.errors import BackendUnavailable, ConfigError, DataError
from mesm.sparse import dense_backend, fused_backend, spconv_backend
from mesm.sparse.backend_costs import fastest
from mesm.sparse.calibration import costs_here
from mesm.sparse.sites import Rulebook, check_rows

Convolve = Callable[[Tensor, Rulebook, Tensor, Tensor | None], Tensor]

CONVOLVE: dict[str, Convolve] = {
    "dense": dense_backend.convolve,
    "fused": fused_backend.convolve,
    "spconv": spconv_backend.convolve,
}


def available(name: str, device: torch.device) -> bool:
    """Return whether backend `name` can run on `device`, in float32."""
    return _why_not(name, device, torch.float32) is None


def _why_not(name: str, device: torch.device, dtype: torch.dtype) -> str | None:
    if name == "spconv":
        return spconv_backend.why_not(device)
    return fused_backend.why_not(device, dtype) if name == "fused" else None


def compute_dtype(x: Tensor) -> torch.dtype:
    """Return the type in which a convolution of `x` runs: autocast's where that is on."""
    device = x.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x.dtype


def choose(name: str, book: Rulebook, c_in: int, c_out: int, dtype: torch.dtype) -> str:
    """Choose the backend that runs: `name` itself, or for `auto` the fastest by the measured costs.

    Args:
        name: auto, or a key of `CONVOLVE`.
        book: the sites.
        c_in: channels of the sources.
        c_out: channels of the destinations.
        dtype: type of the computation, see `compute_dtype`.

    Raises:
        ConfigError: no backend has that name.
        BackendUnavailable: it cannot run on the sites' device, or not in that type.
    """
    device = book.destinations.mask_SHW.device
    if name == "auto":
        costs = costs_here(device, dtype)
        return fastest(costs, book.destinations.mask_SHW.numel(), book.num_pairs, c_in, c_out) if costs else "dense"
    if name not in CONVOLVE:
        raise ConfigError(f"backend is {name!r}; it must be one of auto, {', '.join(CONVOLVE)}")
    if reason := _why_not(name, device, dtype):
        raise BackendUnavailable(reason)
    return name


def _check_weight(features_NC: Tensor, weight_KCRR: Tensor, bias_K: Tensor | None) -> None:
    """Check that a weight and a bias fit the features: compiled code would read past the end of an array."""
    channels, shape = features_NC.shape[1], tuple(weight_KCRR.shape)
    if len(shape) != 4 or shape[1:] != (channels, 3, 3):
        raise DataError(f"a weight of {shape} for features of {channels} channels; it must be (K, {channels}, 3, 3)")
    if bias_K is not None and tuple(bias_K.shape) != shape[:1]:
        raise DataError(f"a bias of {tuple(bias_K.shape)} for a weight of {shape}; it must be ({shape[0]},)")
    others = [weight_KCRR] if bias_K is None else [weight_KCRR, bias_K]
    kinds = [f"{t.dtype} on {t.device.type}".removeprefix("torch.") for t in (features_NC, *others)]
    under_autocast = torch.is_autocast_enabled(features_NC.device.type)
    if any(t.device != features_NC.device or (t.dtype != features_NC.dtype and not under_autocast) for t in others):
        raise DataError(f"features, weight and bias are {', '.join(kinds)}; convert them to one type on one device")


def submanifold_conv(
    features_NC: Tensor, book: Rulebook, weight_KCRR: Tensor, bias_K: Tensor | None = None, *, backend: str = "auto"
) -> Tensor:
    """Convolve 3x3, submanifold: outputs only at `book`'s destinations, sums only over its sources.

    Args:
        features_NC: (sources, C) rows in the order of the rulebook's sources.
        book: the sites.
        weight_KCRR: (K, C, 3, 3), as in `torch.nn.Conv2d`.
        bias_K: (K,) or None.
        backend: auto, dense, fused or spconv.

    Returns:
        (destinations, K).

    Raises:
        DataError: shapes, types or devices that do not fit each other; the same for every backend.
    """
    check_rows(features_NC, book)
    _check_weight(features_NC, weight_KCRR, bias_K)
    c_out, c_in = weight_KCRR.shape[:2]
    name = choose(backend, book, c_in, c_out, compute_dtype(features_NC))
    return CONVOLVE[name](features_NC, book, weight_KCRR, bias_K)
