"""MESM's CNN: three cross-modal sparse blocks behind a dense stem (section 4.3 of the paper).

A sparse block = cross-modal attention -> nucleus selection -> submanifold convolutions -> sparse max-pool.
Shape legend: S segments, H W map, N active sites, C channels, D width of the query.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mesm.config import ModelConfig
from mesm.layers.attention import CrossModalAttention, gate_values
from mesm.layers.nucleus import nucleus_mask
from mesm.layers.vgg import POOLED_BLOCKS, ConvNorm, VGGTrunk
from mesm.sparse.backends import choose, submanifold_conv
from mesm.sparse.gather_backend import Workspace, convolve, convolve_packed
from mesm.sparse.sites import Rulebook, Sites, SparseMap, positions


@dataclass(frozen=True)
class LayerTensors:
    """What one attention layer did; with its graph in training.

    Attributes:
        attention_SHW: (S, H, W) float32, each segment sums to 1 over its active sites.
        kept_SHW: (S, H, W) bool, the nucleus.
        active_SHW: (S, H, W) bool, the sites to choose from.
        backends: what ran each of the block's convolutions.
    """

    attention_SHW: Tensor
    kept_SHW: Tensor
    active_SHW: Tensor
    backends: tuple[str, ...]


@dataclass(frozen=True)
class SparseResult:
    """The last map, zeros at inactive sites, and the layers if they were asked for."""

    features_SCHW: Tensor
    layers: tuple[LayerTensors, ...] = ()


class SparseVGG(VGGTrunk):
    """`DenseVGG` with attention, selection and submanifold convolutions behind the stem.

    Its trunk has the same parameter names as `DenseVGG`, so `load_state_dict(dense, strict=False)` sets everything but
    the attention. With top_p=1 and gate="hard" it computes what `DenseVGG` does.

    Args:
        in_channels: 3 for faces, 1 for mels.
        config: width, stem_blocks, attention_width, gate, score, query and backend are read.
        query_dim: D of the query vector.
    """

    def __init__(self, in_channels: int, config: ModelConfig, query_dim: int) -> None:
        super().__init__(in_channels, config)
        #: Blocks of each attention layer; with fewer stem blocks the first layer's mask also serves 64-64 blocks.
        self.groups = (tuple(range(config.stem_blocks, POOLED_BLOCKS[0] + 1)), *((i,) for i in POOLED_BLOCKS[1:]))
        self._space = Workspace()
        self.attention = nn.ModuleList(
            CrossModalAttention(
                config.channels(channels),
                query_dim,
                config.channels(width),
                query=config.query != "none",
                bilinear=config.score == "additive_bilinear",
            )
            for channels, width in zip((64, 128, 256), config.attention_width, strict=True)
        )

    def attention_parameters(self) -> list[nn.Parameter]:
        """What FE2E does not have."""
        return list(self.attention.parameters())

    def forward(self, maps_SCHW: Tensor, query_SD: Tensor | None, top_p: float, *, trace: bool = False) -> SparseResult:
        """The stem, then `sparse_part`.

        Args:
            maps_SCHW: (S, in_channels, H, W) normalised faces or mels.
            query_SD: (S, D) the query of each segment; None where config.query is "none".
            top_p: nucleus mass in (0, 1].
            trace: also return what every layer did.
        """
        return self.sparse_part(self.stem(maps_SCHW), query_SD, top_p, trace=trace)

    def sparse_part(
        self, stem_SCHW: Tensor, query_SD: Tensor | None, top_p: float, *, trace: bool = False
    ) -> SparseResult:
        """Everything that depends on `top_p`; the stem's map can be kept and used again for other values."""
        s, _, h, w = stem_SCHW.shape
        everywhere = torch.ones(s, h, w, dtype=torch.bool, device=stem_SCHW.device)
        maps, layers = SparseMap.from_dense(stem_SCHW, everywhere), []
        for attention, group in zip(self.attention, self.groups, strict=True):
            attention_SHW = attention(maps, query_SD)
            kept = Sites.of_mask(nucleus_mask(attention_SHW, maps.sites.mask_SHW, top_p))
            features, book = self._select(maps, attention_SHW, kept)
            features, ran = self._convolve(features, book, group)
            if trace:
                layers.append(LayerTensors(attention_SHW, kept.mask_SHW, maps.sites.mask_SHW, ran))
            maps = SparseMap(features, kept).max_pool2()
        return SparseResult(maps.to_dense(), tuple(layers))

    def _select(self, maps: SparseMap, attention_SHW: Tensor, kept: Sites) -> tuple[Tensor, Rulebook]:
        """Gated source rows of the block's first convolution, and its rulebook.

        Where the gate passes a gradient to the sites left out, they stay as sources with value 0, because the pairs
        from them to kept neighbours carry that gradient. Nothing is gained by them in inference.
        """
        gate, features, active = self.config.gate, maps.features_NC, maps.sites
        wide = torch.is_grad_enabled() and gate.endswith("straight_through")
        used = active if wide else kept
        if not wide:
            features = features.index_select(0, positions(kept.mask_SHW.view(-1).index_select(0, active.rows_N)))
        if wide or gate.startswith("soft"):
            factors = gate_values(gate, attention_SHW, kept.mask_SHW, active.mask_SHW, self.config.gate_clip)
            features = features * factors.view(-1).index_select(0, used.rows_N)[:, None].to(features.dtype)
        return features, Rulebook(kept, active if wide else None)

    def _convolve(self, features_NC: Tensor, book: Rulebook, group: tuple[int, ...]) -> tuple[Tensor, tuple[str, ...]]:
        """The group's convolutions on the kept sites, and what ran each."""
        ran: list[str] = []
        for index in group:
            for step in self.blocks[index].steps:  # type: ignore[union-attr]
                name = choose(self.config.backend, book)
                features_NC = _step(step, features_NC, book, name, self._space)
                ran.append(name)
                if book.widened:
                    book = Rulebook(book.destinations)
        return features_NC, tuple(ran)


def _step(step: ConvNorm, features_NC: Tensor, book: Rulebook, backend: str, space: Workspace) -> Tensor:
    """Submanifold convolution, batch norm over the active sites, ReLU."""
    if not step.foldable:
        if backend == "gather":
            out = convolve(features_NC, book, step.conv.weight, space=space)
        else:
            out = submanifold_conv(features_NC, book, step.conv.weight, backend=backend)
        return F.relu(step.norm(out))
    folded = step.folded()
    if backend == "gather":
        return convolve_packed(features_NC, book, *folded.packed(features_NC.dtype), space).relu_()
    return submanifold_conv(features_NC, book, folded.weight_KCRR, folded.bias_K, backend=backend).relu_()
