"""Seeds and differences from records that are made up, so that the answers are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mesm.studies.evaluation.comparison import check_only_seeds_differ, compare, over_seeds, scored_runs

from mesm.errors import ConfigError, DataError
from mesm.training import metrics

TRUTH = np.tile([[1, 0], [0, 1], [0, 0], [1, 1]], (10, 1))
IDS = [f"c{i:02d}" for i in range(40)]
SPEAKERS = [f"s{i // 5}" for i in range(40)]


def evaluation(wrong: int, seed: int = 0, order: np.ndarray | None = None) -> dict[str, Any]:
    """Data of an evaluation that gets `wrong` random answers wrong."""
    answers = TRUTH.copy().ravel()
    flipped = np.random.default_rng(seed).permutation(answers.size)[:wrong]
    answers[flipped] = 1 - answers[flipped]
    scores = answers.reshape(TRUTH.shape).astype(float)
    order = np.arange(40) if order is None else order
    summary = metrics.summarise(scores, TRUTH, np.full(2, 0.5), ("anger", "fear"))
    return {
        "split": "test", "top_p": 0.5, "labels": ["anger", "fear"], "clips": 40, "speakers": 8,
        "thresholds": [0.5, 0.5], "trivial": {}, "macs_ratio": 0.4, "interval": {}, **summary,
        "per_clip": {
            "id": [IDS[i] for i in order], "speaker": [SPEAKERS[i] for i in order],
            "scores": scores[order].tolist(), "truth": TRUTH[order].tolist(),
        },
    }  # fmt: skip


def test_seeds_are_a_mean_and_a_spread() -> None:
    found = [evaluation(4, 1), evaluation(8, 2), evaluation(12, 3)]
    data = over_seeds(found, ["a", "b", "c"], [0, 1, 2])
    values = [d["wacc"] for d in found]
    assert data["wacc"] == pytest.approx(np.mean(values), abs=1e-3)
    assert data["spread"]["wacc"] == pytest.approx(np.std(values, ddof=1), abs=1e-3)
    low, high = data["interval"]["wacc"]
    assert low < data["wacc"] < high
    assert [r["seed"] for r in data["runs"]] == [0, 1, 2]
    assert len(scored_runs(data).runs) == 3
    fear = [d["per_class"]["fear"]["f1"] for d in found]
    assert data["per_class"]["fear"]["f1"] == pytest.approx(np.mean(fear), abs=1e-3)


def test_a_difference_does_not_depend_on_the_order_of_the_clips() -> None:
    better, worse = evaluation(4, 1), evaluation(16, 2)
    turned = evaluation(16, 2, np.random.default_rng(0).permutation(40))
    data = compare(better, worse, ("a", "b"), draws=200)
    assert data["difference"]["wacc"]["difference"] == pytest.approx(better["wacc"] - worse["wacc"], abs=2e-3)
    assert compare(better, turned, ("a", "b"), draws=200)["difference"] == data["difference"]
    mirrored = compare(worse, better, ("b", "a"), draws=200)["difference"]["wacc"]
    assert mirrored["difference"] == -data["difference"]["wacc"]["difference"]
    assert mirrored["low"] == pytest.approx(-data["difference"]["wacc"]["high"])


def test_seeds_against_seeds() -> None:
    first = over_seeds([evaluation(4, 1), evaluation(4, 2)], ["a", "b"], [0, 1])
    second = over_seeds([evaluation(12, 3), evaluation(12, 4)], ["c", "d"], [0, 1])
    data = compare(first, second, draws=100)
    assert data["difference"]["f1"]["difference"] == pytest.approx(first["f1"] - second["f1"], abs=2e-3)
    assert data["first"]["runs"] == data["second"]["runs"] == 2


def test_what_cannot_be_compared() -> None:
    good, other = evaluation(4), evaluation(4)
    other["per_clip"]["id"] = ["x", *IDS[1:]]
    with pytest.raises(DataError, match="same clips"):
        compare(good, other)
    old = evaluation(4)
    del old["per_clip"]["speaker"]
    with pytest.raises(DataError, match="make it again"):
        compare(good, old)
    with pytest.raises(DataError, match="other labels"):
        compare(good, {**good, "labels": ["anger", "sadness"]})
    with pytest.raises(DataError, match="disagree about the labels"):
        compare(good, {**good, "per_clip": good["per_clip"] | {"truth": (1 - TRUTH).tolist()}})


def test_runs_of_two_models_are_not_seeds_of_one() -> None:
    same = {"width": 0.25, "lr": 1e-3, "seed": 0, "init_from": "a"}
    check_only_seeds_differ({"a": same, "b": same | {"seed": 1, "init_from": "b"}})
    with pytest.raises(ConfigError, match=r"a and b differ in lr \(0.001 and 0.01\)"):
        check_only_seeds_differ({"a": same, "b": same | {"lr": 1e-2}})
