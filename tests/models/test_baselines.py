"""What is special about the two-phase baselines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from mesm.batch import Batch, FeatureRows
from mesm.errors import ConfigError, DataError
from mesm.models import build_model
from mesm.models.baselines import EmoEmbs, FeatureModel
from mesm.models.baselines.lf_transformer import heads
from tests.models.model_fixtures import TINY, random_batch, tiny

BASELINES = ("lf_lstm", "lf_transformer", "emo_embs", "mult")


@pytest.mark.parametrize("name", BASELINES)
def test_statistics_take_the_units_away(name: str, batch: Batch) -> None:
    torch.manual_seed(0)
    model = build_model(tiny(name)).eval()
    assert isinstance(model, FeatureModel) and batch.features is not None
    scaled = FeatureRows({m: 50 * v + 7 for m, v in batch.features.values.items()}, batch.features.counts)
    with torch.no_grad():
        plain = model(batch).logits_BE
        model.set_statistics({m: (np.full(d, 7.0, "f4"), np.full(d, 50.0, "f4")) for m, d in model.dims.items()})
        torch.testing.assert_close(model(replace(batch, features=scaled)).logits_BE, plain, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", BASELINES)
def test_the_order_of_rows_matters(name: str) -> None:
    torch.manual_seed(0)
    model = build_model(tiny(name)).eval()
    batch = random_batch([2], [2])
    assert batch.features is not None
    back = FeatureRows({m: v.flip(0) for m, v in batch.features.values.items()}, batch.features.counts)
    with torch.no_grad():
        assert not torch.allclose(model(batch).logits_BE, model(replace(batch, features=back)).logits_BE, atol=1e-4)


def test_emotion_words_are_what_is_compared() -> None:
    torch.manual_seed(0)
    model = build_model(tiny("emo_embs")).eval()
    assert isinstance(model, EmoEmbs)
    batch = random_batch([2], [2])
    with torch.no_grad():
        before = model(batch).logits_BE
        same = model.emotions[0].tolist()
        vectors = {label: model.emotions[i].tolist() for i, label in enumerate(TINY.labels)}
        model.set_emotions(vectors | {TINY.labels[3]: same})
        after = model(batch).logits_BE
    torch.testing.assert_close(after[0, 3], after[0, 0])
    torch.testing.assert_close(after[0, :3], before[0, :3])
    with pytest.raises(DataError, match="none for anger"):
        model.set_emotions({})
    with pytest.raises(ConfigError, match="add text"):
        build_model(tiny("emo_embs", modalities=("visual",), feature_dims=(5,)))


@pytest.mark.parametrize("name", BASELINES)
def test_misuse_says_what_to_do(name: str, batch: Batch) -> None:
    model = build_model(tiny(name))
    with pytest.raises(DataError, match="features="):
        model(replace(batch, features=None))
    with pytest.raises(ConfigError, match="feature_dims"):
        build_model(tiny(name, feature_dims=()))
    with pytest.raises(DataError, match="mesm corpus features"):
        build_model(tiny(name, feature_dims=(8, 5, 7)))(batch)


def test_the_papers_heads() -> None:
    assert [heads("text", 300), heads("visual", 35), heads("acoustic", 144), heads("acoustic", 142)] == [4, 5, 2, 2]
    assert heads("visual", 20) == 5 and heads("text", 7) == 1
