"""Hold the one store of records that all pages read, and note a record of other weights."""

from __future__ import annotations

from typing import Any

import streamlit as st

from mesm.errors import DataError
from mesm.records.base import Record
from mesm.records.store import RecordStore
from mesm.ui import layout
from mesm.ui.models import Model

_REPORTED = "damaged-records"


def records() -> RecordStore:
    """Return the store; a damaged file is left out, and reported on the page in one sentence."""
    return _store()


@st.cache_resource(show_spinner=False)
def _store() -> RecordStore:
    return RecordStore(on_damaged=_report)


def _report(error: DataError) -> None:
    """Report each damaged file once in a run of the page."""
    reported: set[str] = st.session_state.setdefault(_REPORTED, set())
    if str(error) not in reported:
        reported.add(str(error))
        layout.say_error(error)


def begin_run() -> None:
    """Let the run of a page that begins report damaged files again."""
    st.session_state.pop(_REPORTED, None)


def note_other_weights(record: Record[Any], model: Model | None) -> None:
    """Write a line where a record was made with other weights than those that now have this name."""
    origin = record.provenance
    if model is None or origin.checkpoint != model.facts.name or not origin.checkpoint_sha256:
        return
    if model.facts.sha256 not in origin.checkpoint_sha256:
        st.caption(
            f":material/info: This record is of other weights of {model.facts.name}; make it again with: "
            f"{origin.command or 'its command'}"
        )
