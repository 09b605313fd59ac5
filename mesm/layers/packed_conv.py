"""Compute a dense convolution and its ReLU as one oneDNN operation whose weights are packed once (CPU, float32, inference).

`F.conv2d` reorders the weights into oneDNN's blocks at every call, which for one face costs more than the multiply-adds. They
are packed when the same shape comes twice in a row.
The operations used here are those that `torch.compile` emits; where this torch lacks them, or they fail on this processor,
`F.conv2d` runs.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import _get_current_dispatch_mode

#: Packed forms that are kept: the blocks that oneDNN chooses depend on the input's shape and the threads, and weights packed
#: for others cost up to three times the unpacked ones.
KEPT_FORMS = 2
_ONES = [1, 1]


class PackedConv:
    """Hold a convolution's weight (K, C, R, R) and bias (K,), and the weight's latest packed forms."""

    def __init__(self, weight_KCRR: Tensor, bias_K: Tensor) -> None:
        self.weight_KCRR, self.bias_K = weight_KCRR, bias_K
        self._packed: OrderedDict[tuple[int, ...], Tensor] = OrderedDict()
        self._last: tuple[int, ...] = ()

    def __getstate__(self) -> dict[str, object]:
        """Return the state without the packed forms, which torch can neither copy nor pickle."""
        return self.__dict__ | {"_packed": OrderedDict()}

    def relu(self, maps_SCHW: Tensor, padding: int) -> Tensor:
        """Compute relu(conv(maps)), stride 1, for inference."""
        packed = self._form(maps_SCHW, padding) if _suits(maps_SCHW) and _runs_here() else None
        if packed is None:
            return F.conv2d(maps_SCHW, self.weight_KCRR, self.bias_K, padding=padding).relu_()
        return _run(maps_SCHW, packed, self.bias_K, padding)

    def _form(self, maps_SCHW: Tensor, padding: int) -> Tensor | None:
        """Return the weights packed for these maps; None at the first use of a shape, after which another may follow.

        For clips of ever other lengths packing costs more than it saves.
        """
        shape = tuple(maps_SCHW.shape)
        form = (torch.get_num_threads(), *shape)
        again, self._last = form == self._last, form
        if again and form not in self._packed:
            self._packed[form] = _pack(self.weight_KCRR, padding, shape)
            while len(self._packed) > KEPT_FORMS:
                self._packed.popitem(last=False)
        return self._packed.get(form)


def _suits(maps_SCHW: Tensor) -> bool:
    """Return whether the packed operation may run: not under tracing or a dispatch mode, whose counters do not know it."""
    plain = maps_SCHW.device.type == "cpu" and maps_SCHW.dtype == torch.float32 and maps_SCHW.numel() > 0
    observed = torch.jit.is_tracing() or torch.compiler.is_compiling() or _get_current_dispatch_mode() is not None
    return plain and not observed and not torch.is_autocast_enabled("cpu")


@cache
def _runs_here() -> bool:
    """Return whether this torch on this processor has the operations and they agree with `F.conv2d`."""
    maps, weight, bias = torch.arange(32.0).view(1, 2, 4, 4), torch.arange(36.0).view(2, 2, 3, 3), torch.ones(2)
    try:
        packed = _run(maps, _pack(weight, 1, tuple(maps.shape)), bias, 1)
    except (AttributeError, RuntimeError, TypeError):  # missing, or of another signature
        return False
    return torch.allclose(packed, F.conv2d(maps, weight, bias, padding=1).relu())


def _pack(weight_KCRR: Tensor, padding: int, shape: tuple[int, ...]) -> Tensor:
    arguments = [padding] * 2, _ONES, _ONES, 1, list(shape)
    return torch._C._nn.mkldnn_reorder_conv2d_weight(weight_KCRR.to_mkldnn(), *arguments)  # type: ignore[call-arg]


def _run(maps_SCHW: Tensor, packed: Tensor, bias_K: Tensor, padding: int) -> Tensor:
    operation = torch.ops.mkldnn._convolution_pointwise
    return operation(maps_SCHW, packed, bias_K, [padding] * 2, _ONES, _ONES, 1, "relu", [], "")
