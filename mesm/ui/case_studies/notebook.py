"""Store the notebook of cases: starred clips with notes, one file per workspace; on a public server, of the visit."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from urllib.parse import urlencode

import streamlit as st

from mesm import runtime
from mesm.access import access
from mesm.errors import DataError
from mesm.files import write_atomic
from mesm.json_form import from_json, items, members, read_json

FILE = "notebook.json"
#: Longest note.
NOTE_LETTERS = 4000
_VISIT = "notebook-visit"
_lock = threading.Lock()


@dataclass(frozen=True)
class Entry:
    """Hold one starred case.

    Attributes:
        corpus: key, as `data.corpora.find_corpora` has it.
        clip_id: in that corpus.
        checkpoint: name.
        top_p: of the view that was starred.
        note: as typed.
        words: transcript of the clip; "" of an entry that an earlier version wrote.
        scores: emotion -> score at that top-p, highest first.
    """

    corpus: str
    clip_id: str
    checkpoint: str
    top_p: float
    note: str = ""
    words: str = ""
    scores: dict[str, float] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str]:
        """Return the identity of the entry: a clip is starred once per checkpoint."""
        return self.corpus, self.clip_id, self.checkpoint

    @property
    def link(self) -> str:
        """Return the query of the URL that opens the case again."""
        view = {"checkpoint": self.checkpoint, "corpus": self.corpus, "clip": self.clip_id, "p": f"{self.top_p:g}"}
        return urlencode(view)


def path() -> Path:
    """Return the notebook's file in the workspace."""
    return runtime.workspace() / FILE


def read() -> dict[tuple[str, str, str], Entry]:
    """Read every entry by its key, in the order of starring.

    Raises:
        DataError: the file is not a notebook.
    """
    if not access().writes_workspace:
        return dict(st.session_state.get(_VISIT, {}))
    if not path().is_file():
        return {}
    names = {one.name for one in fields(Entry)}
    try:
        rows = map(members, items(members(read_json(path())).get("cases")))
        entries = [from_json(Entry, {k: v for k, v in row.items() if k in names}, "a case") for row in rows]
    except DataError as error:
        raise DataError(
            f"{FILE} of the workspace is not a notebook ({error}); move it away to begin a new one"
        ) from error
    return {entry.key: entry for entry in entries}


def put(entry: Entry) -> None:
    """Add an entry, or replace the one with its key; entries that others added meanwhile stay."""
    with _lock:
        _write(read() | {entry.key: entry})


def drop(key: tuple[str, str, str]) -> None:
    """Remove an entry."""
    with _lock:
        _write({k: entry for k, entry in read().items() if k != key})


def _write(entries: dict[tuple[str, str, str], Entry]) -> None:
    if not access().writes_workspace:
        st.session_state[_VISIT] = entries
        return
    text = json.dumps({"cases": [asdict(entry) for entry in entries.values()]}, indent=1)
    write_atomic(path(), (text + "\n").encode())
