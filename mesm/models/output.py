"""Define the values that models return: tensors only; `mesm.analysis` makes records of them."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from mesm.layers.sparse_vgg import LayerTensors
from mesm.layers.versioned_cache import VersionedCache


@dataclass(frozen=True)
class Prepared:
    """Hold an end-to-end model's values that do not depend on top_p; one `Prepared` serves every value of top_p.

    Attributes:
        text_BD: text vectors.
        maps: modality -> (S, C, H, W) stem maps (MESM) or (S, C, h, w) final maps (FE2E); absent branches are missing.
        counts: modality -> (B,) segments per utterance.
        present_BM: (B, M) bool, which branches each clip has.
        tokens: ids and mask of the texts' word pieces, for a text branch with a lexicon.
        statistics_BF: (B, F) statistics of the voices, for an acoustic branch that scores them.
        sound_SW: (chunks, hops) bool of `sound_columns`; None without sound.
        first_attention: modality -> cache of the first layer's attention under the clips' own texts. Not a field of the
            constructor: every new `Prepared`, also one made with `dataclasses.replace`, starts with an empty dict.
    """

    text_BD: Tensor
    maps: dict[str, Tensor]
    counts: dict[str, Tensor]
    present_BM: Tensor
    tokens: tuple[Tensor, Tensor] | None = None
    statistics_BF: Tensor | None = None
    sound_SW: Tensor | None = None
    first_attention: dict[str, VersionedCache[Tensor]] = field(default_factory=dict, init=False, repr=False)


@dataclass(frozen=True)
class PreparedFeatures:
    """Hold a two-phase baseline's inputs, normalised.

    Attributes:
        rows: modality -> (R, F) features, one utterance after the other.
        counts: modality -> (B,) rows per utterance.
        present_BM: (B, M) bool, which modalities each clip has.
    """

    rows: dict[str, Tensor]
    counts: dict[str, Tensor]
    present_BM: Tensor


@dataclass(frozen=True)
class ModelOutput:
    """Hold the scores of a batch.

    Attributes:
        logits_BE: fused logits.
        modality_logits_BME: each branch's logits, 0 where the clip lacks the modality.
        present_BM: (B, M) bool.
        fusion_weights_BM: weights of the fusion, renormalised where a clip lacks a modality.
        layers: modality -> attention layers; empty without a trace.
        second: output of the same clips under a second query, if the call had one.
        segments: modality -> (S, D) vector of each face or chunk, before the Transformer.
        summaries: modality -> (B, D) vector that the branch's logits are made of, before dropout for face and voice.
    """

    logits_BE: Tensor
    modality_logits_BME: Tensor
    present_BM: Tensor
    fusion_weights_BM: Tensor
    layers: dict[str, tuple[LayerTensors, ...]] = field(default_factory=dict)
    second: ModelOutput | None = None
    segments: dict[str, Tensor] = field(default_factory=dict)
    summaries: dict[str, Tensor] = field(default_factory=dict)

    def head(self, count: int) -> ModelOutput:
        """Return the scores of the first `count` utterances, without layers and vectors."""
        return ModelOutput(
            self.logits_BE[:count],
            self.modality_logits_BME[:count],
            self.present_BM[:count],
            self.fusion_weights_BM[:count],
        )

    @property
    def scores_BE(self) -> Tensor:
        """Compute (B, E) probabilities in [0, 1]."""
        return torch.sigmoid(self.logits_BE.float())
