"""The gallery's filters and orders, and the form of a table's columns, without a page."""

from __future__ import annotations

import pytest
from pandas import DataFrame

from mesm.data.store import IndexRow
from mesm.figures.tables import Row, Table
from mesm.ui.case_studies.filters import (
    CLEAN,
    LEAST_SURE,
    LONGEST,
    RIGHT,
    SHORTEST,
    SPEAKER,
    STORED,
    SUREST,
    TEXT,
    WRONG,
    Filters,
    filter_rows,
    intensity_of,
)
from mesm.ui.models import Verdict
from mesm.ui.tables import Column, column_forms, column_order, unbroken, width_px

LABELS = (
    {"anger": 2.0, "fear": 0.0},
    {"anger": 0.0, "fear": 1.0},
    {"anger": 1.0, "fear": 3.0},
    {"anger": 0.0, "fear": 0.0},
)
QUALITY = ((), ("no_audio",), (), ("silence", "no_audio"))
ROWS = [
    IndexRow(str(n), "test" if n else "valid", f"s{n % 2}", f"Words {3 - n}", float(n), labels, quality, "", 1, 1)
    for n, (labels, quality) in enumerate(zip(LABELS, QUALITY, strict=True))
]
VERDICTS = {"0": Verdict(True, 0.2), "1": Verdict(False, 0.9), "2": Verdict(True, 0.5)}


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        (Filters(), "0123"),
        (Filters(emotion="anger"), "02"),
        (Filters(emotion="anger", intensity="1"), "2"),
        (Filters(intensity="3"), "2"),
        (Filters(speaker="s1"), "13"),
        (Filters(split="valid"), "0"),
        (Filters(words="wORDS 2"), "1"),
        (Filters(quality=CLEAN), "02"),
        (Filters(quality="no_audio"), "13"),
        (Filters(result=RIGHT), "02"),
        (Filters(result=WRONG), "1"),
        (Filters(sort=STORED), "0123"),
        (Filters(sort=SUREST), "1203"),
        (Filters(sort=LEAST_SURE), "0213"),
        (Filters(sort=LONGEST), "3210"),
        (Filters(sort=SHORTEST), "0123"),
        (Filters(sort=SPEAKER), "0213"),
        (Filters(sort=TEXT), "3210"),
    ],
)
def test_every_filter_and_order(filters: Filters, ids: str) -> None:
    assert "".join(row.clip_id for row in filter_rows(ROWS, filters, VERDICTS)) == ids


def test_clips_are_scored_only_when_a_choice_needs_it() -> None:
    assert Filters(result=WRONG).needs_verdicts and Filters(sort=SUREST).needs_verdicts
    assert not Filters(emotion="anger", words="a", sort=LONGEST).needs_verdicts
    assert len(filter_rows(ROWS, Filters(result=RIGHT), None)) == 4, "without a model every clip passes"
    assert intensity_of(ROWS[2], "") == "3" and intensity_of(ROWS[2], "anger") == "1"


def test_columns_of_a_table_on_the_screen() -> None:
    table = Table(
        ("model", "of", "Acc", "F1", "clips", "Acc"),
        (Row(("a" * 40, "x", 1.0, "0.1 to 0.2", 3, 2.0), "ours"), Row(("b", "y", None, None, None, None), "reported")),
        heads=("", "", "anger", "anger", "", "average"),
    )
    forms = column_forms(table)
    assert forms["model"] == Column("text", width=16 + round(5.7 * 40)) and forms["of"] == Column("text")
    assert forms["anger Acc"] == Column("number") and forms["clips"] == Column("count")
    assert forms["anger F1"] == Column("text", right=True)
    assert column_order(table, "source") == ["model", "source", "of", "clips", "average Acc", "anger Acc", "anger F1"]
    wide = Table(tuple("abcdefghij"), (Row(("name", *[1] * 9)),))
    assert column_forms(wide)["a"].pinned and not column_forms(wide)["b"].pinned


def test_a_wide_table_breaks_between_numbers_only() -> None:
    """A number and its interval stay in one line; only the letters decide about the width."""
    assert unbroken("1.05 (1.02–1.08) / 2") == "1.05\u00a0(1.02\u2060–\u20601.08) / 2"
    assert unbroken("-0.4 (-3.0 to 2.1)").split(" ") == ["-0.4\u00a0(-3.0\u00a0to\u00a02.1)"]
    one, two = DataFrame({"a": ["x", "xx"]}), DataFrame({"a": ["x", "xx"], "long name": ["", ""]})
    assert width_px(two) - width_px(one) == width_px(DataFrame({"b": ["x" * 9]}))
