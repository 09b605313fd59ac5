"""Show the paper's own statements on the FACS page, each with its measurement and a verdict by a fixed rule."""

from __future__ import annotations

import streamlit as st

from mesm.records.facs import FacsStudy
from mesm.records.faithfulness import Faithfulness
from mesm.studies.facs.exports import statements_export
from mesm.studies.facs.statements import UNMEASURED, statements
from mesm.studies.facs.tables import statement_table
from mesm.ui import export_menu
from mesm.ui.facs.facs_records import RecordLookup

#: Layers of a table in which nothing was measured: the paper's model.
_LAYERS = 3


def show_statements(facs: RecordLookup[FacsStudy], faithfulness: RecordLookup[Faithfulness]) -> None:
    """Show the table of statements."""
    st.subheader("The paper's statements about its attention")
    rows = statements(facs.data, faithfulness.data)
    layers = facs.data.layers if facs.data is not None else _LAYERS
    table = statement_table(rows, layers)
    st.table(  # not a data frame: words wrap where the page is narrow, and no column is hidden
        [dict(zip(table.columns, map(_unbroken, row.cells), strict=True)) for row in table.rows],
        hide_index=True,
        border="horizontal",
        alt="The paper's statements with their measurements and verdicts: "
        + "; ".join(f"{row.about}: {row.statement}: {row.verdict}" for row in rows),
    )
    st.caption(
        "Dai et al. 2021, section 6.2. Attended: supported if the lift's interval lies above 1 in most layers, not "
        "supported if below 1 in most. Sometimes missed: supported if above 1 in no layer, not supported if in most. "
        "Control: the verdict of re-initialised attention under the same rule; a statement that it supports too was not "
        "learnt. Numbers: lift of kept sites over the region's share of the crop; for the voice the loudest tenth of the "
        "mel values, kept over active sites, and the share of the layer's map that is kept."
    )
    measured = [lookup.record for lookup in (facs, faithfulness) if lookup.record is not None]
    if measured:
        export_menu.offer(statements_export(measured, rows, layers), "statements")
    for lookup in (facs, faithfulness):
        if lookup.record is None and any(row.verdict == UNMEASURED for row in rows):
            st.caption(f":material/info: {lookup.remedy}")


def _unbroken(cell: object) -> str:
    """Return a cell whose line breaks only between the layers: a number and its interval stay together."""
    return str(cell).replace(" (", "\N{NO-BREAK SPACE}(")
