"""Normalise batches over the active sites of all processes, and fold the norm into a convolution."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from mesm.layers.versioned_cache import VersionedCache
from mesm.sparse.fused_backend import pack, panels


class _SumOverProcesses(torch.autograd.Function):
    """Sum over all processes. Its gradient is the sum of the gradients: every loss depends on every process's part."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        total = grads[0].clone()
        dist.all_reduce(total)
        return total


def _processes() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


class MaskedBatchNorm(nn.BatchNorm2d):
    """Normalise rows of active sites (N, C) or maps (S, C, H, W), with the parameters and buffers of `nn.BatchNorm2d`.

    Rows hold active sites only, so inactive ones never enter the statistics. In training the moments are summed over
    all processes of `torch.distributed`; a process without a row takes part with zeros.
    """

    @property
    def _share(self) -> float:
        """Weight of the current batch in the running statistics."""
        assert self.momentum is not None, "cumulative averages are not supported"
        return self.momentum

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C) or (S, C, H, W); return the same shape and dtype."""
        if x.dim() not in (2, 4):
            raise ValueError(f"expected (N, C) rows or (S, C, H, W) maps, not {tuple(x.shape)}")
        count = x.numel() // x.shape[1]
        if not self.training:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)
        if _processes() == 1 and count > 1:
            self.num_batches_tracked.add_(1)  # type: ignore[union-attr]
            return F.batch_norm(
                x, self.running_mean, self.running_var, self.weight, self.bias, True, self._share, self.eps
            )
        return self._by_moments(x)

    def _by_moments(self, x: Tensor) -> Tensor:
        """Normalise in training over several processes, or on a single row, whose variance is 0."""
        over = (0,) if x.dim() == 2 else (0, 2, 3)
        values = x.to(torch.promote_types(x.dtype, torch.float32))
        sums = torch.cat([values.sum(over), values.square().sum(over), values.new_tensor([x.numel() // x.shape[1]])])
        if _processes() > 1:
            sums = _SumOverProcesses.apply(sums)
        count = sums[-1].detach()
        if count == 0:
            return x
        mean, square = (sums[:-1] / count).chunk(2)
        var = (square - mean.square()).clamp(min=0)
        with torch.no_grad():
            self.num_batches_tracked.add_(1)  # type: ignore[union-attr]
            if count > 1:
                self.running_mean.lerp_(mean, self._share)  # type: ignore[union-attr]
                self.running_var.lerp_(var * count / (count - 1), self._share)  # type: ignore[union-attr]
        scale = self.weight * torch.rsqrt(var + self.eps)
        shift = self.bias - mean * scale
        column = (1, -1) + (1,) * (x.dim() - 2)
        return (values * scale.view(column) + shift.view(column)).to(x.dtype)


@dataclass(frozen=True, eq=False)
class FoldedConv:
    """Hold a convolution's weights with its batch norm folded in, for inference.

    Attributes:
        weight_KCRR: (K, C, R, R), channels-last.
        bias_K: (K,).
    """

    weight_KCRR: Tensor
    bias_K: Tensor

    @cached_property
    def panels(self) -> Tensor:
        """Return the weights in the form of the fused backend, see `fused_backend.panels`."""
        return panels(pack(self.weight_KCRR))


def fold_sources(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, ...]:
    """Return the tensors from which a `FoldedConv` is made, for a `VersionedCache`.

    Torch's batch norm moves the running statistics without a new version; its counter of batches gets one.
    """
    parameters, buffers = norm._parameters, norm._buffers  # read at every call: the modules' own look-up is slow
    sources = (
        conv._parameters["weight"], parameters["weight"], parameters["bias"],
        buffers["running_mean"], buffers["running_var"], buffers["num_batches_tracked"],
    )  # fmt: skip
    return sources  # type: ignore[return-value]


class FoldCache:
    """Cache the `FoldedConv` of one convolution and batch norm per type; see `VersionedCache`."""

    def __init__(self) -> None:
        self._caches: defaultdict[torch.dtype, VersionedCache[FoldedConv]] = defaultdict(VersionedCache)

    def clear(self) -> None:
        """Drop the folded weights; the next `get` folds again."""
        self._caches.clear()

    def get(self, conv: nn.Conv2d, norm: nn.BatchNorm2d, dtype: torch.dtype) -> FoldedConv:
        """Return the folded weights of the current parameters and statistics, in `dtype`."""

        def fold() -> FoldedConv:
            mean, var = norm.running_mean, norm.running_var
            assert mean is not None and var is not None
            with torch.no_grad():
                scale = norm.weight * torch.rsqrt(var + norm.eps)
                weight = (conv.weight * scale.view(-1, 1, 1, 1)).contiguous(memory_format=torch.channels_last)
                return FoldedConv(weight.to(dtype), (norm.bias - mean * scale).to(dtype))

        return self._caches[dtype].get(fold_sources(conv, norm), fold)
