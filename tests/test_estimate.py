"""Numbers in words, and the negative of an estimate."""

from __future__ import annotations

from mesm.estimate import Estimate, counted, decimal_text, listed


def test_one_thing_has_no_plural() -> None:
    assert [counted(n, "clip") for n in (0, 1, 2)] == ["0 clips", "1 clip", "2 clips"]


def test_names_are_listed_as_in_a_sentence() -> None:
    assert [listed(list(names)) for names in ("", "a", "ab", "abc")] == ["", "a", "a and b", "a, b and c"]


def test_zero_has_no_sign() -> None:
    assert [decimal_text(x, 1, sign=True) for x in (-0.03, 0.04, 0.05, -0.05)] == ["0.0", "0.0", "+0.1", "-0.1"]
    assert decimal_text(-0.03, 1) == "0.0"


def test_the_ends_of_a_negative_estimate_change_places() -> None:
    assert -Estimate(1.5, 0.5, 2.5) == Estimate(-1.5, -2.5, -0.5)
    assert -Estimate(0.2) == Estimate(-0.2) and -Estimate(None) == Estimate(None)
