"""Forced sites, site orders and sets, shuffles, controls: each part against hand-made cases."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mesm.analysis.attention_controls import control_attention, sparse_cnns
from mesm.batch import Batch
from mesm.estimate import Estimate
from mesm.layers.nucleus import nucleus_mask
from mesm.models import EmotionModel, build_model
from mesm.records.faithfulness import CONTROL_WORDS, ControlAttention
from mesm.statistics import Speakers
from mesm.studies.faithfulness.control_test import _compare_scores, overlap, rank_correlation
from mesm.studies.faithfulness.evaluation_clips import strongest_is_true
from mesm.studies.faithfulness.interventions import (
    Choice,
    finish_with_sites,
    forced_sites,
    keep_count,
    keep_share,
)
from mesm.studies.faithfulness.loudness_lift import _clip_rows, loud_cells
from mesm.studies.faithfulness.neutral_faces import text_lift, within_face_auc
from mesm.studies.faithfulness.shuffled import draw_derangement
from mesm.studies.faithfulness.sites import _areas, _ShareCounter, _SiteSets, keep_in_order
from mesm.studies.faithfulness.sufficiency import decision_changes, first_steady
from tests.analysis.small_model import CONFIG


@pytest.fixture(scope="module")
def model() -> EmotionModel:
    torch.manual_seed(0)
    return build_model(replace(CONFIG, score="additive_bilinear")).eval()


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


def test_order_decides_which_sites_stay() -> None:
    order = torch.tensor([[[4.0, 3.0], [2.0, 1.0]]])
    active = torch.tensor([[[False, True], [True, True]]])
    assert keep_count(order, active, torch.tensor([2])).tolist() == [[[False, True], [True, False]]]
    assert keep_count(order, active, torch.tensor([0])).sum() == 1
    assert keep_count(order, active, torch.tensor([9])).tolist() == active.tolist()


def test_first_steady_p_and_changes() -> None:
    decided = np.array([[[1, 0], [0, 1]], [[0, 1], [0, 1]], [[1, 0], [1, 1]], [[1, 0], [0, 1]]], bool)
    assert first_steady(decided).tolist() == [2, 3]
    assert decision_changes(decided).tolist() == [[True, True, False], [False, True, True]]
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
    assert np.allclose(within_face_auc(deaf), 0.5) and np.allclose(within_face_auc(told), 1.0)


def test_text_lift_is_one_where_the_text_does_not_guide() -> None:
    rng = np.random.default_rng(0)
    landed = np.repeat(rng.random((12, 1, 6)) + 0.1, 6, axis=1)
    people = np.arange(12) % 4
    assert text_lift(landed, people).value == pytest.approx(1)
    assert text_lift(landed * (1 + 0.2 * np.eye(6)), people).value == pytest.approx(1.2)


def test_shuffling_leaves_no_text_in_place() -> None:
    for count in (2, 3, 17):
        other = draw_derangement(count, np.random.default_rng(count))
        assert sorted(other) == list(range(count)) and not (other == np.arange(count)).any()


def test_loud_cells_are_the_loudest_tenth() -> None:
    mel = np.arange(2 * 128 * 32, dtype=np.float32).reshape(2, 128, 32)
    loud = loud_cells(mel)
    assert loud.mean() == pytest.approx(0.1, abs=0.001) and loud[1, -1, -1] and not loud[0].any()
    assert not loud_cells(np.zeros((1, 128, 32), np.float16)).any()


def test_padding_is_no_part_of_a_loudness() -> None:
    """Half of the only chunk is padding: what is kept, attended or active there counts nowhere."""
    loud, ones = torch.zeros(1, 128, 32), torch.ones(1, 2, 4)
    loud[..., :8] = 1
    inside = torch.tensor([1.0, 1.0, 0.0, 0.0]).expand(1, 2, 4)
    kept = torch.tensor([1.0, 0.0, 1.0, 1.0]).expand(1, 2, 4)
    row = _clip_rows(loud, kept, ones, ones / 8, inside, torch.tensor([1]))[0]
    kept_loud, active_loud, attended, map_loud, sites_kept, sites_active, _, sites, _ = row.tolist()
    assert (kept_loud, active_loud, attended, map_loud) == pytest.approx((1.0, 0.5, 0.5, 0.5))
    assert (sites_kept, sites_active, sites) == (2.0, 4.0, 4.0)


# ------------------------------------------------------------------------------------------- orders and sets of sites
ACTIVE = torch.tensor([[[True, True], [True, False]], [[True, True], [True, True]]])
ATTENTION = torch.tensor([[[0.6, 0.3], [0.1, 0.0]], [[0.1, 0.2], [0.3, 0.4]]])


def chosen(choice: Choice, layer: int = 0) -> list[list[list[bool]]]:
    return choice("visual", layer, ATTENTION, ACTIVE).tolist()  # type: ignore[no-any-return]


def test_insertion_keeps_the_most_attended_and_deletion_the_least() -> None:
    rng = torch.Generator().manual_seed(0)
    assert chosen(keep_in_order("attention", 0.3, "all", rng)) == [
        [[True, False], [False, False]],
        [[False, False], [True, True]],
    ]
    assert chosen(keep_in_order("reverse", 0.3, "all", rng)) == [
        [[False, False], [True, False]],
        [[True, True], [False, False]],
    ]
    drawn = keep_in_order("random", 0.3, "all", rng)("visual", 0, ATTENTION, ACTIVE)
    assert drawn.sum((1, 2)).tolist() == [1, 2] and bool((drawn <= ACTIVE).all())


def test_only_the_pruned_layer_is_pruned() -> None:
    choice = keep_in_order("attention", 0.3, "L2", torch.Generator())
    assert chosen(choice, 0) == ACTIVE.tolist() and chosen(choice, 1) != ACTIVE.tolist()


def test_each_set_keeps_its_sites() -> None:
    sets = _SiteSets(0.65, torch.Generator().manual_seed(0))
    nucleus = [[[True, True], [False, False]], [[False, False], [True, True]]]
    assert chosen(sets.nucleus) == nucleus
    assert chosen(sets.least) == [[[False, True], [True, False]], [[True, True], [False, False]]]
    assert sets.random("visual", 0, ATTENTION, ACTIVE).sum((1, 2)).tolist() == [2, 2]
    assert chosen(sets.complement) == [[[False, False], [True, False]], [[True, True], [False, False]]]
    whole = _SiteSets(1.0, torch.Generator())
    assert chosen(whole.complement)[0] == [[False, False], [True, False]]  # an empty rest keeps the least attended site


def test_the_share_of_kept_sites_is_counted() -> None:
    counter = _ShareCounter(("visual",))
    counter.count(keep_in_order("attention", 0.3, "all", torch.Generator()))("visual", 0, ATTENTION, ACTIVE)
    assert counter.share("visual") == 3 / 8


def test_areas_under_hand_made_curves() -> None:
    shares, ones = (0.5, 1.0), np.ones((10, 1))
    curves = {"attention": np.hstack([ones, ones]), "reverse": np.hstack([0 * ones, ones])}
    areas = _areas(curves | {"random": np.hstack([0.5 * ones, ones])}, shares, Speakers(np.arange(10)))
    assert (areas.insertion_auc, areas.deletion_auc, areas.random_auc) == (1.0, 0.5, 0.75)
    assert areas.insertion_gain == areas.deletion_gain == Estimate(0.25, 0.25, 0.25)
    assert areas.curves.random == (0.5, 1.0)


def test_the_strongest_score_is_a_true_label() -> None:
    scores = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.4], [np.nan, np.nan]])
    truth = np.array([[0, 1], [0, 1], [0, 0], [1, 0]], bool)
    assert np.array_equal(strongest_is_true(scores, truth), [1, 0, np.nan, np.nan], equal_nan=True)


def test_a_clip_without_the_branch_is_left_out_of_score_changes() -> None:
    own, other = np.array([[0.9, 0.1], [np.nan, np.nan]]), np.array([[0.2, 0.6], [np.nan, np.nan]])
    values = _compare_scores(own, other, np.array([[1, 0], [1, 0]], bool))
    assert np.array_equal(values["first_label_changes"], [1, np.nan], equal_nan=True)
    assert np.array_equal(values["own"], [100, np.nan], equal_nan=True)
    assert values["control"][0] == 0 and values["score_change"][0] == pytest.approx(0.6)


# ------------------------------------------------------------------------------------------------ control attention
@pytest.mark.parametrize("how", CONTROL_WORDS)
def test_the_trained_attention_returns_after_a_control(
    model: EmotionModel, batch: Batch, how: ControlAttention
) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    configs = [cnn.config for cnn in sparse_cnns(model).values()]
    state = torch.random.get_rng_state()
    with torch.no_grad():
        prepared = model.prepare(batch)
        own = model.finish(prepared, 0.4, trace=True)
        with pytest.raises(KeyError), control_attention(model, 3, how, gate="hard"):
            other = model.finish(prepared, 0.4, trace=True)
            assert all(cnn.config.gate == "hard" for cnn in sparse_cnns(model).values())
            raise KeyError
    assert not torch.equal(own.layers["visual"][0].kept_SHW, other.layers["visual"][0].kept_SHW)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert [cnn.config for cnn in sparse_cnns(model).values()] == configs
    assert torch.equal(state, torch.random.get_rng_state())


def test_the_two_controls_draw_different_weights(model: EmotionModel) -> None:
    model = copy.deepcopy(model)
    trunk = {n: v.clone() for n, v in model.state_dict().items() if "attention" not in n}
    parameters = [p for cnn in sparse_cnns(model).values() for p in cnn.attention.parameters()]
    with torch.no_grad():
        for parameter in parameters:
            parameter.copy_(5 + 2 * torch.randn(parameter.shape))
    trained = [torch.std_mean(p.detach()) for p in parameters if p.numel() > 500]
    with control_attention(model, 1, "moment_matched"):
        drawn = [torch.std_mean(p.detach()) for p in parameters if p.numel() > 500]
    assert drawn and all(
        torch.allclose(a, b, rtol=0.2)
        for was, now in zip(trained, drawn, strict=True)
        for a, b in zip(was, now, strict=True)
    )
    with control_attention(model, 1):
        again = [p.detach().clone() for p in parameters]
        assert all(p.abs().max() <= 1 for p in parameters)  # uniform around 0, as nn.Linear starts
        bilinear = [a.bilinear for cnn in sparse_cnns(model).values() for a in cnn.attention if a.bilinear is not None]
        assert bilinear and not any(layer.weight.any() for layer in bilinear)
    with control_attention(model, 1):
        assert all(torch.equal(p, q) for p, q in zip(parameters, again, strict=True))
    assert all(torch.equal(model.state_dict()[n], v) for n, v in trunk.items())
