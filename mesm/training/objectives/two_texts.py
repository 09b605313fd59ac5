"""Compute the divergence between a clip's branch scores under its own and under a random text.

A face and a voice shall be scored alike whichever text queries the attention: a mask may depend on the text, the score
of the branch behind it shall not.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from mesm.config import TwoTextsConfig
from mesm.models import ModelOutput
from mesm.training.objectives.step import Objective, StepBatch, mean_of_present


def symmetric_kl(first_BME: Tensor, second_BME: Tensor, present_BM: Tensor) -> Tensor:
    """Compute the mean symmetric Kullback-Leibler divergence of Bernoulli logits over the branches that are present.

    KL(p|q) + KL(q|p) = (p - q)(logit p - logit q) for one Bernoulli variable.
    """
    a, b = first_BME.float(), second_BME.float()
    each_BM = ((torch.sigmoid(a) - torch.sigmoid(b)) * (a - b)).mean(2)
    return mean_of_present(each_BM, present_BM)


class TwoTextsDivergence(Objective):
    """Compute `symmetric_kl` of the scores under two texts, for the branches whose attention has a query.

    Args:
        config: weight of the loss.
        text_branch: index of the text's branch, which has no attention and is left out.
    """

    def __init__(self, config: TwoTextsConfig, text_branch: int) -> None:
        self.weight, self.text_branch = config.weight, text_branch

    def extend(self, step: StepBatch, rng: np.random.Generator) -> StepBatch:
        """Draw a permutation of the batch as the second queries."""
        return replace(step, second_query_index_B=torch.from_numpy(rng.permutation(len(step.batch))))

    def loss(self, step: StepBatch, output: ModelOutput) -> Tensor:
        """Return the mean over the clips' visual and acoustic branches."""
        assert output.second is not None
        queried_BM = output.present_BM.clone()
        queried_BM[:, self.text_branch] = False
        return symmetric_kl(output.modality_logits_BME, output.second.modality_logits_BME, queried_BM)
