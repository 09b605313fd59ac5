"""Compute the cross entropy of the fused scores with class weights and label smoothing (paper, section 5.3)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mesm.config import LabelLossConfig
from mesm.models import ModelOutput
from mesm.training.objectives.step import Objective, StepBatch, outputs_of


def positive_weights(truth_NE: Tensor, limit: float = 20.0) -> Tensor:
    """Compute the (E,) class weights negatives / positives, as in the paper.

    Args:
        truth_NE: 0 or 1, of the training split.
        limit: largest weight, and 1 / limit the smallest, so that a rare class does not dominate the loss.
    """
    positives = truth_NE.sum(0)
    return ((len(truth_NE) - positives) / positives.clamp(min=1)).clamp(1 / limit, limit)


class LabelLoss(Objective):
    """Compute the binary cross entropy of the fused logits, mean over clips, classes and outputs.

    Args:
        config: class weights and smoothing.
        truth_NE: 0 or 1, labels of the training split.
        device: of the model.
    """

    def __init__(self, config: LabelLossConfig, truth_NE: Tensor, device: torch.device | str = "cpu") -> None:
        self.smoothing = config.smoothing
        balanced = config.positive_weight == "balanced"
        self.weights_E = (positive_weights(truth_NE) if balanced else torch.ones(truth_NE.shape[1])).to(device)

    def targets(self, labels_BE: Tensor) -> Tensor:
        """Smooth labels: 0 becomes s and 1 becomes 1 - s."""
        return labels_BE * (1 - 2 * self.smoothing) + self.smoothing

    def loss(self, step: StepBatch, output: ModelOutput) -> Tensor:
        """Return the mean over the outputs under one or two queries."""
        losses = [self.of_logits(one.logits_BE[: step.labelled], step.labels_BE) for one in outputs_of(output)]
        return torch.stack(losses).mean()

    def of_logits(self, logits_BE: Tensor, labels_BE: Tensor) -> Tensor:
        """Return the mean over clips and classes, a scalar."""
        return F.binary_cross_entropy_with_logits(logits_BE.float(), self.targets(labels_BE), pos_weight=self.weights_E)
