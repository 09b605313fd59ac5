"""Intervals, permutation tests, false discoveries and AUC against hand-computed numbers, scipy and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from sklearn.metrics import roc_auc_score

from mesm.estimate import Estimate
from mesm.statistics import (
    MIN_SPEAKERS,
    UNDEFINED,
    Speakers,
    auc,
    false_discovery,
    percentile_estimate,
    rounded,
    shuffled_label_test,
    sign_flip_p,
    wilson_interval,
)

TEN = np.arange(10)
values_of_ten = arrays(np.float64, 30, elements=st.one_of(st.floats(-5, 5), st.just(np.nan)))


def width(estimate: Estimate) -> float:
    assert estimate.low is not None and estimate.high is not None
    return estimate.high - estimate.low


# ------------------------------------------------------------------------------------------------------- intervals
def test_resamples_draw_whole_speakers() -> None:
    for by_index in (False, True):
        speakers = Speakers(np.repeat(TEN, 3), 500, by_index=by_index)
        assert speakers.times.shape == (500, 10) and (speakers.times.sum(1) == 10).all()
        assert speakers.times.mean() == 1 and speakers.times.var() == pytest.approx(0.9, abs=0.06)


def test_the_interval_is_over_speakers_not_rows() -> None:
    own = np.random.default_rng(1).normal(1, 0.2, 20)
    few = Speakers(np.repeat(np.arange(20), 50)).mean(np.repeat(own, 50))
    assert few.value == pytest.approx(own.mean(), abs=1e-4)
    assert width(few) == pytest.approx(2 * 1.96 * own.std() / np.sqrt(20), rel=0.15)
    assert width(Speakers(np.arange(1000)).mean(np.repeat(own, 50))) < 0.3 * width(few)


def test_the_interval_is_scipys_bootstrap() -> None:
    values = np.random.default_rng(2).gamma(2, 1, 40)
    found = Speakers(np.arange(40), 4000).mean(values)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=4000, method="percentile", rng=0).confidence_interval
    assert found.low == pytest.approx(theirs.low, abs=0.04) and found.high == pytest.approx(theirs.high, abs=0.04)


@settings(max_examples=50)
@given(values_of_ten, st.integers(0, 5))
def test_the_interval_holds_the_mean_of_the_sample(values: np.ndarray, seed: int) -> None:
    found = Speakers(np.arange(30), 200, seed).mean(values)
    known = values[~np.isnan(values)]
    if not len(known):
        assert found == UNDEFINED
    else:
        assert found.value == pytest.approx(known.mean(), abs=6e-5)
        if found.low is not None:
            assert found.low <= found.value + 1e-4 and found.value - 1e-4 <= found.high  # type: ignore[operator]


@settings(max_examples=30)
@given(values_of_ten, st.permutations(range(10)))
def test_the_order_of_rows_changes_nothing(values: np.ndarray, order: list[int]) -> None:
    names = np.repeat(TEN, 3)
    rows = np.concatenate([np.flatnonzero(names == g) for g in order])
    renamed = np.array([f"speaker {g}" for g in names])
    plain = Speakers(names, 100).mean(values)
    assert Speakers(names[rows], 100).mean(values[rows]) == plain
    assert Speakers(renamed, 100).mean(values) == plain  # the new names sort as the old ones


def test_rows_without_a_value_do_not_count() -> None:
    values = np.where(TEN < 8, 2.0, np.nan)
    assert Speakers(TEN).mean(values) == Estimate(2.0, 2.0, 2.0)
    assert Speakers(TEN).mean(np.full(10, np.nan)) == UNDEFINED
    assert Speakers(np.array([], str)).mean(np.array([])) == UNDEFINED
    above, below = np.array([2.0, 4, 6, np.nan]), np.array([1.0, 2, np.nan, 5])
    assert Speakers(np.array(list("aabb"))).ratio(above, below) == Estimate(2.0, None, None)
    assert Speakers(TEN).ratio(np.ones(10), np.zeros(10)) == UNDEFINED


def test_few_speakers_have_no_interval() -> None:
    for count in (1, MIN_SPEAKERS - 1, MIN_SPEAKERS):
        found = Speakers(np.repeat(np.arange(count), 4)).mean(np.arange(4.0 * count))
        assert found.value is not None and (found.low is None) == (found.high is None) == (count < MIN_SPEAKERS)
    # Speakers without a value do not make up for those that are missing.
    assert Speakers(TEN).mean(np.where(TEN < MIN_SPEAKERS - 1, 1.0, np.nan)) == Estimate(1.0, None, None)


def test_a_ratio_is_that_of_the_sums() -> None:
    above, below = np.arange(10.0), np.arange(10.0) + 1
    found = Speakers(TEN).ratio(above, below)
    assert found.value == round(45 / 55, 4) and found.low < found.value < found.high  # type: ignore[operator]
    assert Speakers(TEN).ratio(np.full(10, 3.0), np.full(10, 2.0)) == Estimate(1.5, 1.5, 1.5)


def test_a_frequent_class_counts_once() -> None:
    speakers = Speakers(np.repeat(TEN, 2))
    frequent = np.repeat(TEN < 8, 2)
    hot = np.stack([frequent, ~frequent], 1)
    above = np.where(hot, np.where(frequent, 2.0, 6.0)[:, None], np.nan)
    below = np.where(hot, 2.0, np.nan)
    assert speakers.class_balanced_ratio(above, below).value == pytest.approx((2 + 6) / (2 + 2))
    assert speakers.class_balanced_ratio(above[:, :1], below[:, :1]) == Estimate(1.0, 1.0, 1.0)
    assert speakers.class_balanced_ratio(above * np.nan, above) == UNDEFINED


def test_resamples_without_a_value_are_left_out() -> None:
    assert percentile_estimate(1.0, np.array([np.nan, 1, 1, np.inf]), 9) == Estimate(1.0, 1.0, 1.0)
    assert percentile_estimate(1.0, np.full(4, np.nan), 9) == Estimate(1.0, None, None)
    assert percentile_estimate(np.nan, np.ones(4), 9) == UNDEFINED
    assert percentile_estimate(1.0, np.ones(4), MIN_SPEAKERS - 1) == Estimate(1.0, None, None)


def test_one_rule_for_rounding() -> None:
    assert rounded(0.123456) == 0.1235 and rounded(12.3456, 2) == 12.35
    assert rounded(np.nan) is None and rounded(-np.inf) is None and str(rounded(-1e-9)) == "0.0"


# ------------------------------------------------------------------------------------------------------------- AUC
def test_auc_is_scikit_learns_with_ties_and_weights() -> None:
    rng = np.random.default_rng(0)
    scores, positive = rng.integers(0, 6, (5, 80)) / 5, rng.random((5, 80)) < 0.3
    theirs = [roc_auc_score(p, s) for s, p in zip(scores, positive, strict=True)]
    assert np.allclose(auc(scores, positive), theirs)
    share = rng.random((5, 80)).round(1)
    both = [
        roc_auc_score(np.r_[np.ones(80), np.zeros(80)], np.r_[s, s], sample_weight=np.r_[w, 1 - w])
        for s, w in zip(scores, share, strict=True)
    ]
    assert np.allclose(auc(scores, share), both)


def test_auc_needs_both_answers() -> None:
    assert np.isnan(auc(np.random.default_rng(0).random((2, 5)), np.array([[1] * 5, [0] * 5]))).all()
    assert auc(np.array([[0.1, 0.4, 0.35, 0.8]]), np.array([[0, 0, 1, 1]]))[0] == 0.75


def test_the_bootstrap_of_auc_is_scikit_learns() -> None:
    rng = np.random.default_rng(1)
    names = np.repeat(np.arange(12), 8)
    positive = rng.random((96, 3)) < 0.4
    scores = (rng.random((96, 3)) + 0.4 * positive).round(1)
    speakers = Speakers(names, 60)
    mean, each = speakers.mean_auc(scores, positive)
    assert each == [round(roc_auc_score(positive[:, e], scores[:, e]), 4) for e in range(3)]
    drawn = [
        np.mean([roc_auc_score(positive[:, e], scores[:, e], sample_weight=w) for e in range(3)])
        for w in speakers.times[:, speakers.member]
    ]
    assert mean == percentile_estimate(float(np.mean(each)), np.array(drawn), 12)  # type: ignore[arg-type]


def test_a_class_without_positives_is_left_out_of_the_mean() -> None:
    scores, positive = np.random.default_rng(0).random((40, 2)), np.zeros((40, 2), bool)
    positive[::3, 0] = True
    mean, each = Speakers(np.arange(40), 50).mean_auc(scores, positive)
    assert each[1] is None and mean.value == each[0] and width(mean) > 0
    assert Speakers(np.arange(40), 50).mean_auc(scores, positive & False) == (UNDEFINED, [None, None])


# ------------------------------------------------------------------------------------------------ tests and shares
def test_discoveries_of_the_published_example() -> None:
    """Benjamini & Hochberg 1995, section 4: at a rate of .05, four of their fifteen tests are discoveries."""
    p = np.array([0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240])
    p = np.concatenate([p, [0.4262, 0.5719, 0.6528, 0.7590, 1.0]])
    q = false_discovery(p)
    assert (q < 0.05).sum() == 4 and q[3] == pytest.approx(0.0095 * 15 / 4)
    assert (np.diff(q) >= 0).all() and q[-1] == 1
    mixed = false_discovery(np.array([[np.nan, 0.01], [0.5, 0.04]]))
    assert np.isnan(mixed[0, 0]) and mixed[0, 1] == pytest.approx(0.03)
    assert np.isnan(false_discovery(np.array([np.nan]))).all()


def test_signs_of_few_speakers_are_all_tried() -> None:
    speakers = Speakers(np.repeat(["a", "b", "c"], 2))
    assert speakers.sign_flip_p(np.array([2.0, 2, 3, 3, 4, 4])) == pytest.approx(2 / 8)
    assert speakers.sign_flip_p(np.array([0.5, 1.5, 0.5, 1.5, 1, 1])) == 1
    assert np.isnan(Speakers(np.array(["a", "a"])).sign_flip_p(np.array([2.0, 3.0])))


def test_flipped_signs_are_scipys_permutation_test() -> None:
    departure = np.random.default_rng(3).normal(0.3, 1, 9)
    theirs = stats.permutation_test((departure,), np.sum, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip_p(departure[:, None])[0] == pytest.approx(theirs.pvalue)


@settings(max_examples=40)
@given(st.integers(2, 30), st.integers(0, 1000))
def test_p_lies_above_0_and_at_most_at_1(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = sign_flip_p(rng.normal(0, 1, (count, 3)) + np.array([0, 3, 100]), draws=99, seed=seed)
    assert ((p > 0) & (p <= 1)).all()
    sums, shown = rng.normal(0, 1, (2, count, 3)), rng.random((count, 3)) < 0.5
    sums += 100 * shown
    *_, p = shuffled_label_test(sums, np.ones_like(sums), shown, draws=49, seed=seed)
    assert ((p > 0) & (p <= 1) | np.isnan(p)).all()


def test_many_speakers_show_an_effect_and_no_other() -> None:
    rng = np.random.default_rng(0)
    names = np.repeat([f"s{i}" for i in range(30)], 4)
    own = np.repeat(rng.normal(0, 0.1, 30), 4)  # speakers differ, frames of one do not
    assert Speakers(names).sign_flip_p(1.1 + own) == pytest.approx(1 / 1001)
    assert Speakers(names).sign_flip_p(1.0 + own - own.mean()) > 0.5


def test_labels_that_matter_are_told_from_labels_that_do_not() -> None:
    rng = np.random.default_rng(2)
    shown = rng.random((60, 2)) < 0.4
    values = rng.normal(1, 0.1, (60, 2))
    values[:, 0] += 0.2 * shown[:, 0]
    both = np.stack([values, np.ones_like(values)]) * 3  # the second map is the same everywhere
    observed, null, p = shuffled_label_test(both, np.full(both.shape, 3.0), shown, draws=400)
    assert observed[0, 0] == pytest.approx(values[shown[:, 0], 0].mean())
    assert null[0, 0] == pytest.approx(values[:, 0].mean(), abs=0.02)
    assert p[0, 0] == pytest.approx(1 / 401) and p[0, 1] > 0.01 and np.allclose(null[1], 1) and np.allclose(p[1], 1)
    never = shuffled_label_test(both, np.ones(both.shape), np.zeros((60, 2), bool), draws=20)
    assert all(np.isnan(v).all() for v in never)


@given(st.integers(1, 400), st.data())
def test_wilsons_interval_holds_the_share(trials: int, data: st.DataObject) -> None:
    successes = data.draw(st.integers(0, trials))
    low, high = wilson_interval(successes, trials)
    assert 0 <= low <= successes / trials + 1e-12 and successes / trials - 1e-12 <= high <= 1


def test_wilsons_published_example() -> None:
    assert wilson_interval(10, 100) == pytest.approx((0.0552, 0.1744), abs=1e-4)
    assert wilson_interval(0, 0) == (0, 1)
