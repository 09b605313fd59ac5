"""Transcripts and spread words."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from mesm.batch import Word
from mesm.data.ingest.text import clean_text, known_or_spread, spread_words


def test_clean() -> None:
    assert clean_text("  I\tnever\r\n thought  ") == "I never thought"
    assert clean_text("\ufeffcafe\u0301 \x00ok\ufffd") == "café ok"
    assert clean_text("Colons: stay, “quotes” too.") == "Colons: stay, “quotes” too."


@given(st.text())
def test_clean_is_one_line_and_settled(text: str) -> None:
    line = clean_text(text)
    assert line == clean_text(line) == line.strip()
    assert "\n" not in line and "  " not in line


@given(st.text(), st.floats(0, 1000))
def test_spread_words_tile_the_clip(text: str, duration_s: float) -> None:
    words = spread_words(text, duration_s)
    assert [word.text for word in words] == clean_text(text).split()
    assert all(word.approximate for word in words)
    if words:
        assert words[0].start_s == 0 and words[-1].end_s == duration_s
        assert all(a.end_s == b.start_s for a, b in itertools.pairwise(words))


def test_known_times_win() -> None:
    known = [Word("b", 1.0, 2.0), Word("a", 0.0, 1.0)]
    assert known_or_spread(known, "other text", 5.0) == (known[1], known[0])
    assert [word.text for word in known_or_spread((), "x y", 2.0)] == ["x", "y"]
