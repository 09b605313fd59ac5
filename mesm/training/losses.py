"""What is minimised."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mesm.models import ModelOutput


def positive_weights(truth_NE: Tensor, limit: float = 20.0) -> Tensor:
    """(E,) negatives / positives per class, as in the paper, at most `limit` so that a rare class cannot explode."""
    positives = truth_NE.sum(0)
    return ((len(truth_NE) - positives) / positives.clamp(min=1)).clamp(1 / limit, limit)


def emotion_loss(
    output: ModelOutput, labels_BE: Tensor, weights_E: Tensor, branch_weight: float, smoothing: float
) -> Tensor:
    """Binary cross entropy of the fused logits plus `branch_weight` times the mean over the branches' own.

    A branch that a clip lacks costs nothing. The branch term keeps a modality learning while another already explains
    the batch; the paper has none (set branch_loss to 0).
    """
    target_BE = labels_BE * (1 - 2 * smoothing) + smoothing
    fused = F.binary_cross_entropy_with_logits(output.logits_BE.float(), target_BE, pos_weight=weights_E)
    if not branch_weight or output.modality_logits_BME.shape[1] == 1:
        return fused
    each_BME = F.binary_cross_entropy_with_logits(
        output.modality_logits_BME.float(),
        target_BE[:, None].expand_as(output.modality_logits_BME),
        pos_weight=weights_E,
        reduction="none",
    )
    present_BM = output.present_BM.float()
    branch = (each_BME.mean(2) * present_BM).sum() / present_BM.sum().clamp(min=1)
    return fused + branch_weight * branch


def finite(loss: Tensor) -> bool:
    """Whether training may go on with this loss."""
    return bool(torch.isfinite(loss).all())
