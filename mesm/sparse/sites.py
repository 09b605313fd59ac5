"""Where the active sites are: `SparseMap`, the value, and `Rulebook`, the neighbour pairs of a 3x3 kernel.

Shape legend: S segments, H W map, N active sites, C channels, P pairs (source site, destination site) of a rulebook.
A site is (segment, y, x), and sites are always listed in that order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from mesm.errors import DataError

KERNEL_OFFSETS: tuple[tuple[int, int], ...] = tuple((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1))


@dataclass(frozen=True, eq=False)
class SparseMap:
    """Features at the active sites of S maps. Immutable: `with_features` and `select` return new values.

    Attributes:
        features_NC: (N, C) one row per active site.
        sites_N3: (N, 3) int64 (segment, y, x), strictly rising in that order.
        shape: (S, H, W).
        ordered: the sites come from `Tensor.nonzero`, which lists them in order, and need no check.
    """

    features_NC: Tensor
    sites_N3: Tensor
    shape: tuple[int, int, int]
    ordered: bool = False

    def __post_init__(self) -> None:
        sites, (s, h, w) = self.sites_N3, self.shape
        if self.features_NC.dim() != 2 or sites.dim() != 2 or sites.shape[1] != 3:
            raise DataError(
                f"a SparseMap takes features (N, C) and sites (N, 3), not {tuple(self.features_NC.shape)} and "
                f"{tuple(sites.shape)}; from dense maps use SparseMap.from_dense(maps_SCHW, mask_SHW)"
            )
        if len(sites) != len(self.features_NC):
            raise DataError(f"{len(self.features_NC)} feature rows for {len(sites)} sites; give one row per site")
        if self.ordered or not len(sites):
            return
        if sites.dtype != torch.int64:
            raise DataError(f"sites are {sites.dtype}; write sites.long()")
        limit = torch.tensor([s, h, w], device=sites.device)
        if bool(((sites < 0) | (sites >= limit)).any()):
            bad = sites[((sites < 0) | (sites >= limit)).any(1)][0].tolist()
            raise DataError(
                f"site {bad} lies outside (segments, height, width) = {self.shape}; a site is (segment, y, x)"
            )
        rising = (flat_index(sites, self.shape).diff() > 0).all()
        if not bool(rising):
            raise DataError(
                "sites must rise in the order (segment, y, x) without repeats; use SparseMap.from_dense, or "
                "sort features and sites together by (segment * H + y) * W + x"
            )

    @classmethod
    def from_dense(cls, maps_SCHW: Tensor, mask_SHW: Tensor) -> SparseMap:
        """The sites where `mask_SHW` is True, with their features."""
        if mask_SHW.dtype != torch.bool or mask_SHW.shape != maps_SCHW[:, 0].shape:
            raise DataError(
                f"the mask must be bool of shape {tuple(maps_SCHW[:, 0].shape)}, "
                f"not {mask_SHW.dtype} of {tuple(mask_SHW.shape)}"
            )
        s, h, w = mask_SHW.shape
        rows = maps_SCHW.permute(0, 2, 3, 1)[mask_SHW]
        return cls(rows, mask_SHW.nonzero(), (s, h, w), ordered=True)

    def __len__(self) -> int:
        return len(self.sites_N3)

    @cached_property
    def mask_SHW(self) -> Tensor:
        """(S, H, W) bool, True at the active sites."""
        mask = torch.zeros(self.shape, dtype=torch.bool, device=self.sites_N3.device)
        mask.view(-1)[self.rows_N] = True
        return mask

    @cached_property
    def rows_N(self) -> Tensor:
        """(N,) position of each site in the flattened (S, H, W) grid."""
        return flat_index(self.sites_N3, self.shape)

    def with_features(self, features_NC: Tensor) -> SparseMap:
        """The same sites with other features."""
        return SparseMap(features_NC, self.sites_N3, self.shape, ordered=True)

    def select(self, kept_N: Tensor) -> SparseMap:
        """The sites where `kept_N` (N,) bool is True."""
        return SparseMap(self.features_NC[kept_N], self.sites_N3[kept_N], self.shape, ordered=True)

    def to_dense(self) -> Tensor:
        """(S, C, H, W) with zeros at inactive sites, channels-last in memory."""
        return rows_to_maps(self.features_NC, self.rows_N, self.shape)

    def max_pool2(self) -> SparseMap:
        """2x2 max-pool, stride 2: a pooled site is active where any of its four sites is.

        Features must be >= 0 (they follow a ReLU), so that an inactive site, which counts as 0, never wins.
        An odd last row or column is dropped, as in `torch.nn.MaxPool2d(2)`; a map of one row or column becomes empty.
        """
        if min(self.shape[1:]) < 2:
            s, h, w = self.shape
            return SparseMap(self.features_NC[:0], self.sites_N3[:0], (s, h // 2, w // 2), ordered=True)
        return SparseMap.from_dense(F.max_pool2d(self.to_dense(), 2), pool_mask(self.mask_SHW))


def flat_index(sites_N3: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """(N,) row-major position of each site in a grid of `shape`."""
    return (sites_N3[:, 0] * shape[1] + sites_N3[:, 1]) * shape[2] + sites_N3[:, 2]


def rows_to_maps(features_NC: Tensor, rows_N: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """(S, C, H, W) maps, channels-last, with the features at grid positions `rows_N` and zeros elsewhere."""
    s, h, w = shape
    grid = features_NC.new_zeros(s * h * w, features_NC.shape[1]).index_copy(0, rows_N, features_NC)
    return grid.view(s, h, w, features_NC.shape[1]).permute(0, 3, 1, 2)


def pool_mask(mask_SHW: Tensor) -> Tensor:
    """(S, H // 2, W // 2) bool: True where any of the four sites below is."""
    _, h, w = mask_SHW.shape
    even = mask_SHW[:, : h // 2 * 2, : w // 2 * 2]
    return (even[:, 0::2] | even[:, 1::2])[:, :, 0::2] | (even[:, 0::2] | even[:, 1::2])[:, :, 1::2]


class Rulebook:
    """Pairs of a submanifold 3x3 convolution, from the mask alone; built once per block, shared by its convolutions.

    Destinations are the True sites of `mask_SHW`; sources those of `source_mask_SHW` (default: the same sites), which
    must contain them. A wider source mask holds dropped sites whose features are zero but which need a gradient.

    Attributes:
        source_P: (P,) source row of each pair; pairs are sorted by kernel offset, then by destination.
        destination_P: (P,) destination row of each pair.
        pairs_per_offset: nine counts, in the order of `KERNEL_OFFSETS`, which is row-major as in a torch kernel.
        by_destination_P: pair numbers grouped by destination row; group n starts at `destination_start_N[n]`.
    """

    def __init__(self, mask_SHW: Tensor, source_mask_SHW: Tensor | None = None) -> None:
        source_mask = mask_SHW if source_mask_SHW is None else source_mask_SHW
        if source_mask.shape != mask_SHW.shape:
            raise DataError(f"source mask {tuple(source_mask.shape)} and mask {tuple(mask_SHW.shape)} differ in shape")
        self.mask_SHW, self.source_mask_SHW = mask_SHW, source_mask
        s, h, w = mask_SHW.shape
        self.shape = (s, h, w)
        device = mask_SHW.device
        self.rows_N = mask_SHW.reshape(-1).nonzero()[:, 0]
        source_rows = self.rows_N if source_mask is mask_SHW else source_mask.reshape(-1).nonzero()[:, 0]
        self.num_sources, self.num_destinations = len(source_rows), len(self.rows_N)
        padded = torch.full((s, h + 2, w + 2), -1, device=device)
        padded[:, 1:-1, 1:-1][source_mask] = torch.arange(self.num_sources, device=device)
        y = self.rows_N // w
        flat = self.rows_N + (y // h) * (2 * h + 2 * w + 4) + (y % h) * 2 + w + 3
        step = torch.tensor([dy * (w + 2) + dx for dy, dx in KERNEL_OFFSETS], device=device)
        neighbour_9N = padded.view(-1)[flat + step[:, None]]
        present_9N = neighbour_9N >= 0
        self.source_P = neighbour_9N[present_9N]
        self.destination_P = present_9N.nonzero()[:, 1]
        self.pairs_per_offset: list[int] = present_9N.sum(1).tolist()
        pair_9N = present_9N.reshape(-1).cumsum(0).view(present_9N.shape) - 1
        self.by_destination_P = pair_9N.t()[present_9N.t()]
        self.destination_start_N = F.pad(present_9N.sum(0).cumsum(0), (1, 0))[:-1]

    @property
    def num_pairs(self) -> int:
        """P: multiply this by C_in * C_out for the multiply-adds of one convolution."""
        return sum(self.pairs_per_offset)

    @property
    def widened(self) -> bool:
        """Whether there are sources beyond the destinations."""
        return self.num_sources != self.num_destinations

    @property
    def density(self) -> float:
        """Share of the grid's sites that are destinations."""
        return self.num_destinations / max(1, self.mask_SHW.numel())

    @cached_property
    def by_source(self) -> tuple[Tensor, Tensor]:
        """(pair numbers grouped by source row, start of each source's group): what the backward pass sums over."""
        order = torch.argsort(self.source_P, stable=True)
        counts = torch.bincount(self.source_P, minlength=self.num_sources)
        return order, F.pad(counts.cumsum(0), (1, 0))[:-1]

    @cached_property
    def source_rows(self) -> Tensor:
        """Grid position of every source row."""
        return self.source_mask_SHW.reshape(-1).nonzero()[:, 0] if self.widened else self.rows_N
