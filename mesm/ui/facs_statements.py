"""The paper's own statements on the FACS page, each with its measurement and a verdict by rule."""

from __future__ import annotations

import streamlit as st

from mesm.analysis.statements import UNMEASURED, statements
from mesm.ui import facs_leak
from mesm.ui.facs_records import Found


def show(facs: Found, faithfulness: Found) -> None:
    """The table."""
    st.subheader("What the paper says it looks at")
    table = statements(facs.data, faithfulness.data)
    st.dataframe(
        [
            {
                "about": row["about"],
                "the paper says": row["statement"],
                "measured": row["measured"],
                **{
                    f"L{layer + 1}": "\n".join(
                        facs_leak.words(e[layer], 2) for e in row["series"].values() if layer < len(e)
                    )
                    for layer in range(3)
                },
                "verdict": row["verdict"],
                "same rule, drawn anew": row["control"] or "",
            }
            for row in table
        ],
        hide_index=True,
        alt="The paper's statements with what was measured and a verdict: "
        + "; ".join(f"{row['about']}: {row['statement']}: {row['verdict']}" for row in table),
        column_config={"measured": st.column_config.TextColumn(width="medium")},
    )
    st.caption(
        "Dai et al. 2021, section 6.2. Looks at: supported if the lift's interval lies above 1 in two of three layers, not "
        "supported if below in two. Sometimes missed: supported if above 1 in no layer, not supported if in two. A verdict "
        "that attention drawn anew gets too says nothing about what was learnt."
    )
    for found in (facs, faithfulness):
        if found.data is None and any(row["verdict"] == UNMEASURED for row in table):
            st.caption(f":material/info: {found.remedy}")
    facs_leak.beside(faithfulness, facs)
