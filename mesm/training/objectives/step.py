"""Define the batch of a training step and the interface of an objective."""

from __future__ import annotations

import abc
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from mesm.batch import Batch
from mesm.models import ModelOutput


@dataclass(frozen=True)
class StepBatch:
    """Hold the batch of one training step.

    Attributes:
        batch: the labelled clips, then the utterances that objectives added.
        labelled: number of labelled clips.
        query_index_B: (B,) index of the utterance whose text queries the attention about each.
        second_query_index_B: the same for a second output of the model, or None.
        regions_SRHW: (S, R, 48, 48) coverage in [0, 1] of each face by its target regions, or None.
        voice_regions_C1HW: (C, 1, 128, 32) coverage in [0, 1] of each mel chunk by its target, or None.
    """

    batch: Batch
    labelled: int
    query_index_B: Tensor
    second_query_index_B: Tensor | None = None
    regions_SRHW: Tensor | None = None
    voice_regions_C1HW: Tensor | None = None

    def to(self, device: torch.device | str) -> StepBatch:
        """Return the step with its batch on a device."""
        return replace(self, batch=self.batch.to(device))

    @property
    def labels_BE(self) -> Tensor:
        """Return the labels of the labelled clips."""
        assert self.batch.labels is not None
        return self.batch.labels[: self.labelled]


class Objective(abc.ABC):
    """Compute one term of the loss; `weight` is its factor in the sum."""

    weight: float = 1.0

    def extend(self, step: StepBatch, rng: np.random.Generator) -> StepBatch:
        """Return the step with what this objective needs in the batch; the default adds nothing.

        Args:
            step: on the CPU, augmented.
            rng: the step's own generator, so that a resumed run draws the same numbers.
        """
        return step

    @abc.abstractmethod
    def loss(self, step: StepBatch, output: ModelOutput) -> Tensor:
        """Return the unweighted loss of the model's output on the step's batch."""


def mean_of_present(each_BM: Tensor, present_BM: Tensor) -> Tensor:
    """Return the mean over the branches that the clips have; 0 where no clip has any."""
    present_BM = present_BM.float()
    return (each_BM * present_BM).sum() / present_BM.sum().clamp(min=1)


def outputs_of(output: ModelOutput) -> tuple[ModelOutput, ...]:
    """Return the output, and the one under the second query if there is one."""
    return (output,) if output.second is None else (output, output.second)
