"""Measures against plain loops, against Quantus where it is installed, and by what must hold for any map."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesm import statistics
from mesm.studies.facs import agreement

MAPS = np.random.default_rng(3).random((6, 36)).astype(np.float32)
MASKS = np.random.default_rng(4).random((6, 36)) < 0.3
REGIONS = np.random.default_rng(5).random((6, 36)).astype(np.float32) ** 3


def test_binary_regions_against_the_published_formulas() -> None:
    """Arras et al. 2022 and Zhang et al. 2018 as loops over cells."""
    region = MASKS.astype(np.float32)
    for f in range(len(MAPS)):
        inside = [float(a) for a, m in zip(MAPS[f], MASKS[f], strict=True) if m]
        outside = [float(a) for a, m in zip(MAPS[f], MASKS[f], strict=True) if not m]
        top = sorted(range(36), key=lambda i: -MAPS[f][i])[: len(inside)]
        assert agreement.relevance_mass(MAPS, region)[f] == pytest.approx(sum(inside) / float(MAPS[f].sum()), rel=1e-5)
        assert agreement.rank_accuracy(MAPS, region)[f] == pytest.approx(sum(MASKS[f][i] for i in top) / len(inside))
        assert agreement.pointing(MAPS, region)[f] == float(MASKS[f][int(MAPS[f].argmax())])
        wins = np.mean([(a > b) + 0.5 * (a == b) for a in inside for b in outside])
        assert statistics.auc(MAPS, region)[f] == pytest.approx(wins, abs=1e-6)
        z = (np.array(inside) - MAPS[f].mean()) / MAPS[f].std()
        assert agreement.nss(MAPS, region)[f] == pytest.approx(z.mean(), abs=1e-4)
        expected = sum(inside) / float(MAPS[f].sum()) / (len(inside) / 36)
        assert agreement.lift(MAPS, region)[f] == pytest.approx(expected, rel=1e-5)


def test_the_same_as_quantus_where_definitions_coincide() -> None:
    """For binary regions and maps without ties; not a requirement of the project, because it brings OpenCV."""
    quantus = pytest.importorskip("quantus")
    a, s = MAPS.reshape(6, 1, 6, 6), MASKS.reshape(6, 1, 6, 6)
    region = MASKS.astype(np.float32)
    pairs = (
        (quantus.RelevanceMassAccuracy, agreement.relevance_mass),
        (quantus.RelevanceRankAccuracy, agreement.rank_accuracy),
        (quantus.PointingGame, agreement.pointing),
        (quantus.AUC, statistics.auc),
    )
    for metric, own in pairs:
        theirs = metric(disable_warnings=True, abs=False, normalise=False).evaluate_batch(a_batch=a, s_batch=s)
        assert np.allclose(np.asarray(theirs, float), own(MAPS, region), atol=1e-5), metric


def test_partial_coverage_counts_partly() -> None:
    """A cell that is half covered is half in and half out: the same as two half cells."""
    fine_map = np.repeat(MAPS, 2, axis=1) / 2
    fine_region = np.stack([np.ones_like(MASKS), np.zeros_like(MASKS)], 2).reshape(6, -1).astype(np.float32)
    half = np.full_like(MAPS, 0.5)
    assert np.allclose(statistics.auc(MAPS, half), statistics.auc(fine_map, fine_region))
    assert np.allclose(agreement.relevance_mass(MAPS, half), agreement.relevance_mass(fine_map, fine_region), atol=1e-6)
    assert np.allclose(statistics.auc(MAPS, half), 0.5)


@given(st.integers(0, 2**31 - 1))
@settings(max_examples=30, deadline=None)
def test_a_flat_map_is_at_chance(seed: int) -> None:
    rng = np.random.default_rng(seed)
    region = (rng.random((2, 36)) ** 2 * (rng.random((2, 36)) < 0.5)).astype(np.float32)
    region[:, 0] = 1.0
    active, head = rng.random((2, 36)) < 0.8, np.maximum(region, rng.random((2, 36))).astype(np.float32)
    active[:, 0] = True
    flat = np.ones((2, 36), np.float32)
    for kind in ("kept", "attention"):
        found = agreement.measures(kind, flat, region, active, head)
        for name in ("lift", "lift_sites", "lift_head"):
            assert np.allclose(found[name], 1, atol=1e-5)
    assert np.allclose(statistics.auc(flat, region), 0.5) and np.isnan(agreement.nss(flat, region)).all()
    assert np.allclose(agreement.iou(flat, region), agreement.iou_chance(flat, region), atol=1e-6)


@given(st.integers(0, 2**31 - 1), st.floats(0.01, 100))
@settings(max_examples=30, deadline=None)
def test_the_size_of_a_map_does_not_matter(seed: int, factor: float) -> None:
    rng = np.random.default_rng(seed)
    map_, region = rng.random((1, 36)).astype(np.float32), rng.random((1, 36)).astype(np.float32)
    one, ones = np.ones((1, 36), bool), np.ones((1, 36), np.float32)
    first = agreement.measures("attention", map_, region, one, ones)
    second = agreement.measures("attention", np.float32(factor) * map_, region, one, ones)
    assert all(np.allclose(first[name], second[name], rtol=1e-3, atol=1e-4) for name in first)
    assert np.allclose(first["lift"], first["lift_sites"], atol=1e-5) and 0 <= first["auc"][0] <= 1


def test_a_perfect_map_has_the_largest_values() -> None:
    region = MASKS.astype(np.float32)
    found = agreement.measures("kept", region, region, np.ones_like(MASKS), np.ones_like(region))
    assert np.allclose(found["lift"], 1 / MASKS.mean(1)) and np.allclose(found["iou"], 1)
    ranked = agreement.measures("attention", region, region, np.ones_like(MASKS), np.ones_like(region))
    assert np.allclose(ranked["auc"], 1) and np.allclose(ranked["rank_accuracy"], 1)
    assert np.allclose(agreement.rank_accuracy(REGIONS, REGIONS), 1)


def test_an_empty_region_says_nothing() -> None:
    none = np.zeros_like(MAPS)
    for kind in ("kept", "attention"):
        found = agreement.measures(kind, MAPS, none, np.ones_like(MASKS), np.ones_like(MAPS))
        assert all(np.isnan(v).all() for v in found.values())


def test_chance_over_the_head_forgets_what_lies_beside_it() -> None:
    region, head = np.zeros((1, 36), np.float32), np.zeros((1, 36), np.float32)
    region[0, :4], head[0, :12] = 1, 1
    on_head = head.copy()
    assert agreement.lift(on_head, region)[0] == pytest.approx(3)
    assert agreement.lift_within(on_head, region, head)[0] == pytest.approx(1)
