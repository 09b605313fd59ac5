"""The paper's own statements on the FACS page, each with its measurement and a verdict by rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from mesm.studies.facs import exports as exhibits
from mesm.studies.facs.statements import UNMEASURED, statements
from mesm.ui import export_menu
from mesm.ui.facs import leak_tests as facs_leak
from mesm.ui.facs.facs_records import Found


def show(facs: Found, faithfulness: Found) -> None:
    """The table."""
    st.subheader("What the paper says it looks at")
    table = statements(facs.data, faithfulness.data)  # type: ignore[arg-type]
    st.table(  # not a data frame: words wrap where the page is narrow, and nothing is hidden at the side
        [line for row in table for line in _lines(row)],
        hide_index=True,
        border="horizontal",
        alt="The paper's statements with what was measured and a verdict: "
        + "; ".join(f"{row['about']}: {row['statement']}: {row['verdict']}" for row in table),
    )
    st.caption(
        "Dai et al. 2021, section 6.2. Looks at: supported if the lift's interval lies above 1 in two of three layers, not "
        "supported if below in two. Sometimes missed: supported if above 1 in no layer, not supported if in two. A verdict "
        "that attention drawn anew gets too says nothing about what was learnt. Numbers: lift of kept sites over the region's "
        "share of the crop; for the voice the loudest tenth of the mel values, kept over active sites, and the share of the "
        "layer's map that is kept."
    )
    known = [found.record for found in (facs, faithfulness) if found.record is not None]
    if facs.record is not None:
        export_menu.offer(exhibits.statements(known, table), "statements")
    for found in (facs, faithfulness):
        if found.data is None and any(row["verdict"] == UNMEASURED for row in table):
            st.caption(f":material/info: {found.remedy}")
    facs_leak.beside(faithfulness, facs)


def _lines(row: Mapping[str, Any]) -> list[dict[str, str]]:
    """A line per region; what is said of the whole statement stands on the first."""
    lines = []
    for number, (region, layers) in enumerate((row["series"] or {"": []}).items()):
        whole = [row["about"], row["statement"], row["verdict"], row["control"] or ""] if number == 0 else [""] * 4
        lines.append(
            dict(zip(("about", "the paper says", "verdict", "drawn anew"), whole, strict=True))
            | {"region": _unbroken(region)}
            | {f"L{i + 1}": _measured(layers[i]) if i < len(layers) else "" for i in range(3)}
        )
    return lines


def _measured(layer: Mapping[str, Any]) -> str:
    """A number and its interval; where the column is narrow, they stand one above the other."""
    value, space, interval = facs_leak.words(layer, 2).partition(" ")
    return value + space + _unbroken(interval)


def _unbroken(words: str) -> str:
    return words.replace(" ", "\N{NO-BREAK SPACE}")
