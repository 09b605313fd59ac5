"""Metrics against tables worked by hand and against other definitions."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mesm.records.evaluation import intervals_from
from mesm.records.store import RecordStore
from mesm.runtime import assets
from mesm.studies.seeds.comparison import scored_runs
from mesm.training import metrics


def test_hand_worked_table() -> None:
    # Ten clips: 3 of 4 positives found, 1 of 6 negatives wrongly: TP 3, FN 1, FP 1, TN 5.
    truth = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])[:, None]
    decided = np.array([1, 1, 1, 0, 1, 0, 0, 0, 0, 0])[:, None]
    c = metrics.count(decided, truth)
    assert [c.tp[0], c.fp[0], c.tn[0], c.fn[0]] == [3, 1, 5, 1]
    assert metrics.accuracy(c)[0] == pytest.approx(80)
    # The paper's form: (TP * N / P + TN) / 2N = (3 * 6 / 4 + 5) / 12.
    assert metrics.weighted_accuracy(c)[0] == pytest.approx(100 * (3 * 6 / 4 + 5) / 12)
    assert metrics.binary_f1(c)[0] == pytest.approx(100 * 6 / 8)
    assert metrics.weighted_f1(c)[0] == pytest.approx(0.4 * 75 + 0.6 * 100 * 10 / 12)


def test_auc_by_counting_pairs() -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 5, (40, 3)) / 4
    truth = rng.integers(0, 2, (40, 3))
    for e in range(3):
        p, q = scores[truth[:, e] == 1, e], scores[truth[:, e] == 0, e]
        pairs = (p[:, None] > q[None]).mean() + 0.5 * (p[:, None] == q[None]).mean()
        assert metrics.auc(scores, truth)[e] == pytest.approx(100 * pairs)


def test_trivial_rows() -> None:
    truth = np.zeros((100, 2))
    truth[:20, 0] = 1
    truth[:50, 1] = 1
    rows = metrics.trivial_rows(truth, ("anger", "fear"))
    assert rows["never"]["accuracy"] == pytest.approx(65) and rows["never"]["wacc"] == pytest.approx(50)
    assert rows["always"]["f1"] == pytest.approx((100 * 40 / 120 + 100 * 100 / 150) / 2, abs=1e-3)
    assert rows["chance"]["wacc"] == pytest.approx(50)
    assert rows["chance"]["f1"] == pytest.approx((20 + 50) / 2)


def test_a_class_without_positives_has_no_wacc() -> None:
    summary = metrics.summarise(
        np.full((5, 2), 0.7), np.array([[0, 1]] * 4 + [[0, 0]]), np.full(2, 0.5), ("anger", "fear")
    )
    assert summary["per_class"]["anger"]["wacc"] is None
    assert summary["wacc"] == summary["per_class"]["fear"]["wacc"] == pytest.approx(50)


@given(arrays(np.float64, (30, 2), elements=st.floats(0, 1)), arrays(np.int64, (30, 2), elements=st.integers(0, 1)))
def test_no_threshold_beats_the_chosen_one(scores: np.ndarray, truth: np.ndarray) -> None:
    thresholds = metrics.choose_thresholds(scores, truth)
    best = metrics.binary_f1(metrics.count(metrics.decide(scores, thresholds), truth))
    for e in np.flatnonzero(np.isfinite(thresholds)):
        for t in metrics.THRESHOLDS:
            assert best[e] >= metrics.binary_f1(metrics.count(scores >= t, truth))[e] - 1e-9


@pytest.mark.parametrize(
    ("scores", "truth"),
    [([0.9, 0.1, 0.5], [0, 0, 0]), ([0.9, 0.1, 0.5], [1, 1, 1]), ([0.3, 0.3, 0.3], [1, 0, 1]),
     ([0.04, 0.01, 0.9], [1, 1, 0]), ([0.7], [1]), ([], [])],
    ids=["no positives", "no negatives", "one score", "positives below every threshold", "one clip", "no clip"],
)  # fmt: skip
def test_a_class_that_validation_cannot_decide_has_no_decision(scores: list[float], truth: list[int]) -> None:
    # Beside it a class that can be decided, which is not changed by its neighbour.
    usual = [0.9, 0.1, 0.5][: len(scores)]
    both, truths = np.array([scores, usual]).T, np.array([truth, [1, 0, 0][: len(truth)]]).T
    thresholds = metrics.choose_thresholds(both, truths)
    assert np.isnan(thresholds[0]) and (len(scores) < 3 or thresholds[1] == pytest.approx(0.55))
    summary = metrics.summarise(np.full((4, 2), 0.95), np.array([[1, 1], [0, 0]] * 2), thresholds, ("anger", "fear"))
    undecided = summary["per_class"]["anger"]
    assert [undecided[m] for m in ("accuracy", "wacc", "f1", "weighted_f1")] == [None] * 4 and undecided["auc"] == 50
    assert summary["wacc"] == summary["per_class"]["fear"]["wacc"]
    decided = metrics.decide(np.full((4, 2), 0.95), thresholds)
    assert np.isnan(decided[:, 0]).all()


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(0, 12), st.integers(1, 3), st.integers(1, 12))
def test_every_result_is_finite_or_none_and_survives_json(
    data: st.DataObject, clips: int, classes: int, speakers: int
) -> None:
    few = st.sampled_from([0.0, 0.04, 0.3, 0.5, 1.0]) | st.floats(0, 1)
    scores, other = (data.draw(arrays(np.float64, (clips, classes), elements=few)) for _ in range(2))
    truth = data.draw(arrays(np.int64, (clips, classes), elements=st.integers(0, 1)))
    groups, labels = np.arange(clips) % speakers, ("anger", "fear", "joy")[:classes]
    thresholds = metrics.choose_thresholds(scores[: clips // 2], truth[: clips // 2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        summary = metrics.summarise(scores, truth, thresholds, labels)
        trivial = metrics.trivial_rows(truth, labels)
        means = metrics.mean_estimates([(scores, thresholds)], truth, groups, draws=20)
        pairs = metrics.paired_estimates([(scores, thresholds)], [(other, thresholds)], truth, groups, draws=20)
    content = [
        summary,
        trivial,
        {k: vars(v) for k, v in means.items()},
        {k: [vars(v), s] for k, (v, s) in pairs.items()},
    ]
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    decided_E = np.isfinite(thresholds)
    both_E = (truth.sum(0) > 0) & (truth.sum(0) < clips)
    for e, label in enumerate(labels):
        row = summary["per_class"][label]
        assert (row["auc"] is not None) == bool(both_E[e])
        assert (row["wacc"] is not None) == bool(both_E[e] and decided_E[e])
        assert (row["f1"] is not None) == bool(truth[:, e].any() and decided_E[e])
    assert (summary["wacc"] is not None) == bool((both_E & decided_E).any())
    assert means["wacc"].value is None or means["wacc"].value == pytest.approx(summary["wacc"], abs=0.01)
    if len(set(groups)) < 8:
        assert all(e.low is None and e.high is None for e in means.values())
        assert all(e.low is None and share is None for e, share in pairs.values())


def test_identical_models_have_no_better_one() -> None:
    truth, groups = np.tile([[1], [0]], (45, 1)), np.arange(90) % 9
    run = (np.random.default_rng(0).random((90, 1)), np.array([0.5]))
    for difference, share in metrics.paired_estimates([run], [run], truth, groups, draws=50).values():
        assert difference.value == difference.low == difference.high == 0 and share is None


def test_intervals_resample_whole_speakers() -> None:
    # Ten speakers, half all right and half all wrong: resampling clips instead would be far narrower.
    truth = np.tile([[1], [0]], (50, 1))
    scores = np.where(np.arange(100)[:, None] < 50, truth, 1 - truth).astype(float)
    runs = [(scores, np.array([0.5]))]
    by_speaker = metrics.mean_estimates(runs, truth, np.repeat(np.arange(10), 10), draws=400)["accuracy"]
    by_clip = metrics.mean_estimates(runs, truth, np.arange(100), draws=400)["accuracy"]
    assert by_speaker.value == by_clip.value == 50
    assert by_speaker.low in (10, 20) and by_speaker.high in (80, 90)
    assert by_clip.low is not None and by_clip.low > 35


def test_estimates_are_the_metrics_with_their_intervals() -> None:
    rng = np.random.default_rng(2)
    truth, groups = rng.integers(0, 2, (90, 2)), np.repeat(np.arange(9), 10)
    runs = [(np.where(rng.random((90, 2)) < 0.8, truth, 1 - truth).astype(float), np.full(2, 0.5)) for _ in range(2)]
    means = metrics.mean_estimates(runs, truth, groups, draws=200)
    each = [metrics.summarise(*run[:1], truth, run[1], ("anger", "fear")) for run in runs]
    for name, estimate in means.items():
        assert estimate.value == pytest.approx(np.mean([summary[name] for summary in each]), abs=0.01)
        assert estimate.low is not None and estimate.high is not None and estimate.low < estimate.high
    difference, _ = metrics.paired_estimates(runs[:1], runs[1:], truth, groups, draws=200)["f1"]
    assert difference.value == pytest.approx(each[0]["f1"] - each[1]["f1"], abs=0.002)


def test_fewer_than_eight_speakers_have_no_interval() -> None:
    truth, groups = np.tile([[1], [0]], (45, 1)), np.arange(90) % 7
    run = (truth * 0.9, np.array([0.5]))
    few = metrics.mean_estimates([run], truth, groups, draws=50)
    assert few["wacc"].value == 100 and intervals_from(few) == {}
    difference, _ = metrics.paired_estimates([run], [run], truth, groups, draws=50)["f1"]
    assert difference.value == 0 and difference.low is difference.high is None


@pytest.mark.parametrize("checkpoint", ["marionette-mesm", "marionette-fe2e"])
def test_shipped_intervals_are_those_of_their_clips(checkpoint: str) -> None:
    for kind in ("evaluate", "seeds"):
        for record in RecordStore([assets() / "records"]).find(kind, checkpoint=checkpoint):
            runs = scored_runs(record.data)
            assert len(set(runs.speakers_N)) == 50
            estimates = metrics.mean_estimates(runs.runs, runs.truth_NE, runs.speakers_N)
            for metric, ends in record.data.interval.items():
                # Records keep scores with four decimals: at most a clip at its threshold is decided otherwise.
                assert estimates[metric].low == pytest.approx(ends.low, abs=0.02)
                assert estimates[metric].high == pytest.approx(ends.high, abs=0.02)


def test_a_paired_difference_is_sharper_than_two_intervals() -> None:
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(20), 10)
    hard = rng.random(20)[groups]  # speakers differ far more than the models do
    truth = rng.integers(0, 2, (200, 1))
    wrong = rng.random(200) < 0.7 * hard
    worse = wrong | (rng.random(200) < 0.1)
    scores = [np.where(w[:, None], 1 - truth, truth).astype(float) for w in (wrong, worse)]
    first, second = [(scores[0], np.array([0.5]))], [(scores[1], np.array([0.5]))]
    paired, share = metrics.paired_estimates(first, second, truth, groups, draws=300)["wacc"]
    alone = metrics.mean_estimates(first, truth, groups, draws=300)["wacc"]
    ends = (paired.low, paired.value, paired.high, alone.low, alone.high)
    low, value, high, alone_low, alone_high = (end if end is not None else np.nan for end in ends)
    assert 0 < low < value < high and share > 0.95
    assert high - low < 0.7 * (alone_high - alone_low)
    same, _ = metrics.paired_estimates(first, first, truth, groups, draws=50)["f1"]
    assert same.low == same.high == same.value == 0


def test_over_seeds() -> None:
    found = metrics.over_seeds([{"f1": 50.0, "n": 3}, {"f1": 54.0, "n": 3}])
    assert found == {"f1": {"mean": 52.0, "spread": 2.828, "seeds": 2}}
