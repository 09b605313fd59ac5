"""Lay out a table at a width: size of type, lines of its cells, and panels below each other where it is too wide.

Shared by the picture and the LaTeX of a table; no type is smaller than `sizes` has it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from mesm.figures.tables import Table

#: Letters in a line of a cell of words, tried in this order; 0: one line.
_LETTERS = (0, 40, 28, 20, 14)
_EASY_LETTERS = 20
#: Pieces of a cell that stay together: a number with its interval, or a word.
_PIECE = re.compile(r"[-−\d.,]+ \([^)]*\)|[-−\d.,]+ \[[^]]*\]|\S+")


@dataclass(frozen=True)
class TableLayout:
    """Hold how a table is set.

    Attributes:
        size_pt: of the type.
        letters: in a line of a cell of words; 0: one line.
        panels: columns of each panel, from the top; every panel begins with the first column.
        widths: of each column, in points.
    """

    size_pt: float
    letters: int
    panels: tuple[tuple[int, ...], ...]
    widths: tuple[float, ...]

    @property
    def is_easy(self) -> bool:
        """Return whether it stands in one panel, no cell in lines of a few letters."""
        return len(self.panels) == 1 and (not self.letters or self.letters >= _EASY_LETTERS)

    def parts(self, table: Table) -> list[Table]:
        """Return the tables of the panels; lines without any value in a panel are left out of it."""
        parts = [table.columns_of(panel) for panel in self.panels]
        return parts if len(parts) == 1 else [part.without_blank_rows() for part in parts]

    def lines(self, text: str) -> list[str]:
        """Return a cell as it is set."""
        return break_lines(text, self.letters)


def lay_out(table: Table, room_pt: float, sizes: Sequence[float], gap_pt: float, font: str) -> TableLayout:
    """Return the largest type and the fewest breaks at which a table fits; panels where nothing else helps.

    Args:
        room_pt: width of the table.
        sizes: of type in points, tried from the first.
        gap_pt: least room between two columns.
        font: family by which the width of a text is measured.
    """
    room = room_pt - gap_pt * (len(table.columns) - 1)
    for letters in _LETTERS:
        widths = _widths(table, letters, font)
        for size in sizes:
            if sum(widths) * size <= room:
                return TableLayout(size, letters, (tuple(range(len(widths))),), tuple(w * size for w in widths))
    size, broken = sizes[-1], []
    for letters in _LETTERS:
        points = tuple(w * size for w in _widths(table, letters, font))
        broken.append(TableLayout(size, letters, _panels(table, points, room_pt, gap_pt), points))
    return min(broken, key=lambda layout: len(layout.panels))


def break_lines(text: str, letters: int) -> list[str]:
    """Return a text in lines of at most so many letters where it can be broken: at spaces, not inside an interval."""
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    if not letters or len(text) <= letters:
        return [text]
    lines: list[str] = []
    for piece in _PIECE.findall(text):
        parts = piece.replace(" (", "\n(").replace(" [", "\n[").split("\n") if len(piece) > letters else [piece]
        for part in parts:
            if lines and (len(lines[-1]) + 1 + len(part) <= letters or part == "/"):
                lines[-1] += f" {part}"
            else:
                lines.append(part)
    return lines or [text]


def head_lines(name: str, letters: int) -> list[str]:
    """Return the name of a column in lines: a unit behind a comma stands below where cells are broken too."""
    return break_lines(name, max(min(letters, 14), 1)) if letters else [name]


def text_width(text: str, font: str, bold: bool = False) -> float:
    """Return the width of a text in ems."""
    return sum(_advance(letter, font, bold) for letter in text.rstrip())


@lru_cache(maxsize=4096)
def _advance(letter: str, font: str, bold: bool) -> float:
    from matplotlib.font_manager import FontProperties, findfont, get_font
    from matplotlib.ft2font import LoadFlags

    face = get_font(findfont(FontProperties(family=font, weight="bold" if bold else "normal")))
    face.set_size(100, 72)
    letter = letter if letter.isprintable() else " "
    if not face.get_char_index(ord(letter)):
        letter = "…"  # what is printed for a letter that the font lacks
    return float(face.load_char(ord(letter), LoadFlags.NO_HINTING).linearHoriAdvance) / 65536 / 100


def _widths(table: Table, letters: int, font: str) -> list[float]:
    """Return the widest line of each column in ems, as if it were bold; heads widen the columns that they span."""
    widths = []
    for i, name in enumerate(table.columns):
        cells = [line for row in range(len(table.rows)) for line in break_lines(table.cell_text(row, i), letters)]
        widths.append(max(text_width(t, font, bold=True) for t in [*head_lines(name, letters), *cells]))
    for head, first, last in table.spans:
        missing = text_width(head, font) - sum(widths[first : last + 1])
        if missing > 0:
            widths[last] += missing
    return widths


def _panels(table: Table, widths: Sequence[float], room: float, gap: float) -> tuple[tuple[int, ...], ...]:
    """Return the columns of each panel: columns under one head stay together where a panel holds them."""
    heads = table.heads or ("",) * len(table.columns)
    blocks: list[list[int]] = []
    for i in range(1, len(table.columns)):
        if heads[i] and blocks and heads[blocks[-1][-1]] == heads[i]:
            blocks[-1].append(i)
        else:
            blocks.append([i])
    panels: list[tuple[int, ...]] = []
    for block in blocks:
        for part in [block] if _fits([0, *block], widths, room, gap) else [[i] for i in block]:
            if panels and _fits([*panels[-1], *part], widths, room, gap):
                panels[-1] = (*panels[-1], *part)
            else:
                panels.append((0, *part))
    return tuple(panels)


def _fits(columns: Sequence[int], widths: Sequence[float], room: float, gap: float) -> bool:
    return sum(widths[i] for i in columns) + gap * (len(columns) - 1) <= room
