"""Verdicts on the paper's statements follow from intervals alone, by the rule that is printed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mesm.studies.facs.statements import (
    ATTENDED,
    CLAIMS,
    EARLY,
    FEWER,
    MISSED,
    REFUTED,
    SUPPORTED,
    UNDECIDED,
    UNMEASURED,
    UNSPECIFIC,
    judge,
    judge_falling,
    judge_together,
    statements,
)
from mesm.studies.facs.tables import statement_table
from tests.figures.facs_records_made import GROUPS, chance_estimate, estimate, facs_study, faithfulness_record

HIGH, CHANCE, LOW = estimate(2.0), estimate(1.05), estimate(0.5)


@pytest.mark.parametrize(
    ("kind", "layers", "verdict"),
    [
        (ATTENDED, [HIGH, HIGH, LOW], SUPPORTED),
        (ATTENDED, [HIGH, CHANCE, CHANCE], UNDECIDED),
        (ATTENDED, [LOW, CHANCE, LOW], REFUTED),
        (ATTENDED, [estimate(None)] * 3, UNMEASURED),
        (MISSED, [CHANCE, LOW, CHANCE], SUPPORTED),
        (MISSED, [HIGH, CHANCE, CHANCE], UNDECIDED),
        (MISSED, [HIGH, HIGH, CHANCE], REFUTED),
        (ATTENDED, [HIGH], SUPPORTED),
    ],
)
def test_the_rule(kind: str, layers: list, verdict: str) -> None:
    assert judge(kind, layers) == verdict


def test_regions_of_one_area_must_agree() -> None:
    assert judge_together(ATTENDED, {"a": [HIGH] * 3, "b": [HIGH] * 3}, {}) == SUPPORTED
    assert judge_together(ATTENDED, {"a": [HIGH] * 3, "b": [LOW] * 3}, {}) == UNDECIDED
    assert judge_together(ATTENDED, {"a": [HIGH] * 3, "b": [HIGH] * 3}, {"b": (2.0,) * 3}) == UNSPECIFIC


def test_what_every_face_shows_is_not_specific() -> None:
    """The decisive baseline is the mean lift of the other emotions, not chance."""
    assert judge(ATTENDED, [HIGH] * 3, (1.5,) * 3) == SUPPORTED
    assert judge(ATTENDED, [HIGH] * 3, (1.95,) * 3) == UNSPECIFIC
    assert judge(ATTENDED, [HIGH] * 3, (1.5, 1.95, 1.95)) == UNSPECIFIC
    assert judge(ATTENDED, [LOW] * 3, (0.1,) * 3) == REFUTED


def test_falling_needs_intervals_apart() -> None:
    apart = [estimate(v, 0.01) for v in (0.5, 0.4, 0.3)]
    assert judge_falling(apart) == SUPPORTED
    assert judge_falling([apart[0], estimate(0.495, 0.01), apart[2]]) == UNDECIDED
    assert judge_falling([apart[1], apart[0], apart[2]]) == REFUTED
    assert judge_falling([]) == UNMEASURED


def test_statements_are_judged_by_the_records() -> None:
    tests = faithfulness_record()
    rows = statements(facs_study(), tests)
    by = {(row.about, row.statement): row for row in rows}
    assert len(rows) == len(CLAIMS) + 2
    lips = by["happiness", "the lips are attended"]
    assert lips.verdict == UNSPECIFIC and lips.control == UNDECIDED  # all emotions have the same lift
    own = facs_study()
    kept = own.maps["checkpoint"].kept
    higher = {name: (chance_estimate(2.6),) * 3 for name in kept.groups["happiness"]}
    more = replace(kept, groups={**kept.groups, "happiness": higher})
    maps = {**own.maps, "checkpoint": replace(own.maps["checkpoint"], kept=more)}
    assert statements(replace(own, maps=maps), None)[0].verdict == SUPPORTED
    assert set(lips.series) == {"AU 12/15", "AU 23/24/25"}
    assert by["surprise", "the brows are sometimes missed"].verdict == REFUTED
    assert by["surprise", "the brows are sometimes missed"].control == SUPPORTED
    assert by["fear", "the mouth is attended"].verdict == UNMEASURED
    assert by["voice", EARLY].verdict == SUPPORTED and by["voice", FEWER].verdict == SUPPORTED
    assert tests.loudness is not None
    rising = [replace(layer, kept_lift=estimate(0.5)) for layer in tests.loudness.layers[::-1]]
    loudness = replace(tests.loudness, layers=(rising[0], *tests.loudness.layers[1::-1]))
    early, fewer = statements(facs_study(), replace(tests, loudness=loudness))[-2:]
    assert early.verdict == REFUTED and fewer.verdict == REFUTED  # the first layer decides, and the order


def test_without_measurements_there_is_no_verdict() -> None:
    rows = statements(None, None)
    assert {row.verdict for row in rows} == {UNMEASURED} and {row.control for row in rows} == {None}


def test_the_table_has_a_full_line_for_each_region() -> None:
    table = statement_table(statements(facs_study(), None), 3)
    assert table.rows[0].cells[0] == table.rows[1].cells[0] == "happiness"
    assert table.rows[0].cells[3] == " / ".join(["2.00 (1.90–2.10)"] * 3)
    assert table.rows[0].cells[4:] == ("= not specific", "· undecided") and table.rows[-1].cells[4:] == (
        "not measured",
        "–",
    )


def test_every_area_has_a_region_in_the_atlas() -> None:
    known = {unit for units in GROUPS.values() for unit in units}
    assert all(set(claim.units) <= known for claim in CLAIMS)
    from mesm.data.atlas import UNITS

    assert all(set(claim.units) <= set(UNITS) for claim in CLAIMS)
