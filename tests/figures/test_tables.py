"""Tables as CSV and as booktabs LaTeX."""

from __future__ import annotations

import csv
import io
from shlex import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesm.figures.export import FigureExport, render
from mesm.figures.table_latex import to_latex
from mesm.figures.tables import MATH, Row, Table, escape, foreign_letters

TABLE = Table(
    ("model", "Acc", "F1"),
    (
        Row(("FE2E", 84.5, 58.8), "ours", (None, 0.3, None)),
        Row(("MESM", 84.41, 58.84), "ours"),
        Row(("LF_LSTM & co", 71.8, None), "reported", ranked=False),
        Row(("never", 99.0, 0.0), "trivial", ranked=False),
    ),
    best=(1, 2),
)


def test_best_is_bold_second_underlined_quoted_numbers_neither() -> None:
    latex = to_latex(TABLE, "All in %", "x")
    assert r"FE2E & \textbf{84.5 $\pm$0.3} & 58.8 \\" in latex  # 58.80 and 58.84 are printed alike: no winner
    assert r"MESM & \underline{84.4} & 58.8 \\" in latex
    assert r"LF\_LSTM \& co & 71.8 & – \\" in latex.replace("--", "–")
    assert r"\textbf{99.0}" not in latex
    assert latex.count(r"\midrule") == 3 and r"\multicolumn{3}{l}{\emph{reported}}" in latex
    assert r"\caption{All in \%}" in latex and r"\label{tab:x}" in latex


def test_a_part_keeps_groups_spreads_and_what_is_best() -> None:
    part = TABLE.part((0, 1), ("model", "accuracy"))
    assert part.names == ("model", "accuracy") and part.best == (1,)
    assert part.rows[0] == Row(("FE2E", 84.5), "ours", (None, 0.3)) and not part.rows[2].ranked
    assert TABLE.part((0, 2)).rows[1].cells == ("MESM", 58.84)


def test_equal_numbers_share_their_place() -> None:
    table = Table(("m", "F1"), (Row(("a", 2.0)), Row(("b", 2.0)), Row(("c", 1.0))), best=(1,))
    assert [table.place(i, 1) for i in range(3)] == [0, 0, 1]


def test_heads_span_their_columns() -> None:
    table = Table(("model", "Acc", "F1", "Acc", "F1"), (Row(("a", 1.0, 2.0, 3.0, 4.0)),),
                  heads=("", "anger", "anger", "fear", "fear"))  # fmt: skip
    assert table.spans == (("anger", 1, 2), ("fear", 3, 4))
    latex = to_latex(table)
    assert r" & \multicolumn{2}{c}{anger} & \multicolumn{2}{c}{fear} \\" in latex
    assert r"\cmidrule(lr){2-3}\cmidrule(lr){4-5}" in latex
    assert table.to_csv().splitlines()[0] == "model,anger Acc,anger F1,fear Acc,fear F1"


def test_csv_keeps_every_digit_and_leaves_the_unknown_empty() -> None:
    rows = list(csv.DictReader(io.StringIO(TABLE.to_csv())))
    assert rows[1]["Acc"] == "84.41" and rows[2]["F1"] == "" and rows[0]["Acc spread"] == "0.3"
    assert [row["group"] for row in rows] == ["ours", "ours", "reported", "trivial"]
    assert Table(("a", "b"), (Row((1, 0.123456789)),)).to_csv() == "a,b\n1,0.123456789\n"


@given(st.text(st.characters(exclude_categories=("C",)), max_size=40))
def test_no_words_break_the_latex(words: str) -> None:
    out = escape(words)
    signs = sum(words.count(sign) for sign in MATH)
    for special in "&%$#_":
        assert out.count(special) == out.count("\\" + special) + 2 * signs * (special == "$")


def test_letters_that_pdflatex_lacks_are_named() -> None:
    assert foreign_letters(escape("café – −0.1 × 3°, 2 ≤ 3 · 10² …")) == ""
    assert foreign_letters(escape("最後, 最 конец, «ą»")) == "最後конец«ą»"
    table = Table(("words", "score"), (Row(("最", 0.5)),))
    second = render(FigureExport("x", "", "", "mesm figure x", table=table), "tex").decode().splitlines()[1]
    assert second.startswith("% ") and "最" in second and "XeLaTeX" in second


HOSTILE = ["a\nb", "\\input{/etc/passwd}", "$(touch x)", "100 % & #1_~^<>|", "=cmd|'/C calc'!A0", "a\r%\u2028"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(name: str) -> None:
    made = Table(("clip", "score"), (Row((name, 0.5)), Row(("-1", -0.5))))
    latex = to_latex(made, name)
    assert len(latex.splitlines()) == 12 and "\\input" not in latex.replace("\\textbackslash{}input", "")
    row, numbers = list(csv.reader(io.StringIO(made.to_csv(), newline="")))[1:]
    assert row == [f"'{name}" if name.startswith("=") else name, "0.5"] and numbers == ["-1", "-0.5"]
    export = FigureExport("x", "", name, f"mesm figure case m@c --clip {quote(name)}", table=made)
    (comment, *rest) = render(export, "tex").decode().split("\n")
    assert comment.startswith("% mesm figure") and rest[0] == r"\begin{table}"
