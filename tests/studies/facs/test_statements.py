"""Verdicts on the paper's statements follow from intervals alone, by the rule that is printed."""

from __future__ import annotations

import pytest

from mesm.studies.facs.statements import (
    CLAIMS,
    EARLY,
    FEWER,
    FOUND,
    MISSED,
    REFUTED,
    SUPPORTED,
    UNDECIDED,
    UNMEASURED,
    judge,
    judge_falling,
    judge_together,
    statements,
)
from tests.figures.facs_records_made import GROUPS, estimate, facs_record, faithfulness_record

HIGH, CHANCE, LOW = estimate(2.0), estimate(1.05), estimate(0.5)


@pytest.mark.parametrize(
    ("kind", "layers", "verdict"),
    [
        (FOUND, [HIGH, HIGH, LOW], SUPPORTED),
        (FOUND, [HIGH, CHANCE, CHANCE], UNDECIDED),
        (FOUND, [LOW, CHANCE, LOW], REFUTED),
        (FOUND, [estimate(None)] * 3, UNMEASURED),
        (MISSED, [CHANCE, LOW, CHANCE], SUPPORTED),
        (MISSED, [HIGH, CHANCE, CHANCE], UNDECIDED),
        (MISSED, [HIGH, HIGH, CHANCE], REFUTED),
        (FOUND, [HIGH], SUPPORTED),
    ],
)
def test_the_rule(kind: str, layers: list, verdict: str) -> None:
    assert judge(kind, layers) == verdict


def test_regions_of_one_area_must_agree() -> None:
    assert judge_together(FOUND, [[HIGH] * 3, [HIGH] * 3]) == SUPPORTED
    assert judge_together(FOUND, [[HIGH] * 3, [LOW] * 3]) == UNDECIDED


def test_falling_needs_intervals_apart() -> None:
    apart = [estimate(v, 0.01) for v in (0.5, 0.4, 0.3)]
    assert judge_falling(apart) == SUPPORTED
    assert judge_falling([apart[0], estimate(0.495, 0.01), apart[2]]) == UNDECIDED
    assert judge_falling([apart[1], apart[0], apart[2]]) == REFUTED
    assert judge_falling([]) == UNMEASURED


def test_the_table_reads_the_records() -> None:
    rows = statements(facs_record(), faithfulness_record())
    by = {(row["about"], row["statement"]): row for row in rows}
    assert len(rows) == len(CLAIMS) + 2
    lips = by["happiness", "the lips are attended"]
    assert lips["verdict"] == SUPPORTED and lips["control"] == UNDECIDED
    assert set(lips["series"]) == {"AU 12/15", "AU 23/24/25"}
    assert by["surprise", "the brows are sometimes missed"]["verdict"] == REFUTED
    assert by["surprise", "the brows are sometimes missed"]["control"] == SUPPORTED
    assert by["fear", "the mouth is attended"]["verdict"] == UNMEASURED
    assert by["voice", EARLY]["verdict"] == SUPPORTED and by["voice", FEWER]["verdict"] == SUPPORTED


def test_nothing_known_is_no_verdict() -> None:
    rows = statements(None, None)
    assert {row["verdict"] for row in rows} == {UNMEASURED} and {row["control"] for row in rows} == {None}


def test_every_area_has_a_region_in_the_atlas() -> None:
    known = {unit for units in GROUPS.values() for unit in units}
    assert all(set(claim.units) <= known for claim in CLAIMS)
    from mesm.studies.facs.atlas import UNITS

    assert all(set(claim.units) <= set(UNITS) for claim in CLAIMS)
