"""Compute FE2E's dense VGG-like CNN on faces and mel chunks.

Shape legend: S segments, C channels, H W map. conv5x5 -> BN -> ReLU -> max-pool; blocks 64-64, 64-64, then 64-128,
128-256 and 256-512, each of these three followed by a max-pool. A 48x48 face ends as 512x3x3, a 128x32 mel chunk as
512x8x2. Convolutions carry no bias: the batch norm behind each would take it away again.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mesm.config import EndToEndConfig
from mesm.layers.normalisation import FoldCache, FoldedConv, MaskedBatchNorm, fold_sources
from mesm.sparse.backends import compute_dtype

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
            return self.folded(maps_SCHW).dense.relu(maps_SCHW, int(self.conv.padding[0]))
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
        self.blocks = nn.ModuleList(VGGBlock(config.channels(a), config.channels(b), eps) for a, b in BLOCK_CHANNELS)
        self.first = ConvNorm(self.conv, self.bn)
        self._stem_frozen = False

    def train(self, mode: bool = True) -> Self:
        """Set the mode as `nn.Module.train` does, drop the folded weights, and keep a frozen stem in evaluation mode."""
        for step in (self.first, *(step for block in self.blocks for step in block.steps)):  # type: ignore[union-attr]
            step.clear()
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
            maps = F.max_pool2d(self.first(channels_last(maps_SCHW)), 2)
            for block in self.blocks[: self.config.stem_blocks if blocks is None else blocks]:
                maps = block(maps)
        return maps


class DenseVGG(VGGTrunk):
    """Compute FE2E's CNN at every position of every map."""

    def forward(self, maps_SCHW: Tensor) -> Tensor:
        """Map (S, in_channels, H, W) to (S, 512 * width, H // 16, W // 16)."""
        return self.after_stem(self.stem(maps_SCHW, blocks=POOLED_BLOCKS[0]))

    def after_stem(self, maps_SCHW: Tensor) -> Tensor:
        """Compute the pooled blocks on the map that MESM's first attention is computed from."""
        for index in POOLED_BLOCKS:
            maps_SCHW = F.max_pool2d(self.blocks[index](maps_SCHW), 2)
        return maps_SCHW
