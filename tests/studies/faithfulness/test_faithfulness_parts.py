"""Intervals, forced sites, redrawn attention: each part against what it must equal."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mesm.batch import Batch
from mesm.layers.nucleus import nucleus_mask
from mesm.models import EmotionModel, build_model
from mesm.studies.faithfulness.intervals import auc_estimate, group_weights, mean_estimate, ratio_estimate, weighted_auc
from mesm.studies.faithfulness.interventions import (
    finish_with_sites,
    forced_sites,
    keep_count,
    keep_share,
    redrawn_attention,
)
from mesm.studies.faithfulness.loudness_lift import loud_cells
from mesm.studies.faithfulness.neutral_faces import _text_lift, _within_face
from mesm.studies.faithfulness.randomised import overlap, rank_correlation
from mesm.studies.faithfulness.shuffled import _derangement
from mesm.studies.faithfulness.sufficiency import first_steady, flips
from mesm.training import metrics
from tests.analysis.small_model import CONFIG


@pytest.fixture(scope="module")
def model() -> EmotionModel:
    torch.manual_seed(0)
    return build_model(CONFIG).eval()


@pytest.fixture(scope="module")
def batch() -> Batch:
    rng = torch.Generator().manual_seed(1)
    return Batch(
        clip_ids=("a", "b"),
        has_text=torch.tensor([True, True]),
        faces=torch.randint(0, 256, (3, 3, 48, 48), generator=rng, dtype=torch.uint8),
        face_counts=torch.tensor([2, 1]),
        mels=torch.randn(4, 1, 128, 32, generator=rng) - 3,
        chunk_counts=torch.tensor([3, 1]),
        text_vectors=torch.randn(2, 384, generator=rng),
    )


def test_auc_is_the_one_of_the_metrics() -> None:
    rng = np.random.default_rng(0)
    scores, truth = rng.integers(0, 5, (60, 3)) / 4.0, rng.random((60, 3)) < 0.4
    mean, each = auc_estimate(scores, truth, np.arange(60) % 7)
    assert np.allclose(each, metrics.auc(scores, truth) / 100, atol=1e-4)
    assert mean["low"] < mean["value"] < mean["high"]  # type: ignore[operator]
    twice = weighted_auc(scores[:, 0], truth[:, 0], np.full((1, 60), 2.0))
    assert twice[0] == pytest.approx(each[0], abs=1e-4)


def test_groups_count_whole() -> None:
    groups = np.array(["a", "a", "b", "c"])
    weights = group_weights(groups, 50)
    assert np.array_equal(weights[:, 0], weights[:, 1])
    assert np.allclose(weights[:, [0, 2, 3]].sum(1), 3)
    alone = mean_estimate(np.array([1.0, np.nan, 3.0, 2.0]), groups)
    assert alone["value"] == 2.0
    assert mean_estimate(np.array([np.nan] * 4), groups)["value"] is None
    same = ratio_estimate(np.full(4, 3.0), np.full(4, 2.0), groups)
    assert same == {"value": 1.5, "low": 1.5, "high": 1.5}


def test_forcing_the_nucleus_keeps_the_nucleus(model: EmotionModel, batch: Batch) -> None:
    seen = {}

    def choose(modality: str, layer: int, attention: torch.Tensor, active: torch.Tensor) -> torch.Tensor:
        seen[modality, layer] = nucleus_mask(attention, active, 0.3)
        return seen[modality, layer]

    with torch.no_grad():
        prepared = model.prepare(batch)
        free = model.finish(prepared, 0.3, trace=True)
        with forced_sites(model, choose):
            forced = model.finish(prepared, 0.5, trace=True)
        after = model.finish(prepared, 0.3, trace=True)
    assert set(seen) == {(m, layer) for m in ("visual", "acoustic") for layer in range(3)}
    for modality in ("visual", "acoustic"):
        assert torch.equal(forced.layers[modality][0].kept_SHW, free.layers[modality][0].kept_SHW)
        for layer in range(3):
            assert torch.equal(forced.layers[modality][layer].kept_SHW, seen[modality, layer])
    assert torch.equal(after.logits_BE, free.logits_BE)


@settings(max_examples=25, deadline=None)
@given(share=st.floats(0.01, 1.0), seed=st.integers(0, 1000))
def test_any_choice_of_sites_is_kept_exactly(model: EmotionModel, batch: Batch, share: float, seed: int) -> None:
    rng, kept = torch.Generator().manual_seed(seed), []

    def choose(modality: str, layer: int, attention: torch.Tensor, active: torch.Tensor) -> torch.Tensor:
        chosen = keep_share(torch.rand(attention.shape, generator=rng), active, share)
        assert bool((chosen <= active).all())
        kept.append((modality, layer, chosen))
        return chosen

    with torch.no_grad(), forced_sites(model, choose):
        found = model.finish(model.prepare(batch), 0.5, trace=True)
    assert all(torch.equal(found.layers[m][layer].kept_SHW, chosen) for m, layer, chosen in kept)


def test_hooks_go_even_on_an_error(model: EmotionModel, batch: Batch) -> None:
    def refuse(*_: object) -> torch.Tensor:
        raise RuntimeError("no")

    prepared = model.prepare(batch)
    with pytest.raises(RuntimeError, match="no"):
        finish_with_sites(model, prepared, refuse)
    assert not any(module._forward_hooks for module in model.modules())


def test_redrawn_attention_is_put_back(model: EmotionModel, batch: Batch) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        prepared = model.prepare(batch)
        own = model.finish(prepared, 0.4, trace=True)
        with pytest.raises(KeyError), redrawn_attention(model, 3):
            other = model.finish(prepared, 0.4, trace=True)
            raise KeyError
    assert not torch.equal(own.layers["visual"][0].kept_SHW, other.layers["visual"][0].kept_SHW)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_order_decides_which_sites_stay() -> None:
    order = torch.tensor([[[4.0, 3.0], [2.0, 1.0]]])
    active = torch.tensor([[[False, True], [True, True]]])
    assert keep_count(order, active, torch.tensor([2])).tolist() == [[[False, True], [True, False]]]
    assert keep_count(order, active, torch.tensor([0])).sum() == 1
    assert keep_count(order, active, torch.tensor([9])).tolist() == active.tolist()


def test_first_steady_p_and_flips() -> None:
    decided = np.array([[[1, 0], [0, 1]], [[0, 1], [0, 1]], [[1, 0], [1, 1]], [[1, 0], [0, 1]]], bool)
    assert first_steady(decided).tolist() == [2, 3]
    assert flips(decided).tolist() == [[True, True, False], [False, True, True]]
    assert first_steady(decided[-1:]).tolist() == [0, 0]


def test_correlation_and_overlap() -> None:
    rng = np.random.default_rng(0)
    map_ = rng.random((1, 40))
    assert rank_correlation(map_, np.exp(map_))[0] == pytest.approx(1)
    assert rank_correlation(map_, -map_)[0] == pytest.approx(-1)
    assert np.isnan(rank_correlation(map_, np.ones((1, 40)))[0])
    mask = torch.rand(1, 20, 20) < 0.3
    iou, chance = overlap(mask, mask)
    assert iou[0] == 1 and 0.1 < chance[0] < 0.25


def test_a_face_branch_that_reads_the_text_is_caught() -> None:
    rng = np.random.default_rng(0)
    deaf = np.repeat(rng.random((50, 1, 6)), 6, axis=1)
    told = deaf + np.eye(6)
    assert np.allclose(_within_face(deaf), 0.5) and np.allclose(_within_face(told), 1.0)


def test_text_lift_is_one_where_the_text_does_not_guide() -> None:
    rng = np.random.default_rng(0)
    landed = np.repeat(rng.random((12, 1, 6)) + 0.1, 6, axis=1)
    people = np.arange(12) % 4
    assert _text_lift(landed, people)["value"] == pytest.approx(1)
    assert _text_lift(landed * (1 + 0.2 * np.eye(6)), people)["value"] == pytest.approx(1.2)


def test_shuffling_leaves_no_text_in_place() -> None:
    for count in (2, 3, 17):
        other = _derangement(count, np.random.default_rng(count))
        assert sorted(other) == list(range(count)) and not (other == np.arange(count)).any()


def test_loud_cells_are_the_loudest_tenth() -> None:
    mel = np.arange(2 * 128 * 32, dtype=np.float32).reshape(2, 128, 32)
    loud = loud_cells(mel)
    assert loud.mean() == pytest.approx(0.1, abs=0.001) and loud[1, -1, -1] and not loud[0].any()
    assert not loud_cells(np.zeros((1, 128, 32), np.float16)).any()
