"""Show the faithfulness tests on the FACS page: the leak of the text under every claim, and all tests at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import streamlit as st

from mesm.records.base import Estimate, Record
from mesm.records.faithfulness import (
    Faithfulness,
    NeutralTexts,
    ShuffledTexts,
    TextOnNeutral,
    shuffled_from_schema_1,
)
from mesm.records.json_form import from_json
from mesm.studies.faithfulness import exports
from mesm.studies.faithfulness.tables import leak_sentence, sufficient_p_sentence
from mesm.ui import export_menu, layout
from mesm.ui.facs.facs_records import Found


def beside(faithfulness: Found, facs: Found) -> None:
    """Show the leak tests in one line, from the record of either study."""
    if faithfulness.data is not None:
        tests: Faithfulness = faithfulness.data  # type: ignore[assignment]
        shuffled, neutral = tests.shuffled_text, tests.neutral_text
    elif facs.data is not None:
        shuffled = from_json(ShuffledTexts, shuffled_from_schema_1(facs.data["shuffled_text"]))
        sources = tuple(from_json(TextOnNeutral, source) for source in facs.data["text_lift"])
        neutral = NeutralTexts("", sources)
    else:
        st.caption(f":material/info: The leak of the text through the mask was not measured. {faithfulness.remedy}")
        return
    st.caption(f":material/shield: {leak_sentence(shuffled, neutral)}")


def words(estimate: Mapping[str, float | None] | Estimate, places: int = 3) -> str:
    """An estimate with its interval."""
    values = asdict(estimate) if isinstance(estimate, Estimate) else estimate
    return Estimate(values["value"], values["low"], values["high"]).words(places)


def show(lookup: Found) -> None:
    """Show every test of the faithfulness record."""
    st.subheader("Do the kept sites explain the scores?")
    if lookup.record is None:
        layout.empty("The faithfulness tests were not run.", lookup.remedy)
        return
    record: Record[Faithfulness] = lookup.record  # type: ignore[assignment]
    _show_leak(record)
    st.markdown("##### Scores from parts of the sites")
    export_menu.tabled(exports.keep_only_export(record), "keep-only")
    export_menu.tabled(exports.site_order_export(record), "order")
    st.markdown("##### Trained attention against a control")
    export_menu.tabled(exports.control_export(record), "redrawn")
    st.markdown(f"**Smallest sufficient p.** {sufficient_p_sentence(record.data.sufficient_p)}")


def _show_leak(record: Record[Any]) -> None:
    st.markdown("##### Leak of the text through the mask")
    export_menu.tabled(exports.shuffled_texts_export(record), "leak")
    neutral: NeutralTexts = record.data.neutral_text
    if neutral.sources:
        export_menu.tabled(exports.neutral_texts_export(record), "neutral")
    else:
        st.caption(f"Emotive texts on neutral faces were not tested: {neutral.left_out}.")
