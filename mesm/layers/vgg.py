"""Compute FE2E's dense VGG-like CNN on faces and mel chunks.

Shape legend: S segments, C channels, H W map. conv5x5 -> BN -> ReLU -> max-pool; blocks 64-64, 64-64, then 64-128,
128-256 and 256-512, each of these three followed by a max-pool. A 48x48 face ends as 512x3x3, a 128x32 mel chunk as
512x8x2. Convolutions carry no bias: the batch norm behind each would take it away again.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import nullcontext
from itertools import chain
from typing import TYPE_CHECKING, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import _get_current_dispatch_mode

from mesm.config import EndToEndConfig
from mesm.layers.normalisation import FoldCache, FoldedConv, MaskedBatchNorm, fold_sources
from mesm.layers.versioned_cache import VersionedCache
from mesm.sparse import compilation
from mesm.sparse.backends import compute_dtype
from mesm.sparse.sites import can_use_numba

if TYPE_CHECKING:  # numba takes a second to load
    from mesm.layers.dense_inference import DenseLayer

#: (input, output) channels of the five blocks at width 1.
BLOCK_CHANNELS: tuple[tuple[int, int], ...] = ((64, 64), (64, 64), (64, 128), (128, 256), (256, 512))
#: Blocks that a max-pool follows.
POOLED_BLOCKS: tuple[int, ...] = (2, 3, 4)


class ConvNorm:
    """Compute convolution, batch norm and ReLU: separate where gradients are recorded, folded into one in inference."""

    def __init__(self, conv: nn.Conv2d, norm: MaskedBatchNorm) -> None:
        self.conv, self.norm, self._cache = conv, norm, FoldCache()

    @property
    def foldable(self) -> bool:
        """Return True if running statistics are used and no gradient is recorded."""
        return not self.norm.training and not torch.is_grad_enabled()

    def clear(self) -> None:
        """Drop the folded weights; the next use folds again."""
        self._cache.clear()

    def sources(self) -> tuple[Tensor, ...]:
        """Return the tensors that the folded weights are made from, see `fold_sources`."""
        return fold_sources(self.conv, self.norm)

    def folded(self, x: Tensor) -> FoldedConv:
        """Return the current folded weights for an input like `x`; only where `foldable`."""
        return self._cache.get(self.conv, self.norm, compute_dtype(x))

    def __call__(self, maps_SCHW: Tensor) -> Tensor:
        if self.foldable:
            folded = self.folded(maps_SCHW)
            return F.conv2d(maps_SCHW, folded.weight_KCRR, folded.bias_K, padding=self.conv.padding).relu_()
        return F.relu(self.norm(self.conv(maps_SCHW)))


def channels_last(maps_SCHW: Tensor) -> Tensor:
    """Return the same maps, channels-last in memory; with one channel torch recognises that by the strides only.

    A mel chunk's convolutions and its first pool would otherwise run, and stay, channels-first: the pool nine times slower.
    """
    _, c, h, w = maps_SCHW.shape
    if c == 1 and not torch.jit.is_tracing():  # strides have no meaning in an exported graph
        return maps_SCHW.contiguous().as_strided(maps_SCHW.shape, (h * w, 1, w, 1))
    return maps_SCHW.contiguous(memory_format=torch.channels_last)


class VGGBlock(nn.Module):
    """Compute (conv3x3, BN, ReLU) twice."""

    def __init__(self, c_in: int, c_out: int, eps: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, c_out, 3, padding=1, bias=False)
        self.bn1 = MaskedBatchNorm(c_out, eps=eps)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, padding=1, bias=False)
        self.bn2 = MaskedBatchNorm(c_out, eps=eps)
        self.steps = (ConvNorm(self.conv1, self.bn1), ConvNorm(self.conv2, self.bn2))

    def forward(self, maps_SCHW: Tensor) -> Tensor:
        """Map (S, c_in, H, W) to (S, c_out, H, W)."""
        for step in self.steps:
            maps_SCHW = step(maps_SCHW)
        return maps_SCHW


class VGGTrunk(nn.Module):
    """Hold the parameters that FE2E and MESM share, under the same names: `conv`, `bn`, `blocks.0` ... `blocks.4`."""

    def __init__(self, in_channels: int, config: EndToEndConfig) -> None:
        super().__init__()
        self.config = config
        first, eps = config.channels(64), config.batch_norm_eps
        self.conv = nn.Conv2d(in_channels, first, 5, padding=2, bias=False)
        self.bn = MaskedBatchNorm(first, eps=eps)
        blocks = [VGGBlock(config.channels(a), config.channels(b), eps) for a, b in BLOCK_CHANNELS]
        self.blocks = nn.ModuleList(blocks)
        self.first = ConvNorm(self.conv, self.bn)
        #: Convolutions of the stages: the 5x5 one, then each block's.
        self._stages: tuple[tuple[ConvNorm, ...], ...] = ((self.first,), *(block.steps for block in blocks))
        self._stem_frozen = False
        #: Compiled layers of the stages [first, last).
        self._layers: defaultdict[tuple[int, int], VersionedCache[tuple[DenseLayer, ...]]] = defaultdict(VersionedCache)

    def train(self, mode: bool = True) -> Self:
        """Set the mode as `nn.Module.train` does, drop the folded weights, and keep a frozen stem in evaluation mode."""
        for step in chain.from_iterable(self._stages):
            step.clear()
        self._layers.clear()
        super().train(mode)
        if self._stem_frozen:
            for module in self._stem_modules():
                module.eval()
        return self

    def _stem_modules(self) -> tuple[nn.Module, ...]:
        return (self.conv, self.bn, *self.blocks[: self.config.stem_blocks])

    def freeze_stem(self) -> None:
        """Keep the stem's weights and statistics as they are; training then runs it as inference does."""
        self._stem_frozen = True
        for module in self._stem_modules():
            module.requires_grad_(False)
        self.train(self.training)

    @property
    def has_compiled_blocks(self) -> bool:
        """Return True if inference on a CPU computes sparse blocks in compiled loops, beside the dense layers."""
        return False

    @property
    def out_channels(self) -> int:
        """Return the channels of the last map: 512 at width 1."""
        return self.config.channels(512)

    def trunk_parameters(self) -> list[nn.Parameter]:
        """Return the parameters of convolutions and batch norms, which FE2E and MESM share."""
        return [*self.conv.parameters(), *self.bn.parameters(), *self.blocks.parameters()]

    def stem(self, maps_SCHW: Tensor, blocks: int | None = None) -> Tensor:
        """Compute the part before the first attention: 5x5 convolution, pool and the first `config.stem_blocks` blocks.

        Args:
            maps_SCHW: (S, in_channels, H, W) normalised faces or mels.
            blocks: how many 64-64 blocks to run, if not the config's.

        Returns:
            (S, 64 * width, H // 2, W // 2).
        """
        with torch.no_grad() if self._stem_frozen else nullcontext():
            return self._compute(maps_SCHW, 0, 1 + (self.config.stem_blocks if blocks is None else blocks))

    def _compute(self, maps_SCHW: Tensor, first: int, last: int) -> Tensor:
        """Compute the stages [first, last): the 5x5 convolution and its pool, then each block and the pool that may follow."""
        if self._can_run_compiled(maps_SCHW, first, last):
            return self._compute_compiled(maps_SCHW, first, last)
        maps_SCHW = channels_last(maps_SCHW)
        for stage in range(first, last):
            maps_SCHW = self.blocks[stage - 1](maps_SCHW) if stage else self.first(maps_SCHW)
            maps_SCHW = F.max_pool2d(maps_SCHW, 2) if _is_pooled(stage) else maps_SCHW
        return maps_SCHW

    def _can_run_compiled(self, maps_SCHW: Tensor, first: int, last: int) -> bool:
        """Return whether `dense_inference` computes these stages: inference in float32 on a CPU, of maps that pools can halve.

        Not under tracing or a dispatch mode, whose counters do not know the compiled loops.
        """
        plain = can_use_numba(maps_SCHW) and compute_dtype(maps_SCHW) == torch.float32 == self.conv.weight.dtype
        observed = torch.compiler.is_compiling() or _get_current_dispatch_mode() is not None
        side = min(maps_SCHW.shape[2:]) >> sum(_is_pooled(stage) for stage in range(first, last))
        foldable = last > first and all(step.foldable for steps in self._stages[first:last] for step in steps)
        return plain and not observed and foldable and side > 0 and len(maps_SCHW) > 0

    def _compute_compiled(self, maps_SCHW: Tensor, first: int, last: int) -> Tensor:
        from mesm.layers import dense_inference

        def lay_out() -> tuple[DenseLayer, ...]:
            compilation.announce(sparse=self.has_compiled_blocks)
            return tuple(
                dense_inference.DenseLayer.of(step.folded(maps_SCHW), pooled=_is_pooled(stage) and step is steps[-1])
                for stage, steps in zip(range(first, last), self._stages[first:last], strict=True)
                for step in steps
            )

        sources = tuple(t for steps in self._stages[first:last] for step in steps for t in step.sources())
        layers = self._layers[first, last].get(sources, lay_out)
        maps_SHWC = dense_inference.run_layers(layers, maps_SCHW.contiguous().numpy())
        return torch.from_numpy(maps_SHWC).permute(0, 3, 1, 2)


def _is_pooled(stage: int) -> bool:
    return stage == 0 or stage - 1 in POOLED_BLOCKS


class DenseVGG(VGGTrunk):
    """Compute FE2E's CNN at every position of every map."""

    def forward(self, maps_SCHW: Tensor) -> Tensor:
        """Map (S, in_channels, H, W) to (S, 512 * width, H // 16, W // 16)."""
        return self._compute(maps_SCHW, 0, 1 + len(self.blocks))

    def after_stem(self, maps_SCHW: Tensor) -> Tensor:
        """Compute the pooled blocks on the map that MESM's first attention is computed from."""
        return self._compute(maps_SCHW, 1 + POOLED_BLOCKS[0], 1 + len(self.blocks))
