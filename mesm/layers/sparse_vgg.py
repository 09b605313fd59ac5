"""Compute MESM's CNN: three cross-modal sparse blocks behind a dense stem (section 4.3 of the paper).

A sparse block = cross-modal attention -> nucleus selection -> submanifold convolutions -> sparse max-pool.
Shape legend: S segments, H W map, N active sites, C channels, D width of the query.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mesm.config import MESMConfig, check_top_p
from mesm.layers.attention import CrossModalAttention, gate_values
from mesm.layers.nucleus import nucleus_mask
from mesm.layers.padding import column_sites
from mesm.layers.versioned_cache import VersionedCache
from mesm.layers.vgg import BLOCK_CHANNELS, POOLED_BLOCKS, ConvNorm, VGGTrunk
from mesm.sparse.backends import choose, compute_dtype, submanifold_conv
from mesm.sparse.fused_backend import convolve_panels
from mesm.sparse.sites import Rulebook, Sites, SparseMap, can_use_numba, maps_to_rows, positions, rows_to_maps

if TYPE_CHECKING:  # numba takes a second to load
    from mesm.layers.sparse_inference import BlockWeights


@dataclass(frozen=True)
class LayerTensors:
    """Hold attention and selection of one layer; with its graph in training.

    Attributes:
        attention_SHW: (S, H, W) float32, each segment sums to 1 over its active sites.
        kept_SHW: (S, H, W) bool, the nucleus.
        active_SHW: (S, H, W) bool, the sites to choose from.
        backends: backend of each of the block's convolutions.
        padding_SHW: (S, H, W) bool, sites after the end of the sound; None for faces.
    """

    attention_SHW: Tensor
    kept_SHW: Tensor
    active_SHW: Tensor
    backends: tuple[str, ...]
    padding_SHW: Tensor | None = None


@dataclass(frozen=True)
class SparseResult:
    """Hold the output of the CNN.

    Attributes:
        features_SCHW: the last map, zeros at inactive sites.
        layers: empty without a trace.
    """

    features_SCHW: Tensor
    layers: tuple[LayerTensors, ...] = ()


class SparseVGG(VGGTrunk):
    """Extend `DenseVGG` by attention, selection and submanifold convolutions behind the stem.

    Its trunk has the same parameter names as `DenseVGG`, so `load_state_dict(dense, strict=False)` sets everything but
    the attention. With top_p=1 and gate="hard" it computes what `DenseVGG` does.

    Args:
        in_channels: 3 for faces, 1 for mels.
        config: width, stem_blocks, attention_width, gate, score, query and backend are read.
        query_dim: D of the query vector.
    """

    config: MESMConfig

    def __init__(self, in_channels: int, config: MESMConfig, query_dim: int) -> None:
        super().__init__(in_channels, config)
        #: Blocks of each attention layer; with fewer stem blocks the first layer's mask also serves 64-64 blocks.
        self.groups = (tuple(range(config.stem_blocks, POOLED_BLOCKS[0] + 1)), *((i,) for i in POOLED_BLOCKS[1:]))
        self.attention = nn.ModuleList(
            CrossModalAttention(
                config.channels(BLOCK_CHANNELS[index][0]),
                query_dim,
                config.channels(width),
                query=config.query != "none",
                bilinear=config.score == "additive_bilinear",
            )
            for index, width in zip(POOLED_BLOCKS, config.attention_width, strict=True)
        )

        self._packed: VersionedCache[tuple[BlockWeights, ...]] = VersionedCache()

    def train(self, mode: bool = True) -> Self:
        """Set the mode as `VGGTrunk.train` does, and drop the packed weights."""
        self._packed.clear()
        return super().train(mode)

    @property
    def has_compiled_blocks(self) -> bool:
        """Return True if the backend is one that inference on a CPU replaces by compiled loops."""
        return self.config.backend in {"auto", "fused"}

    def attention_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that FE2E does not have."""
        return list(self.attention.parameters())

    def forward(self, maps_SCHW: Tensor, query_SD: Tensor | None, top_p: float, *, trace: bool = False) -> SparseResult:
        """Compute the stem, then `sparse_part`.

        Args:
            maps_SCHW: (S, in_channels, H, W) normalised faces or mels.
            query_SD: (S, D) the query of each segment; None where config.query is "none".
            top_p: nucleus mass in (0, 1].
            trace: also return the attention layers.
        """
        return self.sparse_part(self.stem(maps_SCHW), query_SD, top_p, trace=trace)

    def sparse_part(
        self,
        stem_SCHW: Tensor,
        query_SD: Tensor | None,
        top_p: float,
        *,
        trace: bool = False,
        first_attention: VersionedCache[Tensor] | None = None,
        sound_SW: Tensor | None = None,
    ) -> SparseResult:
        """Compute everything behind the stem; one stem map serves all values of `top_p`.

        Args:
            stem_SCHW: of `stem`.
            query_SD: (S, D) the query of each segment; None where config.query is "none".
            top_p: nucleus mass in (0, 1].
            trace: also return the attention layers.
            first_attention: cache for the first layer's attention, which does not depend on `top_p`; it must only ever
                be passed with this stem map and this query.
            sound_SW: (S, hops) bool of `sound_columns`; with config.padding="masked" its padding has no sites.
        """
        height, width = stem_SCHW.shape[2:]
        active_SHW: Tensor | None = None
        if sound_SW is not None and self.config.padding == "masked":
            active_SHW = column_sites(sound_SW, height, width).contiguous()
        run = self._by_segment if self._can_run_by_segment(stem_SCHW) else self._by_layer
        maps_SCHW, layers = run(stem_SCHW, active_SHW, query_SD, top_p, first_attention, trace)
        if not trace:
            return SparseResult(maps_SCHW)
        if sound_SW is not None:
            layers = [replace(x, padding_SHW=~column_sites(sound_SW, *x.attention_SHW.shape[1:])) for x in layers]
        return SparseResult(maps_SCHW, tuple(layers))

    def _can_run_by_segment(self, stem_SCHW: Tensor) -> bool:
        """Return whether `sparse_inference` computes this: inference in float32 on a CPU, with the compiled convolution.

        A hook on an attention, by which a study replaces it, is called by `_by_layer` only.
        """
        plain = can_use_numba(stem_SCHW) and compute_dtype(stem_SCHW) == torch.float32 and len(stem_SCHW) > 0
        hooked = any(attention._forward_hooks for attention in self.attention)
        return plain and self._steps(self.groups[0])[0].foldable and not hooked and self.has_compiled_blocks

    def sparse_blocks(self) -> list[tuple[CrossModalAttention, list[ConvNorm]]]:
        """Return each block's attention and the convolutions behind it."""
        return [(layer, self._steps(group)) for layer, group in zip(self._attentions(), self.groups, strict=True)]

    def _attentions(self) -> list[CrossModalAttention]:
        return [layer for layer in self.attention if isinstance(layer, CrossModalAttention)]

    def _steps(self, group: tuple[int, ...]) -> list[ConvNorm]:
        """Return the convolutions of a group of blocks."""
        return [step for index in group for step in self._stages[1 + index]]

    def _pack(self) -> tuple[BlockWeights, ...]:
        from mesm.layers.sparse_inference import BlockWeights

        return tuple(
            BlockWeights.of(attention.pack(), [step.folded(attention.map_projection.weight) for step in steps])
            for attention, steps in self.sparse_blocks()
        )

    def _by_segment(
        self,
        stem_SCHW: Tensor,
        active_SHW: Tensor | None,
        query_SD: Tensor | None,
        top_p: float,
        first_attention: VersionedCache[Tensor] | None,
        trace: bool,
    ) -> tuple[Tensor, list[LayerTensors]]:
        """Compute the blocks by `sparse_inference`; return the last map and, for a trace, the layers."""
        from mesm.layers import sparse_inference

        attentions, (s, c, h, w) = self._attentions(), stem_SCHW.shape
        attentions[0].check(c, s, query_SD)
        rows = stem_SCHW.permute(0, 2, 3, 1).contiguous().numpy().reshape(-1, c)
        if active_SHW is None:
            active = np.ones((s, h, w), np.bool_)
        else:
            active = active_SHW.numpy()
            rows = rows[active.reshape(-1)]
        weights = (
            *(t for attention in attentions for t in attention.sources()),
            *(t for group in self.groups for step in self._steps(group) for t in step.sources()),
        )
        packed = self._packed.get(weights, self._pack)
        blocks = [block.under(query_SD, len(active)) for block in packed]
        known = None
        if first_attention is not None:
            known = first_attention.get(
                attentions[0].sources(),
                lambda: torch.from_numpy(sparse_inference.attend(rows, active, blocks[0].attention)),
            ).numpy()
        clip = self.config.gate_clip if self.config.gate.startswith("soft") else 0.0
        result = sparse_inference.run_blocks(rows, active, blocks, check_top_p(top_p), clip, known)
        maps_SCHW = torch.from_numpy(result.maps()).permute(0, 3, 1, 2)
        if not trace:
            return maps_SCHW, []
        layers = [
            LayerTensors(
                torch.from_numpy(layer.attention_SHW),
                torch.from_numpy(layer.kept_SHW),
                torch.from_numpy(layer.active_SHW),
                ("fused",) * len(block.panels),
            )
            for layer, block in zip(result.layers, blocks, strict=True)
        ]
        return maps_SCHW, layers

    def _by_layer(
        self,
        stem_SCHW: Tensor,
        active_SHW: Tensor | None,
        query_SD: Tensor | None,
        top_p: float,
        first_attention: VersionedCache[Tensor] | None,
        trace: bool,
    ) -> tuple[Tensor, list[LayerTensors]]:
        """Compute the blocks for the whole batch, one after the other: every device, type and backend, with gradients."""
        s, _, h, w = stem_SCHW.shape
        every_SHW = torch.ones(s, h, w, dtype=torch.bool, device=stem_SCHW.device)
        maps, layers = SparseMap.from_dense(stem_SCHW, every_SHW if active_SHW is None else active_SHW), []
        for number, (attention, group) in enumerate(zip(self.attention, self.groups, strict=True)):
            attention_SHW = attention(maps, query_SD, first_attention if number == 0 else None)
            kept = Sites.of_mask(nucleus_mask(attention_SHW, maps.sites.mask_SHW, top_p))
            features, book = self._select(maps, attention_SHW, kept)
            pooled, ran = self._block(features, book, group)
            layers.append(LayerTensors(attention_SHW, kept.mask_SHW, maps.sites.mask_SHW, ran))
            maps = pooled
        return maps.to_dense(), layers

    def _select(self, maps: SparseMap, attention_SHW: Tensor, kept: Sites) -> tuple[Tensor, Rulebook]:
        """Compute the gated source rows of the block's first convolution, and its rulebook.

        Where the gate passes a gradient to the sites left out, they stay as sources with value 0, because the pairs
        from them to kept neighbours carry that gradient. In inference they are left out.
        """
        gate, features, active = self.config.gate, maps.features_NC, maps.sites
        wide = torch.is_grad_enabled() and gate.endswith("straight_through")
        used = active if wide else kept
        if not wide and can_use_numba(features):
            from mesm.sparse import compiled

            values, attention = features.contiguous().numpy(), attention_SHW.contiguous().numpy()
            clip = self.config.gate_clip if gate.startswith("soft") else 0.0
            rows = compiled.select_rows(values, attention, active.mask_array, kept.mask_array, len(kept), clip)
            return torch.from_numpy(rows), Rulebook(kept)
        if not wide and len(kept) < len(active):
            features = features.index_select(0, positions(kept.mask_SHW.view(-1).index_select(0, active.rows_N)))
        if wide or gate.startswith("soft"):
            factors = gate_values(gate, attention_SHW, kept.mask_SHW, active.mask_SHW, self.config.gate_clip)
            features = features * factors.view(-1).index_select(0, used.rows_N)[:, None].to(features.dtype)
        return features, Rulebook(kept, active if wide else None)

    def _block(self, features_NC: Tensor, book: Rulebook, group: tuple[int, ...]) -> tuple[SparseMap, tuple[str, ...]]:
        """Compute a group's convolutions on the kept sites and the pool; return also each convolution's backend."""
        steps = self._steps(group)
        if steps[0].foldable:
            return _inference(steps, features_NC, book, self.config.backend)
        return _training(steps, features_NC, book, self.config.backend)


def _backend(step: ConvNorm, features: Tensor, book: Rulebook, name: str) -> str:
    return choose(name, book, step.conv.in_channels, step.conv.out_channels, compute_dtype(features))


def _training(
    steps: list[ConvNorm], features_NC: Tensor, book: Rulebook, name: str
) -> tuple[SparseMap, tuple[str, ...]]:
    """Compute convolution, batch norm over the active sites and ReLU per step, on rows."""
    ran = []
    for step in steps:
        ran.append(_backend(step, features_NC, book, name))
        features_NC = submanifold_conv(features_NC, book, step.conv.weight, backend=ran[-1])
        features_NC = F.relu(step.norm(features_NC))
        if book.widened:  # sites left out are sources of the first convolution only
            book = Rulebook(book.destinations)
    return SparseMap(features_NC, book.destinations).max_pool2(), tuple(ran)


def _inference(
    steps: list[ConvNorm], features_NC: Tensor, book: Rulebook, name: str
) -> tuple[SparseMap, tuple[str, ...]]:
    """Compute the same with folded batch norms; between dense convolutions the features stay maps."""
    sites, ran = book.destinations, []
    maps_SCHW: Tensor | None = None
    for step in steps:
        folded = step.folded(features_NC)
        features_NC = features_NC.to(folded.bias_K.dtype)
        ran.append(_backend(step, features_NC, book, name))
        if ran[-1] == "dense":
            maps_SCHW = rows_to_maps(features_NC, sites) if maps_SCHW is None else _masked(maps_SCHW, sites)
            maps_SCHW = F.conv2d(maps_SCHW, folded.weight_KCRR, folded.bias_K, padding=1).relu_()
            continue
        if maps_SCHW is not None:
            features_NC, maps_SCHW = maps_to_rows(maps_SCHW, sites), None
        if ran[-1] == "fused":
            features_NC = convolve_panels(features_NC, book, folded.panels, folded.bias_K, relu=True)
            continue
        features_NC = submanifold_conv(features_NC, book, folded.weight_KCRR, folded.bias_K, backend=ran[-1])
        features_NC = features_NC.relu_()
    if maps_SCHW is None:
        return SparseMap(features_NC, sites).max_pool2(), tuple(ran)
    # After a ReLU an inactive site, set to 0, never wins the maximum.
    pooled = sites.pooled()
    return SparseMap(maps_to_rows(F.max_pool2d(_masked(maps_SCHW, sites), 2), pooled), pooled), tuple(ran)


def _masked(maps_SCHW: Tensor, sites: Sites) -> Tensor:
    """Set the inactive sites to zero, in place."""
    return maps_SCHW if sites.full else maps_SCHW.mul_(sites.mask_SHW[:, None])
