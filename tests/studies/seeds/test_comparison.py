"""Seeds and differences from made-up evaluations, so that the answers are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesm.errors import ConfigError, DataError
from mesm.records.evaluation import ClipScores, Evaluation, class_scores_from, scores_from
from mesm.studies.seeds.comparison import average_over_seeds, check_only_seeds_differ, compare, scored_runs
from mesm.studies.seeds.tables import comparison_notes, comparison_table, seeds_table
from mesm.training import metrics
from tests.figures.exhibit_records import made_evaluation

LABELS = ("anger", "fear")
TRUTH = np.tile([[1, 0], [0, 1], [0, 0], [1, 1]], (10, 1))
IDS = [f"c{i:02d}" for i in range(40)]
SPEAKERS = [f"s{i // 5}" for i in range(40)]


def evaluation(wrong: int, seed: int = 0, order: np.ndarray | None = None) -> Evaluation:
    """An evaluation that gets `wrong` random answers wrong."""
    answers = TRUTH.copy().ravel()
    flipped = np.random.default_rng(seed).permutation(answers.size)[:wrong]
    answers[flipped] = 1 - answers[flipped]
    scores = answers.reshape(TRUTH.shape).astype(float)
    order = np.arange(40) if order is None else order
    summary = metrics.summarise(scores, TRUTH, np.full(2, 0.5), LABELS)
    clips = ClipScores(
        tuple(IDS[i] for i in order), tuple(SPEAKERS[i] for i in order), scores[order], TRUTH[order], np.zeros(0)
    )
    return replace(
        made_evaluation(), labels=LABELS, clips=40, speakers=8, thresholds=(0.5, 0.5), interval={}, trivial={},
        average=scores_from(summary), per_class=class_scores_from(summary["per_class"]), per_clip=clips,
    )  # fmt: skip


def wacc(data: Evaluation) -> float:
    assert data.average.wacc is not None
    return data.average.wacc


def test_seeds_are_a_mean_and_a_spread() -> None:
    runs = [evaluation(4, 1), evaluation(8, 2), evaluation(12, 3)]
    data = average_over_seeds(runs, ["a", "b", "c"], [0, 1, 2])
    assert data.average.wacc == pytest.approx(np.mean([wacc(run) for run in runs]), abs=1e-3)
    assert data.spread["wacc"] == pytest.approx(np.std([wacc(run) for run in runs], ddof=1), abs=1e-3)
    ends = data.interval["wacc"]
    assert ends.low < data.average.wacc < ends.high
    assert [(run.checkpoint, run.seed) for run in data.runs] == [("a", 0), ("b", 1), ("c", 2)]
    assert [run.average for run in data.runs] == [run.average for run in runs]
    assert len(scored_runs(data).runs) == data.seeds == 3
    fear = [run.per_class["fear"].f1 for run in runs]
    assert data.per_class["fear"].f1 == pytest.approx(np.mean([f for f in fear if f is not None]), abs=1e-3)
    assert data.per_class["fear"].positives == 20 and data.macs_ratio == 0.4
    rows = seeds_table(data).rows
    assert rows[3].cells[:3] == ("mean", None, data.average.wacc) and rows[4].cells[2] == data.spread["wacc"]


def test_one_run_has_no_spread() -> None:
    assert average_over_seeds([evaluation(4)], ["a"], [0]).spread == {}


def test_a_metric_that_one_run_lacks_has_no_mean() -> None:
    lacking = evaluation(4)
    lacking = replace(lacking, macs_ratio=None, average=replace(lacking.average, auc=None))
    data = average_over_seeds([evaluation(4, 1), lacking], ["a", "b"], [0, 1])
    assert data.average.auc is None and data.macs_ratio is None and "auc" not in data.spread


def test_a_difference_does_not_depend_on_the_order_of_the_clips() -> None:
    better, worse = evaluation(4, 1), evaluation(16, 2)
    turned = evaluation(16, 2, np.random.default_rng(0).permutation(40))
    data = compare(better, worse, ("a", "b"), draws=200)
    difference = data.difference["wacc"]
    assert difference.value == pytest.approx(wacc(better) - wacc(worse), abs=2e-3) and difference.value > 0
    assert difference.low <= difference.value <= difference.high and difference.share_better > 0.9
    assert compare(better, turned, ("a", "b"), draws=200).difference == data.difference
    mirrored = compare(worse, better, ("b", "a"), draws=200).difference["wacc"]
    assert mirrored.value == -difference.value
    assert mirrored.low == pytest.approx(-difference.high)
    rows = comparison_table(data).rows
    assert [row.cells[0] for row in rows[:2]] == ["a", "b"] and rows[2].cells[1] == f"{difference.value:+.2f}"


def test_a_difference_does_not_depend_on_the_order_of_the_labels() -> None:
    better, worse = evaluation(4, 1), evaluation(16, 2)
    clips = worse.per_clip
    turned = replace(
        worse, labels=LABELS[::-1], thresholds=worse.thresholds[::-1],
        per_clip=replace(clips, scores=clips.scores[:, ::-1], truth=clips.truth[:, ::-1]),
    )  # fmt: skip
    assert compare(better, turned, draws=100) == compare(better, worse, draws=100)


def test_an_emotion_that_one_model_does_not_decide_is_left_out_of_both() -> None:
    better, worse = evaluation(4, 1), replace(evaluation(16, 2), thresholds=(None, 0.5))
    data = compare(better, worse, ("a", "b"), draws=100)
    assert data.undecided == ("anger",) and data.labels == ("fear",)
    fear = [e.per_class["fear"].wacc for e in (better, worse)]
    assert [data.first.wacc, data.second.wacc] == fear
    assert data.difference["wacc"].value == pytest.approx(fear[0] - fear[1], abs=2e-3)
    assert "anger: left out of both sides" in comparison_notes(data)[0]
    none = compare(better, replace(worse, thresholds=(None, None)), draws=20)
    assert none.difference["wacc"].value is None and none.first.wacc is None and none.labels == ()


def test_equal_models_and_few_speakers_are_told_apart() -> None:
    same = compare(evaluation(4, 1), evaluation(4, 1), draws=50)
    assert same.difference["f1"].share_better is None and "no draw differs" in comparison_notes(same)[0]
    few = replace(evaluation(4, 1), per_clip=replace(evaluation(4, 1).per_clip, speakers=("s0", "s1") * 20))
    data = compare(few, few, draws=50)
    assert data.difference["wacc"].low is None and data.difference["wacc"].share_better is None
    assert comparison_notes(data) == ("no intervals: 2 speakers, and fewer than 8 give none",)
    assert comparison_table(data).to_text()


def test_labels_in_another_order_are_compared_by_name() -> None:
    first, second = evaluation(4, 1), evaluation(16, 2)
    first, second = replace(first, thresholds=(0.5, 2.0)), replace(second, thresholds=(2.0, 0.5))
    clips = second.per_clip
    turned = replace(
        second, labels=LABELS[::-1], thresholds=second.thresholds[::-1],
        per_clip=replace(clips, scores=clips.scores[:, ::-1], truth=clips.truth[:, ::-1]),
    )  # fmt: skip
    assert compare(first, turned, draws=50).difference == compare(first, second, draws=50).difference
    assert compare(first, turned, draws=50).labels == LABELS


def test_seeds_against_seeds() -> None:
    first = average_over_seeds([evaluation(4, 1), evaluation(4, 2)], ["a", "b"], [0, 1])
    second = average_over_seeds([evaluation(12, 3), evaluation(12, 4)], ["c", "d"], [0, 1])
    data = compare(first, second, draws=100)
    assert first.average.f1 is not None and second.average.f1 is not None
    assert data.difference["f1"].value == pytest.approx(first.average.f1 - second.average.f1, abs=2e-3)
    assert data.first.runs == data.second.runs == 2


def test_what_cannot_be_compared() -> None:
    good = evaluation(4)
    clips = good.per_clip
    with pytest.raises(DataError, match="same clips"):
        compare(good, replace(good, per_clip=replace(clips, ids=("x", *IDS[1:]))))
    with pytest.raises(DataError, match="other labels"):
        compare(good, replace(good, labels=("anger", "sadness")))
    with pytest.raises(DataError, match="disagree about the labels"):
        compare(good, replace(good, per_clip=replace(clips, truth=1 - TRUTH)))


def test_runs_of_two_models_are_not_seeds_of_one() -> None:
    same = {"width": 0.25, "lr": 1e-3, "seed": 0, "init_from": "a"}
    check_only_seeds_differ({"a": same, "b": same | {"seed": 1, "init_from": "b"}})
    with pytest.raises(ConfigError, match=r"a and b differ in lr \(0.001 and 0.01\)"):
        check_only_seeds_differ({"a": same, "b": same | {"lr": 1e-2}})
