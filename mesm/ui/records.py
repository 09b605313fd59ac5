"""Find the records that the pages show, by kind, and read each once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from mesm.errors import MesmError
from mesm.records.base import Record as Stored
from mesm.records.legacy import find_records, read_record
from mesm.runtime import record_folders
from mesm.ui import layout
from mesm.ui.models import Model

Record = dict[str, Any]


def of_kind(kind: str) -> list[Record]:
    """List the readable records of a kind, the workspace's first; a damaged one is named and left out."""
    records = []
    for path in find_records(record_folders(), kind):
        try:
            records.append(_read(str(path), path.stat().st_mtime_ns))
        except MesmError as error:
            layout.say_error(error)
    return records


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
    """Return CHECKPOINT@CORPUS, the form of the command line."""
    origin = record["provenance"]
    return f"{origin['checkpoint']}@{origin['corpus']}"


def say_other_weights(record: Record, model: Model | None) -> None:
    """Show a line where a record was made with other weights than those that now have this name."""
    origin = record["provenance"]
    if model is None or origin["checkpoint"] != model.facts.name:
        return
    if origin.get("checkpoint_sha256") not in (None, model.facts.sha256):
        st.caption(
            f":material/info: This record is of other weights of {model.facts.name}; make it again with: "
            f"{origin.get('command', 'its command')}"
        )


@st.cache_data(max_entries=64, show_spinner=False)
def _read(path: str, stamp: int) -> Record:
    return read_record(Path(path))
