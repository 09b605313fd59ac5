"""The first attention is computed once per prepared clip, and never where it would be another."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from mesm.analysis.attention_controls import control_attention
from mesm.batch import Batch
from mesm.layers import sparse_inference
from mesm.models import EmotionModel, build_model
from mesm.studies.faithfulness.interventions import finish_with_sites
from tests.models.model_fixtures import TINY


@pytest.fixture
def model() -> EmotionModel:
    torch.manual_seed(0)
    found = build_model(replace(TINY, score="additive_bilinear"))
    assert isinstance(found, EmotionModel)
    return found.eval()


def logits(model: EmotionModel, batch: Batch, top_p: float, **more: torch.Tensor) -> torch.Tensor:
    """Of a clip that nobody has asked before."""
    return model.finish(model.prepare(batch), top_p, **more).logits_BE


@torch.no_grad()
def test_asking_again_gives_what_asking_first_gives(
    model: EmotionModel, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared, asked, once = model.prepare(batch), [], sparse_inference.attend
    monkeypatch.setattr(sparse_inference, "attend", lambda *a: asked.append(1) or once(*a))
    for top_p in (0.3, 0.9, 0.3):
        assert torch.equal(model.finish(prepared, top_p).logits_BE, logits(model, batch, top_p))
    assert len(asked) == 2 + 3 * 2, "once for the prepared clip, and for each that was prepared anew"


@torch.no_grad()
def test_other_weights_texts_and_choices_are_asked_anew(model: EmotionModel, batch: Batch) -> None:
    prepared = model.prepare(batch)
    before = model.finish(prepared, 0.4).logits_BE
    with control_attention(model, 3, "moment_matched"):
        assert torch.equal(model.finish(prepared, 0.4).logits_BE, logits(model, batch, 0.4))
        assert not torch.equal(model.finish(prepared, 0.4).logits_BE, before)
    other = prepared.text_BD.flip(0)
    assert torch.equal(model.finish(prepared, 0.4, query_BD=other).logits_BE, logits(model, batch, 0.4, query_BD=other))
    finish_with_sites(model, prepared, lambda modality, layer, attention, active: active)
    assert torch.equal(model.finish(prepared, 0.4).logits_BE, before)
    assert replace(prepared, text_BD=other).first_attention == {}


def test_gradients_are_not_kept(model: EmotionModel, batch: Batch) -> None:
    model.finish(prepared := model.prepare(batch), 0.4).logits_BE.sum().backward()
    assert prepared.first_attention == {}
