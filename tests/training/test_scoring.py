"""A split is scored without dropout, and the model trains on as before."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mesm.training.scoring import score_batches


class HalfDropped(nn.Module):
    """Score one class with ones, half of which dropout would set to 0 and the other half to 2."""

    config = SimpleNamespace(labels=("happy",), modalities=("text",))

    def forward(self, batch: Any, top_p: float | None, trace: bool) -> Any:
        if batch.labels is None:
            raise ValueError("a batch without labels")
        scores = nn.functional.dropout(torch.ones(64, 1), 0.5, self.training)
        return SimpleNamespace(scores_BE=scores, modality_logits_BME=torch.zeros(64, 1, 1))


def batch_of(labels: Tensor | None) -> Any:
    batch = SimpleNamespace(clip_ids=tuple(map(str, range(64))), labels=labels)
    batch.to = lambda device: batch
    return batch


@pytest.mark.parametrize("training", [True, False])
def test_dropout_is_off_and_the_mode_returns(training: bool) -> None:
    model: Any = HalfDropped().train(training)
    result = score_batches(model, [batch_of(torch.ones(64, 1))] * 2)
    assert result.scores.shape == (128, 1) and np.all(result.scores == 1) and len(result.clip_ids) == 128
    assert model.training == training
    with pytest.raises(ValueError, match="without labels"):
        score_batches(model, [batch_of(None)])
    assert model.training == training
