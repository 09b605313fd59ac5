"""Hold a table as a value with its forms: plain text, CSV, booktabs LaTeX."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mesm.data.csv_files import csv_line
from mesm.estimate import decimal_text

Cell = str | float | int | None
#: Signs that LaTeX sets in its mathematics.
MATH = {
    "±": "\\pm", "×": "\\times", "≤": "\\le", "≥": "\\ge", "−": "-", "·": "\\cdot", "→": "\\to", "≈": "\\approx", "≠": "\\ne",
    "°": "^\\circ", "²": "^2", "³": "^3", "µ": "\\mu", "μ": "\\mu", "Σ": "\\Sigma", "Δ": "\\Delta", "∞": "\\infty", "√": "\\surd",
}  # fmt: skip
#: Characters that pdfLaTeX sets with its standard fonts: Latin letters, but for these, and marks.
_NOT_SET = "«»ÐÞðþĄąĐđĘęĦħĮįĸĿŀŉŊŋŦŧŲųſ"
LATIN = (
    "".join(letter for letter in map(chr, [*range(0x20, 0x7F), *range(0xA0, 0x180)]) if letter not in _NOT_SET)
    + "‘’†‡•€™"
)
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
        "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
        "–": "--", "—": "---", "“": "``", "”": "''",
        "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
        **dict.fromkeys(map(chr, [*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029]), " "),
        **{sign: f"${words}$" for sign, words in MATH.items()}, "…": r"\dots{}",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """Hold one line of a table.

    Attributes:
        cells: a name or number per column; None is an unknown value and is printed as a dash.
        group: lines of one group stand together under its name, such as "reported in the paper".
        spread: standard deviation per column where several seeds were run; () for none.
        ranked: whether the line competes for bold and underline; trivial answers and reported numbers do not.
    """

    cells: tuple[Cell, ...]
    group: str = ""
    spread: tuple[float | None, ...] = ()
    ranked: bool = True


@dataclass(frozen=True)
class Table:
    """Hold columns and lines.

    Attributes:
        columns: their names; the first is the name of a line.
        best: indices of the columns in which the highest ranked number is bold and the second underlined.
        digits: decimals of a float; integers are printed whole.
        heads: a name over each column, the same over neighbours that belong together; () for none.
    """

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    best: tuple[int, ...] = ()
    digits: int = 1
    heads: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        wrong = [row.cells for row in self.rows if len(row.cells) != len(self.columns)]
        assert not wrong, f"{len(self.columns)} columns, but a line of {wrong[:1]}"

    @property
    def names(self) -> tuple[str, ...]:
        """Return the columns with their heads, each name once."""
        return tuple(
            f"{h} {c}".strip() for h, c in zip(self.heads or ("",) * len(self.columns), self.columns, strict=True)
        )

    @property
    def spans(self) -> tuple[tuple[str, int, int], ...]:
        """Return (head, first column, last column) of the heads that stand over several columns."""
        spans: list[tuple[str, int, int]] = []
        for i, head in enumerate(self.heads):
            if head and spans and spans[-1][0] == head and spans[-1][2] == i - 1:
                spans[-1] = (head, spans[-1][1], i)
            elif head:
                spans.append((head, i, i))
        return tuple(spans)

    def part(self, columns: Sequence[int], names: Sequence[str] = ()) -> Table:
        """Return some of the columns, under other names if there are any; the groups stay."""
        return Table(
            tuple(names) or tuple(self.names[i] for i in columns),
            tuple(
                Row(
                    tuple(row.cells[i] for i in columns), row.group, tuple(_spread(row, i) for i in columns), row.ranked
                )
                for row in self.rows
            ),
            tuple(place for place, i in enumerate(columns) if i in self.best),
            self.digits,
        )

    def columns_of(self, columns: Sequence[int]) -> Table:
        """Return some of the columns with their heads."""
        heads = tuple(self.heads[i] for i in columns) if self.heads else ()
        return replace(self.part(columns, [self.columns[i] for i in columns]), heads=heads)

    def without_blank_rows(self) -> Table:
        """Return the table without lines that have nothing but a name."""
        return replace(self, rows=tuple(row for row in self.rows if any(c is not None for c in row.cells[1:])))

    @property
    def word_columns(self) -> tuple[bool, ...]:
        """Return for each column whether it holds words, which stand left: the first, and any with words in most cells."""
        return tuple(i == 0 or _is_words([row.cells[i] for row in self.rows]) for i in range(len(self.columns)))

    def begins_group(self, row: int) -> bool:
        """Return whether a line is the first of its group."""
        group = self.rows[row].group
        return bool(group) and (row == 0 or group != self.rows[row - 1].group)

    def repeats(self, row: int, column: int) -> bool:
        """Return whether a cell of words repeats the line above, as all cells left of it do; it is then left blank."""
        if row == 0 or column == len(self.columns) - 1 or self.begins_group(row):
            return False
        above, own = self.rows[row - 1].cells[: column + 1], self.rows[row].cells[: column + 1]
        return above == own and all(isinstance(cell, str) for cell in own)

    def cell_text(self, row: int, column: int) -> str:
        """Return a cell as it is printed in a picture or a terminal, with its spread as ±."""
        return _text_cell(self, self.rows[row], column)

    def text(self, cell: Cell) -> str:
        """Return a cell as it is printed."""
        if cell is None or (isinstance(cell, float) and np.isnan(cell)):
            return "–"
        return decimal_text(cell, self.digits) if isinstance(cell, float) else str(cell)

    def to_text(self) -> str:
        """Return the table in plain text for a terminal: aligned columns, groups under their names, spreads as ±."""
        body = [[_text_cell(self, row, i) for i in range(len(self.columns))] for row in self.rows]
        widths = [max(len(line[i]) for line in [list(self.names), *body]) for i in range(len(self.columns))]

        def line(cells: Sequence[str]) -> str:
            padded = (c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True)))
            return "  ".join(padded).rstrip()

        lines, group = [line(self.names)], ""
        for row, cells in zip(self.rows, body, strict=True):
            if row.group and row.group != group:
                lines.append(f"{row.group}:")
            group = row.group
            lines.append(line(cells))
        return "\n".join(lines)

    def to_csv(self) -> str:
        """Return CSV in full precision, with columns for groups and spreads if there are any; unknown cells are empty."""
        groups = any(row.group for row in self.rows)
        spreads = [i for i in range(len(self.columns)) if any(_spread(row, i) is not None for row in self.rows)]
        head = ["group"] if groups else []
        lines = [csv_line([*head, *self.names, *(f"{self.names[i]} spread" for i in spreads)])]
        for row in self.rows:
            cells = [*((row.group,) if groups else ()), *row.cells, *(_spread(row, i) for i in spreads)]
            lines.append(
                csv_line(["" if cell is None or cell != cell else cell for cell in cells])
            )  # NaN is unknown too
        return "".join(lines)

    def place(self, row: int, column: int) -> int:
        """Return 0 for the best of its column, 1 for the second, 2 for any other; equal numbers share their place."""
        cell = self.rows[row].cells[column]
        if column not in self.best or not self.rows[row].ranked or not isinstance(cell, int | float):
            return 2
        shown = {self.text(c) for r in self.rows if r.ranked and isinstance(c := r.cells[column], int | float)}
        order = sorted((float(s) for s in shown if s != "–"), reverse=True)
        return min(order.index(float(self.text(cell))), 2) if len(order) > 1 and self.text(cell) != "–" else 2


def _is_words(cells: Sequence[Cell]) -> bool:
    """Return whether most cells are words rather than numbers, intervals or blanks."""
    words = [isinstance(cell, str) and bool(re.match(r"[^\W\d]|[+-] ", cell)) for cell in cells if cell]
    return sum(words) * 2 > len(words)


def escape(text: str) -> str:
    """Return plain text as LaTeX that prints exactly this text."""
    return text.translate(_LATEX)


def foreign_letters(latex: str) -> str:
    """Return the characters that pdfLaTeX's standard fonts lack, each once."""
    return "".join(dict.fromkeys(letter for letter in latex if letter not in LATIN and letter != "\n"))


def _spread(row: Row, column: int) -> float | None:
    return row.spread[column] if column < len(row.spread) else None


def _text_cell(table: Table, row: Row, column: int) -> str:
    spread = _spread(row, column)
    return table.text(row.cells[column]) + (f" ±{decimal_text(spread, table.digits)}" if spread is not None else "")
