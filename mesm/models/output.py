"""What a model returns: tensors only; records are made of them in analysis."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from mesm.layers.sparse_vgg import LayerTensors
from mesm.layers.versioned_cache import Derived


@dataclass(frozen=True)
class Prepared:
    """Everything that does not depend on top_p, so that it can be kept while top_p moves.

    Attributes:
        text_BD: text vectors.
        maps: modality -> (S, C, H, W) stem maps (MESM) or (S, C, h, w) final maps (FE2E); absent branches are missing.
        counts: modality -> (B,) segments per utterance.
        present_BM: (B, M) bool, which branches each clip has.
        first: modality -> its first attention under the clips' own texts, once it was computed; a copy made with
            `dataclasses.replace` starts without.
    """

    text_BD: Tensor
    maps: dict[str, Tensor]
    counts: dict[str, Tensor]
    present_BM: Tensor
    first: dict[str, Derived[Tensor]] = field(default_factory=dict, init=False, repr=False)


@dataclass(frozen=True)
class ModelOutput:
    """Scores of a batch.

    Attributes:
        logits_BE: fused logits.
        modality_logits_BME: each branch's logits, 0 where the clip lacks the modality.
        present_BM: (B, M) bool.
        fusion_weights_BM: the weights that were used.
        layers: modality -> attention layers, only when a trace was asked for.
        second: the same clips asked with another text, only when one was given.
        segments: modality -> (S, D) vector of each face or chunk, before the Transformer.
        summaries: modality -> (B, D) vector that the branch's logits are made of, before dropout for face and voice.
    """

    logits_BE: Tensor
    modality_logits_BME: Tensor
    present_BM: Tensor
    fusion_weights_BM: Tensor
    layers: dict[str, tuple[LayerTensors, ...]]
    second: ModelOutput | None = None
    segments: dict[str, Tensor] = field(default_factory=dict)
    summaries: dict[str, Tensor] = field(default_factory=dict)

    def first(self, count: int) -> ModelOutput:
        """The first `count` utterances, without layers and vectors."""
        return ModelOutput(
            self.logits_BE[:count],
            self.modality_logits_BME[:count],
            self.present_BM[:count],
            self.fusion_weights_BM[:count],
            {},
        )

    @property
    def scores_BE(self) -> Tensor:
        """(B, E) probabilities in [0, 1]."""
        return torch.sigmoid(self.logits_BE.float())
