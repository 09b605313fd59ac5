"""Compute the cross entropy of each branch's own scores, so that each modality keeps learning beside a stronger one."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mesm.config import BranchLossConfig
from mesm.models import ModelOutput
from mesm.training.objectives.label_loss import LabelLoss
from mesm.training.objectives.step import Objective, StepBatch, mean_of_present, outputs_of


class BranchLoss(Objective):
    """Compute the binary cross entropy of the branches' logits, mean over the modalities that the clips have.

    Args:
        config: weight of the loss.
        label_loss: its class weights and smoothing are used here too.
    """

    def __init__(self, config: BranchLossConfig, label_loss: LabelLoss) -> None:
        self.weight, self.label_loss = config.weight, label_loss

    def loss(self, step: StepBatch, output: ModelOutput) -> Tensor:
        """Return the mean over the outputs under one or two queries."""
        target_BE = self.label_loss.targets(step.labels_BE)
        return torch.stack([self._of(one, target_BE) for one in outputs_of(output)]).mean()

    def _of(self, output: ModelOutput, target_BE: Tensor) -> Tensor:
        logits_BME = output.modality_logits_BME[: len(target_BE)].float()
        each_BME = F.binary_cross_entropy_with_logits(
            logits_BME,
            target_BE[:, None].expand_as(logits_BME),
            pos_weight=self.label_loss.weights_E,
            reduction="none",
        )
        return mean_of_present(each_BME.mean(2), output.present_BM[: len(target_BE)])
