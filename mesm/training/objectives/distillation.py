"""Compute the cross entropy of each branch's scores against those of a dense model.

A sparse branch sees half the places of the dense one; the dense scores hold more of what it can reach than a 0 or 1
does (Hinton, Vinyals & Dean 2015, arXiv:1503.02531). They cost one forward pass of the dense model per step.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from mesm.config import RunConfig
from mesm.errors import ConfigError
from mesm.models import EmotionModel, ModelOutput, load_checkpoint
from mesm.models.encoders import SegmentBranch
from mesm.training.objectives.saliency import dense_logits
from mesm.training.objectives.step import Objective, StepBatch, mean_of_present, outputs_of


class Distillation(Objective):
    """Compute the binary cross entropy of the logits of the branches that both models have, mean over those present.

    Args:
        run: weight of the loss, labels, and the dense checkpoint.
        device: of the model.

    Raises:
        ConfigError: no dense model is named, or one of other labels.
        CheckpointError: it cannot be read.
    """

    def __init__(self, run: RunConfig, device: torch.device | str = "cpu") -> None:
        self.weight = run.train.distillation.weight
        start = run.train.distillation.checkpoint or run.train.init_from
        teacher = load_checkpoint(start).model if start else None
        if not isinstance(teacher, EmotionModel) or teacher.config.has_attention:
            named = f"{start} is none" if start else "none is named"
            raise ConfigError(
                f"distillation needs a trained FE2E, and {named}: name its folder with --init or distillation.checkpoint, or "
                "set distillation.weight=0"
            )
        if teacher.config.labels != run.model.labels:
            raise ConfigError(
                f"{start} has other labels ({', '.join(teacher.config.labels)}); set distillation.weight=0"
            )
        teacher.to(device).eval()
        # The text's branch is dense in both.
        self.branches = [
            (index, branch)
            for index, name in enumerate(run.model.modalities)
            if name in teacher.config.modalities and isinstance(branch := teacher.branches[name], SegmentBranch)
        ]

    def loss(self, step: StepBatch, output: ModelOutput) -> Tensor:
        """Return the mean over the outputs under one or two queries."""
        indices, targets = [], []
        for index, branch in self.branches:
            segments, counts_B = step.batch.segments(branch.modality)
            if len(segments):
                indices.append(index)
                with torch.no_grad():
                    logits_BE = dense_logits(branch, branch.prepare(segments, counts_B), segments, counts_B)
                targets.append(torch.sigmoid(logits_BE.float()))
        if not targets:
            return output.logits_BE.sum() * 0
        target_BME = torch.stack(targets, 1)
        return torch.stack([_cross_entropy(one, indices, target_BME) for one in outputs_of(output)]).mean()


def _cross_entropy(output: ModelOutput, indices: list[int], target_BME: Tensor) -> Tensor:
    logits_BME = output.modality_logits_BME[:, indices].float()
    each_BM = F.binary_cross_entropy_with_logits(logits_BME, target_BME, reduction="none").mean(2)
    return mean_of_present(each_BM, output.present_BM[:, indices])
