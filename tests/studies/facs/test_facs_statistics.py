"""Intervals, permutations and discoveries against what is known of them."""

from __future__ import annotations

import numpy as np
import pytest

from mesm.studies.facs.chance_controls import other_clips_mean
from mesm.studies.facs.statistics import Speakers, false_discovery, shuffled_labels


def test_discoveries_of_the_published_example() -> None:
    """Benjamini & Hochberg 1995, section 4: at a rate of .05, four of their fifteen tests are discoveries."""
    p = np.array([0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240])
    p = np.concatenate([p, [0.4262, 0.5719, 0.6528, 0.7590, 1.0]])
    q = false_discovery(p)
    assert (q < 0.05).sum() == 4 and q[3] == pytest.approx(0.0095 * 15 / 4)
    assert (np.diff(q) >= 0).all() and q[-1] == 1
    mixed = false_discovery(np.array([[np.nan, 0.01], [0.5, 0.04]]))
    assert np.isnan(mixed[0, 0]) and mixed[0, 1] == pytest.approx(0.03)


def test_signs_of_few_speakers_are_all_tried() -> None:
    speakers = Speakers(np.repeat(["a", "b", "c"], 2))
    assert speakers.p_above(np.array([2.0, 2, 3, 3, 4, 4])) == pytest.approx(2 / 8)
    assert speakers.p_above(np.array([0.5, 1.5, 0.5, 1.5, 1, 1])) == 1
    assert np.isnan(Speakers(np.array(["a", "a"])).p_above(np.array([2.0, 3.0])))


def test_many_speakers_find_an_effect_and_no_other() -> None:
    rng = np.random.default_rng(0)
    names = np.repeat([f"s{i}" for i in range(30)], 4)
    own = np.repeat(rng.normal(0, 0.1, 30), 4)  # speakers differ, frames of one do not
    assert Speakers(names).p_above(1.1 + own) < 0.01
    assert Speakers(names).p_above(1.0 + own - own.mean()) > 0.5


def test_the_interval_is_over_speakers_not_frames() -> None:
    rng = np.random.default_rng(1)
    own = rng.normal(1, 0.2, 20)
    values = np.repeat(own, 50)
    found = Speakers(np.repeat(np.arange(20), 50).astype(str)).mean(values)
    assert found["value"] == pytest.approx(own.mean(), abs=1e-4)
    half = (found["high"] - found["low"]) / 2  # type: ignore[operator]
    assert half == pytest.approx(1.96 * own.std() / np.sqrt(20), rel=0.15)
    assert found["low"] < found["value"] < found["high"]  # type: ignore[operator]


def test_missing_frames_do_not_count() -> None:
    speakers = Speakers(np.array(["a", "a", "b", "b"]))
    assert speakers.mean(np.array([1.0, np.nan, 3.0, 2.0]))["value"] == 2.0
    assert speakers.mean(np.full(4, np.nan)) == {"value": None, "low": None, "high": None}
    alone = speakers.mean(np.array([1.0, 2.0, np.nan, np.nan]))
    assert alone["value"] == 1.5 and alone["low"] is None
    assert speakers.ratio(np.array([2.0, 4, 6, np.nan]), np.array([1.0, 2, np.nan, 5]))["value"] == 2.0


def test_a_frequent_class_counts_once() -> None:
    speakers = Speakers(np.array(list("aabbccdd")))
    frequent = np.array([1, 1, 1, 1, 1, 1, 0, 0], bool)
    hot = np.stack([frequent, ~frequent], 1)
    above = np.where(hot, np.array([2.0] * 6 + [6.0] * 2)[:, None], np.nan)
    found = speakers.balanced_quotient(above, np.where(hot, 2.0, np.nan))
    assert found["value"] == pytest.approx((2 + 6) / (2 + 2))
    one = speakers.balanced_quotient(above[:, :1], np.where(hot, 2.0, np.nan)[:, :1])
    assert one == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert speakers.balanced_quotient(above * np.nan, above)["value"] is None


def test_labels_that_matter_are_told_from_labels_that_do_not() -> None:
    rng = np.random.default_rng(2)
    shown = rng.random((60, 2)) < 0.4
    values = rng.normal(1, 0.1, (60, 2))
    values[:, 0] += 0.2 * shown[:, 0]
    both = np.stack([values, np.ones_like(values)]) * 3  # the second map is the same everywhere
    observed, null, p = shuffled_labels(both, np.full(both.shape, 3.0), shown, draws=400)
    assert observed[0, 0] == pytest.approx(values[shown[:, 0], 0].mean())
    assert null[0, 0] == pytest.approx(values[:, 0].mean(), abs=0.02)
    assert p[0, 0] < 0.01 < p[0, 1] and np.allclose(null[1], 1) and np.allclose(p[1], 1)
    never = shuffled_labels(both, np.ones(both.shape), np.zeros((60, 2), bool), draws=20)
    assert all(np.isnan(v).all() for v in never)


def test_the_centre_bias_map_leaves_the_clip_out() -> None:
    maps, clip = np.arange(12.0).reshape(4, 3), np.array([7, 7, 9, 3])
    found = other_clips_mean(maps, clip)
    assert np.allclose(found[0], maps[2:].mean(0)) and np.allclose(found[2], maps[[0, 1, 3]].mean(0))
    assert np.isnan(other_clips_mean(maps, np.zeros(4, int))).all()
