"""Records as the pages read them: found by kind, read once, and shown as tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st
from pandas import DataFrame

from mesm.errors import MesmError
from mesm.figures.style import theme
from mesm.figures.tables import Cell, Table
from mesm.records.base import Record as Stored
from mesm.records.legacy import find_records, read_record
from mesm.runtime import record_folders
from mesm.ui import layout, state
from mesm.ui.models import Model

Record = dict[str, Any]
#: A longer table scrolls.
MOST_LINES = 30
#: A table of more columns does not fit a screen: the first stays in view, in a fainter colour that Streamlit sets.
WIDE_FROM = 9
#: Letters of a cell that do not fit the width that Streamlit gives a column by itself.
CUT_FROM = 30


def of_kind(kind: str) -> list[Record]:
    """Every readable record of a kind, the workspace's before the bundled ones; a damaged one is said and left out."""
    found = []
    for path in find_records(record_folders(), kind):
        try:
            found.append(_read(str(path), path.stat().st_mtime_ns))
        except MesmError as error:
            layout.say_error(error)
    return found


def note_other_weights(record: Stored[Any], model: Model | None) -> None:
    """Write a line where a record was made with other weights than those that now have this name."""
    origin = record.provenance
    if model is None or origin.checkpoint != model.facts.name or not origin.checkpoint_sha256:
        return
    if model.facts.sha256 not in origin.checkpoint_sha256:
        st.caption(
            f":material/info: This record is of other weights of {model.facts.name}; make it again with: "
            f"{origin.command or 'its command'}"
        )


def name_of(record: Record) -> str:
    """CHECKPOINT@CORPUS, as the command line takes it."""
    origin = record["provenance"]
    return f"{origin['checkpoint']}@{origin['corpus']}"


def here(record: Record, corpus: str) -> bool:
    """Whether a record is of a corpus."""
    return bool(record["provenance"]["corpus"] == corpus)


def say_other_weights(record: Record, model: Model | None) -> None:
    """A line where a record was made with other weights than those that now go by this name."""
    origin = record["provenance"]
    if model is None or origin["checkpoint"] != model.facts.name:
        return
    if origin.get("checkpoint_sha256") not in (None, model.facts.sha256):
        st.caption(
            f":material/info: This record is of other weights of {model.facts.name}; make it again with: "
            f"{origin.get('command', 'its command')}"
        )


def show_table(table: Table, alt: str, groups: str = "source") -> None:
    """A table on the screen: the name of a line stays in view, averages come first, what does not compete is grey.

    Args:
        groups: name of the column that says which group a line belongs to.
    """
    grouped = any(row.group for row in table.rows)
    rows: list[dict[str, Cell]] = []
    for row in table.rows:
        cells = dict(zip(table.names, row.cells, strict=True))
        rows.append({groups: row.group, **cells} if grouped else cells)
    numbers: dict[str, Any] = {
        name: st.column_config.NumberColumn(format=f"%.{table.digits}f")
        for i, name in enumerate(table.names)
        if any(isinstance(row.cells[i], float) for row in table.rows)
    }
    numbers |= {
        name: st.column_config.NumberColumn(format="%d")  # else one unknown count makes fractions of the others
        for i, name in enumerate(table.names)
        if name not in numbers and any(isinstance(row.cells[i], int) for row in table.rows)
    }
    numbers |= {
        name: st.column_config.TextColumn(alignment="right")  # an interval, a share with its unit
        for i, name in enumerate(table.names)
        if name not in numbers and i and all(_numeric(row.cells[i]) for row in table.rows)
    }
    name = table.names[0] if table.names else ""
    order = sorted(
        range(len(table.names)), key=lambda i: (bool(table.heads) and table.heads[i] not in ("", "average"), i)
    )
    # Only a frame with a style of its own can be grey in parts; pandas comes with streamlit.
    grey = [f"color: {theme(state.dark()).faint}" if not row.ranked else "" for row in table.rows]
    frame, wide = DataFrame(rows), len(table.names) > WIDE_FROM
    # A column that stays in view is faint by itself; grey on top of that could not be read.
    frame = frame.style.apply(lambda column: grey, axis=0, subset=[c for c in frame.columns if c != name or not wide])
    longest = [max((len(str(row.cells[i])) for row in table.rows), default=0) for i in range(len(table.names))]
    # Streamlit cuts a column of words at 200 pixels.
    words = {
        head: st.column_config.TextColumn(width=min(330, 16 + round(5.7 * n)))
        for head, n in zip(table.names, longest, strict=True)
        if head not in numbers and n > CUT_FROM
    }
    first = {name: st.column_config.TextColumn(pinned=True, width=min(280, 24 + 7 * longest[0]))} if wide else {}
    st.dataframe(
        frame,
        hide_index=True,
        column_order=[name, *((groups,) if grouped else ()), *(table.names[i] for i in order[1:])],
        column_config={**numbers, **words, **first},
        height="content" if len(rows) <= MOST_LINES else 600,
        alt=alt,
        placeholder="–",
    )


def _numeric(cell: Cell) -> bool:
    return cell is None or str(cell)[:1] in "-0123456789"


@st.cache_data(max_entries=64, show_spinner=False)
def _read(path: str, stamp: int) -> Record:
    return read_record(Path(path))
