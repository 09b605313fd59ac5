"""The modalities' weights, fitted on clips that no branch was trained on.

Learned with the rest, a weight believes a branch as far as it explains the training clips. The text's branch knows
those sentences by heart, so it is believed too much: on the demo corpus weights fitted elsewhere, half of its own, are
worth one and a half points of weighted accuracy, for FE2E as for MESM. Fitting the last step of a late fusion on
held-out answers is stacking (Wolpert 1992, Neural Networks 5:241-259).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mesm.data.loading import SplitLoader
from mesm.layers.fusion import WeightedFusion
from mesm.models import AnyScorer
from mesm.training import metrics
from mesm.training.scoring import score_batches


def fit_fusion(logits_NME: Tensor, truth_NE: Tensor, weights_E: Tensor) -> Tensor:
    """(M,) non-negative weights whose sum of logits has the least cross entropy.

    Each class also gets an offset, which is thrown away: thresholds are chosen per class anyway.

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
        found = F.binary_cross_entropy_with_logits(fused, truth, pos_weight=weights_E.double())
        # A branch that says nothing would send its logarithm to minus infinity.
        found = found + 1e-4 * log_weights.square().sum()
        found.backward()
        return found

    solver.step(loss)
    return log_weights.detach().exp().float()


def branch_logits(scores_NME: np.ndarray) -> Tensor:
    """Logits of the branches' scores in [0, 1]."""
    return torch.logit(torch.from_numpy(scores_NME).double(), eps=1e-6)


def refit_fusion(model: AnyScorer, held_out: SplitLoader, weights_E: Tensor, device: str = "cpu") -> dict[str, Any]:
    """Set the model's weights to `fit_fusion`'s and choose the thresholds again: `thresholds` and `valid`, as metrics.

    Args:
        model: with two modalities or more, on `device`.
        held_out: the validation split.
        weights_E: of the positives, as in training.
    """
    fusion = model.fusion
    assert isinstance(fusion, WeightedFusion) and fusion.weight is not None, "one modality has no weights"
    found = score_batches(model, held_out.epoch(0), device=device)
    fitted_M = fit_fusion(branch_logits(found.branch_scores), torch.from_numpy(found.truth), weights_E.cpu())
    with torch.no_grad():
        fusion.weight.copy_(fitted_M)
    found = score_batches(model, held_out.epoch(0), device=device)
    thresholds = metrics.choose_thresholds(found.scores, found.truth)
    summary = metrics.summarise(found.scores, found.truth, thresholds, model.config.labels)
    return {"thresholds": [float(t) for t in thresholds], "valid": summary}
