"""Hold active sites: `Sites`, `SparseMap` with their features, and `Rulebook`, the pairs of a 3x3 kernel.

Shape legend: S segments, H W map, N active sites, C channels, P pairs (source site, destination site) of a rulebook.
A site is (segment, y, x), and sites are always listed in that order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mesm.errors import DataError

#: Row-major as in a torch 3x3 kernel.
KERNEL_OFFSETS: tuple[tuple[int, int], ...] = tuple((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1))
#: The centre, then opposite offsets side by side: the order in which a rulebook lists its pairs.
OFFSET_ORDER: tuple[int, ...] = (4, 0, 8, 1, 7, 2, 6, 3, 5)
#: Sentence of the error where sites are to be selected by an attention that is not a number.
NAN_ATTENTION = "the attention is not a number (NaN): check the input and the weights for NaN and infinity"
#: (dy, dx) from a pair's destination to its source, in that order.
STEPS: tuple[tuple[int, int], ...] = tuple(KERNEL_OFFSETS[k] for k in OFFSET_ORDER)


@dataclass(frozen=True, eq=False)
class Sites:
    """Hold the active sites of S maps.

    Attributes:
        mask_SHW: (S, H, W) bool.
        rows_N: (N,) int64, position of every active site in the flattened (S, H, W) grid, rising.
    """

    mask_SHW: Tensor
    rows_N: Tensor

    @classmethod
    def of_mask(cls, mask_SHW: Tensor) -> Sites:
        """Make the sites where the mask is True."""
        if mask_SHW.dtype != torch.bool or mask_SHW.dim() != 3:
            raise DataError(f"a mask must be bool of (S, H, W), not {mask_SHW.dtype} of {tuple(mask_SHW.shape)}")
        return cls(mask_SHW, positions(mask_SHW))

    @classmethod
    def of_list(cls, sites_N3: Tensor, shape: tuple[int, int, int]) -> Sites:
        """Make sites of (N, 3) int64 (segment, y, x), in that order and without repeats.

        Raises:
            DataError: wrong shape, type or order, or a site outside `shape`.
        """
        if sites_N3.dim() != 2 or sites_N3.shape[1] != 3 or sites_N3.dtype != torch.int64:
            raise DataError(
                f"sites must be int64 of (N, 3), not {sites_N3.dtype} of {tuple(sites_N3.shape)}; write sites.long(), and "
                "for dense maps SparseMap.from_dense(maps_SCHW, mask_SHW)"
            )
        outside = ((sites_N3 < 0) | (sites_N3 >= torch.tensor(shape, device=sites_N3.device))).any(1)
        if bool(outside.any()):
            raise DataError(
                f"site {sites_N3[outside][0].tolist()} lies outside (segments, height, width) = {shape}; "
                "a site is (segment, y, x)"
            )
        rows_N = (sites_N3[:, 0] * shape[1] + sites_N3[:, 1]) * shape[2] + sites_N3[:, 2]
        if not bool((rows_N.diff() > 0).all()):
            raise DataError(
                "sites must rise in the order (segment, y, x) without repeats; use SparseMap.from_dense, or sort features "
                "and sites together by (segment * H + y) * W + x"
            )
        mask = torch.zeros(shape, dtype=torch.bool, device=sites_N3.device)
        mask.view(-1)[rows_N] = True
        return cls(mask, rows_N)

    def __len__(self) -> int:
        return len(self.rows_N)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return the maps' shape (S, H, W)."""
        s, h, w = self.mask_SHW.shape
        return s, h, w

    @property
    def mask_array(self) -> np.ndarray:
        """Return `mask_SHW` in the layout of the compiled loops; on a CPU."""
        return self.mask_SHW.contiguous().numpy()

    @property
    def full(self) -> bool:
        """Return True if every site is active."""
        return len(self) == self.mask_SHW.numel()

    @property
    def density(self) -> float:
        """Share of the grid's sites that are active."""
        return len(self) / max(1, self.mask_SHW.numel())

    @cached_property
    def segment_N(self) -> Tensor:
        """Return the segment of every site, (N,)."""
        counts = self.mask_SHW.flatten(1).sum(1)
        segments = torch.arange(len(counts), device=counts.device)
        return segments.repeat_interleave(counts, output_size=len(self))  # cheaper than rows_N // (H * W)

    @cached_property
    def sites_N3(self) -> Tensor:
        """Return the sites as (N, 3) int64 (segment, y, x)."""
        _, h, w = self.shape
        return torch.stack([self.segment_N, self.rows_N // max(1, w) % max(1, h), self.rows_N % max(1, w)], 1)

    def pooled(self) -> Sites:
        """Return the sites of the 2x2 max-pooled maps: active where any of the four below is."""
        _, h, w = self.shape
        even = self.mask_SHW[:, : h // 2 * 2, : w // 2 * 2]
        pairs = even[:, 0::2] | even[:, 1::2]
        return Sites.of_mask(pairs[:, :, 0::2] | pairs[:, :, 1::2])


@dataclass(frozen=True, eq=False)
class SparseMap:
    """Hold the features at the active sites of S maps. Immutable: `with_features` and `max_pool2` return new values.

    Attributes:
        features_NC: (N, C), one row per active site.
        sites: the sites, in the same order.

    Examples:
        >>> mask = torch.tensor([[[True, False], [False, True]]])
        >>> sparse = SparseMap.from_dense(torch.arange(4.0).view(1, 1, 2, 2), mask)
        >>> sparse.features_NC.flatten().tolist(), sparse.sites.sites_N3.tolist()
        ([0.0, 3.0], [[0, 0, 0], [0, 1, 1]])
        >>> sparse.max_pool2().to_dense().item()
        3.0
    """

    features_NC: Tensor
    sites: Sites

    def __post_init__(self) -> None:
        if self.features_NC.dim() != 2 or len(self.features_NC) != len(self.sites):
            raise DataError(
                f"features of {tuple(self.features_NC.shape)} for {len(self.sites)} sites; give one row (N, C) per site, "
                "or dense maps to SparseMap.from_dense(maps_SCHW, mask_SHW)"
            )

    @classmethod
    def from_list(cls, features_NC: Tensor, sites_N3: Tensor, shape: tuple[int, int, int]) -> SparseMap:
        """Make a map of features and their sites (segment, y, x), checked once; see `Sites.of_list`."""
        return cls(features_NC, Sites.of_list(sites_N3, shape))

    @classmethod
    def from_dense(cls, maps_SCHW: Tensor, mask_SHW: Tensor) -> SparseMap:
        """Make a map of the sites where `mask_SHW` is True, with their features."""
        sites = Sites.of_mask(mask_SHW)
        s, _, h, w = maps_SCHW.shape
        if sites.shape != (s, h, w):
            raise DataError(f"the mask is {sites.shape}, the maps are (S, H, W) = {(s, h, w)}; they must agree")
        return cls(maps_to_rows(maps_SCHW, sites), sites)

    def __len__(self) -> int:
        return len(self.sites)

    def with_features(self, features_NC: Tensor) -> SparseMap:
        """Return the same sites with other features."""
        return SparseMap(features_NC, self.sites)

    def to_dense(self) -> Tensor:
        """Return (S, C, H, W) with zeros at inactive sites, channels-last in memory."""
        return rows_to_maps(self.features_NC, self.sites)

    def max_pool2(self) -> SparseMap:
        """Pool maxima 2x2 with stride 2: a pooled site is active where any of its four sites is.

        An odd last row or column is dropped, as in `torch.nn.MaxPool2d(2)`; a map of one row or column becomes empty.
        """
        if can_use_numba(self.features_NC, with_gradient=True):
            features, mask, rows_N = _MaxPool.apply(self.features_NC, self.sites)
            return SparseMap(features, Sites(mask, rows_N))
        sites, (s, h, w), mask = self.sites.pooled(), self.sites.shape, self.sites.mask_SHW
        number = (mask.reshape(-1).cumsum(0) * mask.reshape(-1)).view(s, h, w)  # row + 1, and 0 at an inactive site
        blocks = number[:, : h // 2 * 2, : w // 2 * 2].reshape(s, h // 2, 2, w // 2, 2)
        below_4M = blocks.permute(2, 4, 0, 1, 3).reshape(4, -1).index_select(1, sites.rows_N)
        # An inactive site below is replaced by an active one of the same four, which leaves the maximum as it is.
        below_4M = torch.where(below_4M == 0, below_4M.amax(0), below_4M) - 1
        features = self.features_NC.index_select(0, below_4M[0])
        for rows_M in below_4M[1:]:
            features = torch.maximum(features, self.features_NC.index_select(0, rows_M))
        return SparseMap(features, sites)


class _MaxPool(torch.autograd.Function):
    """Pooled rows, their mask and their positions, by the compiled loops; the gradient goes to the largest of each four."""

    @staticmethod
    def forward(ctx: Any, features_NC: Tensor, sites: Sites) -> tuple[Tensor, Tensor, Tensor]:
        from mesm.sparse import compiled

        features_NC = features_NC.contiguous()
        *arrays, ctx.rows_M4 = compiled.max_pool(features_NC.detach().numpy(), sites.mask_array)
        pooled, mask, rows = (torch.from_numpy(a) for a in arrays)
        ctx.save_for_backward(features_NC, pooled)
        ctx.mark_non_differentiable(mask, rows)
        return pooled, mask, rows

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        from mesm.sparse import compiled

        features, pooled = (t.detach().numpy() for t in ctx.saved_tensors)
        grad = compiled.max_pool_gradient(features, ctx.rows_M4, pooled, grads[0].contiguous().numpy())
        return torch.from_numpy(grad), None


def can_use_numba(features_NC: Tensor, *, with_gradient: bool = False) -> bool:
    """Return whether the numba loops of `compiled` can replace torch's operations.

    They need float32 on a CPU, and are not used under `torch.jit` tracing, where counters of multiply-adds could not see
    them.

    Args:
        features_NC: the loops' input.
        with_gradient: whether the loops have a backward pass; without one they are used only where no gradient of
            `features_NC` is needed.
    """
    needs_gradient = torch.is_grad_enabled() and features_NC.requires_grad and not with_gradient
    float_on_cpu = features_NC.device.type == "cpu" and features_NC.dtype == torch.float32
    return float_on_cpu and not needs_gradient and not torch.jit.is_tracing()


def list_pairs(destinations_SHW: Tensor, sources_SHW: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return (source row, destination row, nine counts) of a rulebook: `compiled.list_pairs` in torch, for any device."""
    w = destinations_SHW.shape[2]
    # Maps with a frame of inactive sites: a neighbour is then at a fixed distance, and pairs never wrap around.
    mask, source_mask = (F.pad(m, (1, 1, 1, 1)).view(-1) for m in (destinations_SHW, sources_SHW))
    at = positions(mask)
    steps = [dy * (w + 2) + dx for dy, dx in STEPS]
    beside_9N = at + torch.tensor(steps, device=at.device)[:, None]
    present_9N = source_mask[beside_9N]
    rank = source_mask.cumsum(0, dtype=torch.int32) - 1
    row_N = torch.arange(len(at), device=at.device, dtype=torch.int32)
    return rank[beside_9N[present_9N]], row_N.expand(9, -1)[present_9N], present_9N.sum(1)


def positions(mask: Tensor) -> Tensor:
    """Return the int64 positions of the True entries in the flattened mask; on a CPU by numpy, five times faster."""
    if mask.device.type == "cpu":
        return torch.from_numpy(np.flatnonzero(mask.numpy()))
    return mask.reshape(-1).nonzero().view(-1)


def rows_to_maps(features_NC: Tensor, sites: Sites) -> Tensor:
    """Return (S, C, H, W) maps, channels-last, with the features at the sites and zeros elsewhere."""
    (s, h, w), c = sites.shape, features_NC.shape[1]
    if not sites.full:
        features_NC = features_NC.new_zeros(s * h * w, c).index_copy_(0, sites.rows_N, features_NC)
    return features_NC.view(s, h, w, c).permute(0, 3, 1, 2)


def maps_to_rows(maps_SCHW: Tensor, sites: Sites) -> Tensor:
    """Return the (N, C) features at the sites; a view where every site of channels-last maps is active."""
    rows = maps_SCHW.permute(0, 2, 3, 1).reshape(-1, maps_SCHW.shape[1])
    return rows if sites.full else rows.index_select(0, sites.rows_N)


def check_rows(features_NC: Tensor, book: Rulebook) -> None:
    """Check that there is one row of features for each source of a rulebook.

    Raises:
        DataError: there is not; compiled code would read past the end of the array.
    """
    if features_NC.dim() != 2 or len(features_NC) != len(book.sources):
        raise DataError(
            f"features of {tuple(features_NC.shape)} for {len(book.sources)} sources of the rulebook; give one row (N, C) each"
        )


class Rulebook:
    """Hold the pairs of a submanifold 3x3 convolution, from the sites alone; built once for the convolutions of a block.

    Lists are int32: half the memory to read of int64.

    Args:
        destinations: where the convolution has outputs.
        sources: where it reads; the same sites if not given, otherwise they must contain them. A wider set holds dropped
            sites whose features are zero but which need a gradient.

    Examples:
        >>> Rulebook(Sites.of_mask(torch.tensor([[[True, True], [False, False]]]))).num_pairs  # two sites, each beside the other
        4
    """

    def __init__(self, destinations: Sites, sources: Sites | None = None) -> None:
        self.destinations = destinations
        self.sources = destinations if sources is None else sources
        if self.sources.shape != destinations.shape:
            raise DataError(f"sources on {self.sources.shape} and destinations on {destinations.shape} must agree")

    @cached_property
    def _lists(self) -> tuple[Tensor, Tensor, list[int]]:
        """Return the pairs; listed when first used: dense convolutions need none, and on a GPU their number is waited for."""
        if self.destinations.mask_SHW.device.type == "cpu":
            from mesm.sparse import compiled

            masks = self.destinations.mask_array, self.sources.mask_array
            pairs = compiled.list_pairs(*masks, len(self.destinations), np.array(STEPS))
            source_P, destination_P, counts = (torch.from_numpy(a) for a in pairs)
        else:
            source_P, destination_P, counts = list_pairs(self.destinations.mask_SHW, self.sources.mask_SHW)
        return source_P, destination_P, counts.tolist()

    @property
    def source_P(self) -> Tensor:
        """Return (P,) the source row of each pair, sorted by place in `OFFSET_ORDER`, then by destination."""
        return self._lists[0]

    @property
    def destination_P(self) -> Tensor:
        """Return (P,) the destination row of each pair."""
        return self._lists[1]

    @property
    def pairs_per_offset(self) -> list[int]:
        """Return nine counts, in the order of `OFFSET_ORDER`; opposite offsets have equal counts unless `widened`."""
        return self._lists[2]

    @property
    def num_pairs(self) -> int:
        """Return P: multiply it by C_in * C_out for the multiply-adds of one convolution."""
        return sum(self.pairs_per_offset)

    @property
    def widened(self) -> bool:
        """Return True if there are sources beyond the destinations."""
        return self.sources is not self.destinations
