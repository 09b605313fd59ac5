"""The closed form of the baselines' work against what runs."""

from __future__ import annotations

import pytest
import torch

from mesm.analysis.baseline_cost import count_baseline
from mesm.analysis.cost import count_executed
from mesm.config import ModelConfig
from mesm.models import EmotionModel, build_model
from tests.models.model_fixtures import random_batch, tiny


class _Logits(torch.nn.Module):
    """A model on a fixed batch, as counters want it."""

    def __init__(self, model: EmotionModel, faces: int, chunks: int) -> None:
        super().__init__()
        self.model, self.batch = model, random_batch([faces], [chunks])

    def forward(self, _: torch.Tensor) -> torch.Tensor:
        return self.model(self.batch).logits_BE


def report(config: ModelConfig, faces: int, chunks: int) -> int:
    features = random_batch([faces], [chunks]).features
    assert features is not None
    return count_baseline(config, {m: int(n[0]) for m, n in features.counts.items()}).total


@pytest.mark.parametrize("name", ["lf_transformer", "mult"])
@pytest.mark.parametrize(("faces", "chunks"), [(2, 3), (1, 1)])
def test_transformers_are_counted_as_they_run(name: str, faces: int, chunks: int) -> None:
    config = tiny(name)
    model = build_model(config).eval()
    counted, _ = count_executed(_Logits(model, faces, chunks), (torch.zeros(1),))
    products = sum(
        n for op, n in counted.items() if op in ("linear", "matmul", "addmm", "mm", "bmm", "baddbmm", "einsum")
    )
    # The counter sees no fused attention: two products of rows by rows, told from the closed form's difference.
    expected = report(config, faces, chunks)
    assert 0 <= expected - products <= 0.2 * expected


@pytest.mark.parametrize("name", ["lf_lstm", "emo_embs"])
def test_an_lstm_costs_its_weights_once_a_row(name: str) -> None:
    config = tiny(name)
    model = build_model(config)
    weights = {
        m: sum(p.numel() for n, p in model.named_parameters() if n.startswith(f"branches.{m}.lstm.weight"))
        for m in config.modalities
    }
    features = random_batch([2], [3]).features
    assert features is not None
    rows = {m: int(n[0]) for m, n in features.counts.items()}
    once, twice = (count_baseline(config, {m: k * n for m, n in rows.items()}).total for k in (1, 2))
    assert twice - once == sum(weights[m] * rows[m] for m in rows)


def test_an_absent_modality_costs_late_fusion_nothing() -> None:
    config = tiny("lf_lstm")
    entries = count_baseline(config, {"text": 3, "visual": 0, "acoustic": 2}).entries
    assert {e.modality for e in entries} == {"text", "acoustic"}
    found = count_baseline(config, {"text": 3, "visual": 0, "acoustic": 2})
    assert found.conv_stack == 0 and found.not_counted and found.ratio != found.ratio
