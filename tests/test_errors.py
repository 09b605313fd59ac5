"""Whatever an error's sentence quotes, it is one printable line of bounded length."""

from __future__ import annotations

import pytest

from mesm.errors import MAX_SENTENCE, DataError, MesmError


@pytest.mark.parametrize(
    ("quoted", "line"),
    [
        ("PytorchError: one\n\n  two\r\n three", "PytorchError: one two three"),
        ("caf\udce9.mp4", r"caf\udce9.mp4"),
        ("\x1b[31mred\x00", r"\x1b[31mred\x00"),
        ("abc\u202egpm.4", r"abc\u202egpm.4"),
        ("déjà vu \u4f60\u597d \U0001f600", "déjà vu \u4f60\u597d \U0001f600"),
    ],
)
def test_one_printable_line(quoted: str, line: str) -> None:
    assert str(DataError(quoted)) == line and f"{MesmError(quoted)}" == line


def test_a_long_sentence_keeps_its_begin_and_its_remedy() -> None:
    inner = DataError("a setting " + "x" * 5000 + " is unknown; leave it out")
    text = str(DataError(f"run.json is damaged ({inner}); delete it"))
    assert len(text) == MAX_SENTENCE and text.startswith("run.json is damaged (a setting xxx")
    assert text.endswith("is unknown; leave it out); delete it")
    assert str(DataError("x" * MAX_SENTENCE)) == "x" * MAX_SENTENCE
