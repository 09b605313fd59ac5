"""Flip points: made-up clips whose answers are known at every p."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesm.errors import ConfigError
from mesm.records.prediction import Prediction
from mesm.studies.case.label_flip import GRID, flip_report


def clip(answer_at: Callable[[float], int]) -> Callable[[float], Prediction]:
    def run(p: float) -> Prediction:
        scores = np.full(3, 0.2)
        scores[answer_at(p)] = 0.9
        macs = {"conv_stack": round(1000 * p), "fe2e_conv_stack": 1000}
        return Prediction("c", ("anger", "fear", "sadness"), scores, np.full(3, 0.5), {}, {}, macs=macs)

    return run


@settings(max_examples=50, deadline=None)
@given(st.floats(0.06, 0.99))
def test_one_change_is_found_to_the_hundredth(at: float) -> None:
    report = flip_report(clip(lambda p: 2 if p >= at else 0))
    assert report.answer == "sadness"
    assert report.flip_p is not None and report.flip_p < at <= report.sufficient_p
    assert report.sufficient_p - report.flip_p <= 0.01 + 1e-6


def test_an_answer_that_never_changes() -> None:
    report = flip_report(clip(lambda p: 1))
    assert report.flip_p is None and report.sufficient_p == GRID[0]
    np.testing.assert_allclose(report.work, report.top_ps, atol=1e-3)


def test_an_answer_that_is_lost_and_found() -> None:
    """As at 1 below .2, another one between .2 and .6: a p below the flip is not sufficient, whatever it gives."""
    report = flip_report(clip(lambda p: 0 if 0.2 <= p < 0.6 else 1))
    assert 0.59 <= report.flip_p < 0.6 <= report.sufficient_p <= 0.61
    assert report.strongest[-1] == "fear" and "anger" in report.strongest


def test_one_is_always_looked_at_and_nonsense_refused() -> None:
    assert flip_report(clip(lambda p: 0), (0.5,)).top_ps.tolist() == [0.5, 1.0]
    with pytest.raises(ConfigError):
        flip_report(clip(lambda p: 0), (0.0, 0.5))
