"""Hold the one store of records that all pages read."""

from __future__ import annotations

import streamlit as st

from mesm.errors import DataError
from mesm.records.store import RecordStore
from mesm.runtime import record_folders
from mesm.ui import layout

_REPORTED = "damaged-records"


def records() -> RecordStore:
    """Return the store; a damaged file is left out, and reported on the page in one sentence."""
    return _store()


@st.cache_resource(show_spinner=False)
def _store() -> RecordStore:
    return RecordStore(record_folders, _report)


def _report(error: DataError) -> None:
    """Report each damaged file once in a run of the page."""
    reported: set[str] = st.session_state.setdefault(_REPORTED, set())
    if str(error) not in reported:
        reported.add(str(error))
        layout.say_error(error)


def begin_run() -> None:
    """Let the run of a page that begins report damaged files again."""
    st.session_state.pop(_REPORTED, None)
