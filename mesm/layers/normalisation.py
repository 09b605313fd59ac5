"""Batch norm over the active sites of all processes, and its folding into a convolution."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from mesm.sparse.fused_backend import panels
from mesm.sparse.gather_backend import pack


class _SumOverProcesses(torch.autograd.Function):
    """All-reduce (sum) whose gradient is the all-reduce of the gradients: every loss depends on every process's sum."""

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
    """`nn.BatchNorm2d` for rows of active sites (N, C) or for maps (S, C, H, W), with the same parameters and buffers.

    Rows hold active sites only, so inactive ones never enter the statistics. In training the moments are summed over
    all processes of `torch.distributed`; a process without a row takes part with zeros.
    """

    @property
    def _share(self) -> float:
        """Weight of the current batch in the running statistics."""
        assert self.momentum is not None, "cumulative averages are not supported"
        return self.momentum

    def forward(self, x: Tensor) -> Tensor:
        """(N, C) or (S, C, H, W) -> the same shape and dtype."""
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
        """Training over several processes, or on a single row, whose variance is 0."""
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
    """A convolution's weights with its batch norm folded in, for inference.

    Attributes:
        weight_KCRR: (K, C, R, R), channels-last.
        bias_K: (K,).
    """

    weight_KCRR: Tensor
    bias_K: Tensor

    @cached_property
    def packed_9KC(self) -> Tensor:
        """(9, K, C) as the gather backend multiplies them."""
        return pack(self.weight_KCRR)

    @cached_property
    def panels(self) -> Tensor:
        """The weights as the fused backend reads them."""
        return panels(self.packed_9KC)


class FoldCache:
    """The `FoldedConv` of one convolution and batch norm, per type, kept until either changes.

    The key is the identity, storage and version of the tensors, so an optimiser step, `load_state_dict` (also with
    assign=True), a copy or a move to another device all lead to fresh weights. Writing through `.data` leaves no such
    mark: call `forget`, which `train()` and `eval()` of the networks do.
    """

    def __init__(self) -> None:
        self._kept: dict[torch.dtype, tuple[tuple[Tensor, ...], tuple[int, ...], FoldedConv]] = {}

    def forget(self) -> None:
        """Fold anew at the next use."""
        self._kept = {}

    def get(self, conv: nn.Conv2d, norm: nn.BatchNorm2d, dtype: torch.dtype) -> FoldedConv:
        """The folded weights as they are now, in `dtype`."""
        assert norm.running_mean is not None and norm.running_var is not None and norm.num_batches_tracked is not None
        # torch's batch norm moves the running statistics without a new version; its counter of batches gets one.
        statistics = (norm.running_mean, norm.running_var, norm.num_batches_tracked)
        sources = (conv.weight, norm.weight, norm.bias, *statistics)
        versions = tuple(-1 if t.is_inference() else t._version for t in sources)
        key = (*versions, *(t.data_ptr() for t in sources))
        if dtype in self._kept and -1 not in versions:
            kept_sources, kept_key, folded = self._kept[dtype]
            if kept_key == key and all(a is b for a, b in zip(kept_sources, sources, strict=True)):
                return folded
        with torch.no_grad():
            scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
            weight = (conv.weight * scale.view(-1, 1, 1, 1)).contiguous(memory_format=torch.channels_last)
            folded = FoldedConv(weight.to(dtype), (norm.bias - norm.running_mean * scale).to(dtype))
        self._kept[dtype] = sources, key, folded
        return folded
