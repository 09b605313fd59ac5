"""Show the faithfulness tests on the FACS page: the leak of the text under the heat map, all tests at the end."""

from __future__ import annotations

import streamlit as st

from mesm.records.base import Record
from mesm.records.facs import FacsStudy
from mesm.records.faithfulness import Faithfulness
from mesm.studies.faithfulness.exports import faithfulness_export
from mesm.studies.faithfulness.tables import leak_sentence, sufficient_p_sentence
from mesm.ui import export_menu, layout
from mesm.ui.facs.facs_records import RecordLookup


def show_leak(faithfulness: RecordLookup[Faithfulness], facs: RecordLookup[FacsStudy]) -> None:
    """Show the leak tests in one line, from the record of either study."""
    study = faithfulness.data or facs.data
    if study is None:
        st.caption(f":material/info: The leak of the text through the mask was not measured. {faithfulness.remedy}")
        return
    st.caption(f":material/shield: {leak_sentence(study.shuffled_text, study.neutral_text)}")


def show_tests(lookup: RecordLookup[Faithfulness]) -> None:
    """Show every test of the faithfulness record."""
    st.subheader("Do the kept sites explain the scores?")
    if lookup.record is None:
        layout.empty("The faithfulness tests were not run.", lookup.remedy)
        return
    record = lookup.record
    _show_leak_tables(record)
    st.markdown("##### Scores from parts of the sites")
    export_menu.tabled(faithfulness_export(record, "keep-only"), "keep-only")
    export_menu.tabled(faithfulness_export(record, "order"), "order")
    st.markdown("##### Trained attention against a control")
    export_menu.tabled(faithfulness_export(record, "redrawn"), "redrawn")
    st.markdown(f"**Smallest sufficient p.** {sufficient_p_sentence(record.data.sufficient_p)}")


def _show_leak_tables(record: Record[Faithfulness]) -> None:
    st.markdown("##### Leak of the text through the mask")
    export_menu.tabled(faithfulness_export(record, "leak"), "leak")
    neutral = record.data.neutral_text
    if neutral.sources:
        export_menu.tabled(faithfulness_export(record, "neutral"), "neutral")
    else:
        st.caption(f"Emotive texts on neutral faces were not tested: {neutral.left_out}.")
