"""Show a `Table` on the screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from mesm.figures.style import theme
from mesm.figures.tables import Cell, Table
from mesm.ui import layout, state

if TYPE_CHECKING:
    from pandas import DataFrame

#: A longer table scrolls.
MOST_LINES = 30
#: A table of more columns does not fit a screen: the first stays in view, in a fainter colour that Streamlit sets.
WIDE_FROM = 9
#: Lines of a table that wraps its words where the page is narrower than it; pixels of a page, of a letter, around a cell.
MOST_WRAPPED, _PAGE_PX, _LETTER_PX, _CELL_PX = 12, 900, 6.2, 18
#: Letters of a cell that do not fit the width that Streamlit gives a column by itself.
CUT_FROM = 30


@dataclass(frozen=True)
class Column:
    """Hold the form of one column on the screen.

    Attributes:
        kind: "number", "count" or "text".
        right: whether text is set to the right, as intervals are.
        width: pixels; None for Streamlit's own.
        pinned: whether it stays in view.
    """

    kind: str
    right: bool = False
    width: int | None = None
    pinned: bool = False


def column_forms(table: Table) -> dict[str, Column]:
    """Return the form of each column: numbers, counts, or text with the width that its longest cell needs."""
    wide = len(table.names) > WIDE_FROM
    forms = {}
    for i, name in enumerate(table.names):
        cells = [row.cells[i] for row in table.rows]
        longest = max((len(str(cell)) for cell in cells), default=0)
        if wide and i == 0:
            forms[name] = Column("text", width=min(280, 24 + 7 * longest), pinned=True)
        elif any(isinstance(cell, float) for cell in cells):
            forms[name] = Column("number")
        elif any(isinstance(cell, int) for cell in cells):
            forms[name] = Column("count")  # else one unknown count makes fractions of the others
        elif i and all(_is_numeric(cell) for cell in cells):
            forms[name] = Column("text", right=True)
        else:
            forms[name] = Column("text", width=_width(longest))
    return forms


def unbroken(text: str) -> str:
    """Return a cell whose numbers each stay in one line with their interval."""
    for end in (" (", " to "):
        text = text.replace(end, end.replace(" ", "\N{NO-BREAK SPACE}"))
    return text.replace("–", "\N{WORD JOINER}–\N{WORD JOINER}")


def width_px(texts: DataFrame) -> float:
    """Return the width of a table whose cells stand in one line each."""
    longest = [max(map(len, [name, *texts[name]])) for name in texts.columns]
    return sum(_LETTER_PX * letters + _CELL_PX for letters in longest)


def _width(longest: int) -> int | None:
    return min(330, 16 + round(5.7 * longest)) if longest > CUT_FROM else None  # Streamlit cuts text at 200 pixels


def _is_numeric(cell: Cell) -> bool:
    return cell is None or str(cell)[:1] in "-0123456789"


def column_order(table: Table, groups: str) -> list[str]:
    """Return the columns as shown: the name of a line, its group, averages, all others."""
    later = sorted(
        range(1, len(table.names)), key=lambda i: (bool(table.heads) and table.heads[i] not in ("", "average"), i)
    )
    grouped = any(row.group for row in table.rows)
    return [*table.names[:1], *((groups,) if grouped else ()), *(table.names[i] for i in later)]


def show_table(table: Table, alt: str, groups: str = "source", click_key: str = "") -> int | None:
    """Show a table: the name of a line stays in view, averages come first, lines that do not compete are grey.

    Args:
        groups: name of the column with the group of each line.
        click_key: of the widget, makes its cells clickable.

    Returns:
        The line in which a cell was clicked in this run, from 0.
    """
    from pandas import DataFrame  # half a second, and a page may show no table

    grouped = any(row.group for row in table.rows)
    rows: list[dict[str, Cell]] = []
    for row in table.rows:
        cells = dict(zip(table.names, row.cells, strict=True))
        rows.append({groups: row.group, **cells} if grouped else cells)
    forms = column_forms(table)
    # Only a frame with a style of its own can be grey in parts.
    grey = [f"color: {theme(state.dark()).faint}" if not row.ranked else "" for row in table.rows]
    frame = DataFrame(rows)
    # A pinned column is faint by itself; grey on top of that could not be read.
    in_grey = [name for name in frame.columns if name not in forms or not forms[name].pinned]
    numbers = [name for name, form in forms.items() if form.kind == "number"]
    order = column_order(table, groups)
    texts = frame[order].map(table.text)
    if not click_key and len(rows) <= MOST_WRAPPED and width_px(texts) > _PAGE_PX:
        wrapped = texts.map(lambda text: layout.plain(unbroken(text))).style.apply(lambda column: grey, axis=0)
        st.table(wrapped, hide_index=True, border="horizontal", alt=alt)
        return None
    clicks: dict[str, Any] = {"key": click_key, "on_select": "rerun", "selection_mode": "single-cell"}
    event = st.dataframe(
        frame.style.apply(lambda column: grey, axis=0, subset=in_grey).format(table.text, subset=numbers),
        hide_index=True,
        column_order=order,
        column_config={name: _config(form) for name, form in forms.items() if form != Column("text")},
        height="content" if len(rows) <= MOST_LINES else 600,
        alt=alt,
        placeholder="–",
        **(clicks if click_key else {}),
    )
    cells = event["selection"]["cells"] if click_key else []
    return int(cells[0][0]) if cells else None


def _config(form: Column) -> Any:
    if form.kind == "text":
        alignment: Any = "right" if form.right else None
        return st.column_config.TextColumn(alignment=alignment, width=form.width, pinned=form.pinned or None)
    # A number is shown with the text of its style, which Table.text gives: a format would round it by other rules.
    return st.column_config.NumberColumn(format=None if form.kind == "number" else "%d")
