"""Compute the common part of the two-phase baselines: features normalised by training statistics, late fusion.

Shape legend: R rows of a batch's features, F columns, L longest sequence, B utterances, M modalities, E emotions.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from mesm.batch import Batch
from mesm.config import FeatureModelConfig, ModelConfig
from mesm.errors import ConfigError, DataError
from mesm.layers.fusion import WeightedFusion
from mesm.layers.text import TextEncoder
from mesm.models.inputs import Features
from mesm.models.output import ModelOutput, PreparedFeatures
from mesm.models.scorer import Scorer


class FeatureModel(Scorer[PreparedFeatures]):
    """Score hand-crafted features, `Batch.features`; without attention, so top_p has no effect.

    Args:
        config: `feature_dims` is the number of columns that each of its modalities has; the trainer fills it in.
        text_encoder: ignored; phase one has turned the words into vectors.

    Raises:
        ConfigError: `feature_dims` does not fit the modalities.
    """

    config: FeatureModelConfig

    def __init__(self, config: FeatureModelConfig, text_encoder: TextEncoder | None = None) -> None:
        super().__init__()
        if len(config.feature_dims) != len(config.modalities):
            raise ConfigError(
                f"{config.name} reads hand-crafted features: feature_dims must have a number for each of "
                f"{', '.join(config.modalities)}, not {config.feature_dims}"
            )
        self.config, self.text_encoder = config, None
        self.dims = dict(zip(config.modalities, config.feature_dims, strict=True))
        for modality, dim in self.dims.items():
            self.register_buffer(f"{modality}_mean", torch.zeros(dim))
            self.register_buffer(f"{modality}_std", torch.ones(dim))

    @property
    def inputs(self) -> Features:
        """Return the features of phase one."""
        return Features(self.config.modalities, self.config.feature_sources, self.config.feature_dims)

    @torch.no_grad()
    def set_statistics(self, statistics: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
        """Store modality -> (mean, standard deviation) of each column over the training split."""
        for modality in self.dims:
            for name, values in zip(("mean", "std"), statistics[modality], strict=True):
                self.get_buffer(f"{modality}_{name}").copy_(torch.from_numpy(values))

    def prepare(self, batch: Batch) -> PreparedFeatures:
        """Normalise the rows of each modality by the training split's statistics."""
        if batch.features is None:
            raise DataError(f"{self.config.name} reads hand-crafted features; collate the batch with features=")
        rows, counts = {}, batch.features.counts
        for modality, dim in self.dims.items():
            values_RF = batch.features.values[modality]
            if values_RF.shape[1] != dim:
                raise DataError(
                    f"the {modality} features have {values_RF.shape[1]} columns, the model was trained with {dim}; "
                    "make the same features with mesm corpus features"
                )
            rows[modality] = (values_RF - self.get_buffer(f"{modality}_mean")) / self.get_buffer(f"{modality}_std")
        present_BM = torch.stack([counts[m] > 0 for m in self.config.modalities], 1)
        self.check_present(batch, present_BM)
        return PreparedFeatures(rows, {m: counts[m] for m in self.dims}, present_BM)


class LateFusion(FeatureModel):
    """Fuse a network per modality by FE2E's weighted sum of their logits.

    Attributes:
        network: class of the networks, set by each subclass; made of modality, columns and config, it maps rows (R, F)
            and counts (B,) to logits (B, E).
    """

    network: type[nn.Module]

    def __init__(self, config: FeatureModelConfig, text_encoder: TextEncoder | None = None) -> None:
        super().__init__(config, text_encoder)
        self.branches = nn.ModuleDict({m: self.network(m, dim, config) for m, dim in self.dims.items()})
        self.fusion = WeightedFusion(len(config.modalities))

    def scores(self, modality: str, rows_RF: Tensor, counts_B: Tensor) -> Tensor:
        """Compute the (B, E) logits of one modality."""
        return self.branches[modality](rows_RF, counts_B)

    def finish(self, prepared: PreparedFeatures, top_p: float | None = None, trace: bool = False) -> ModelOutput:
        """Compute the scores from `prepare`'s rows; top_p and trace have no effect."""
        logits = []
        for i, modality in enumerate(self.config.modalities):
            rows_RF, counts_B = prepared.rows[modality], prepared.counts[modality]
            if len(rows_RF):
                logits.append(self.scores(modality, rows_RF, counts_B) * prepared.present_BM[:, i, None])
            else:
                logits.append(rows_RF.new_zeros(len(counts_B), len(self.config.labels)))
        logits_BME = torch.stack(logits, 1)
        fused_BE, weights_BM = self.fusion(logits_BME, prepared.present_BM)
        return ModelOutput(fused_BE, logits_BME, prepared.present_BM, weights_BM)


def affine(dim: int, config: ModelConfig, *, out_of: int = 1) -> nn.Sequential:
    """Build two linear layers, half as wide in between, as in the authors' baselines."""
    width = dim * out_of
    return nn.Sequential(nn.Linear(width, width // 2), nn.ReLU(), nn.Linear(width // 2, len(config.labels)))
