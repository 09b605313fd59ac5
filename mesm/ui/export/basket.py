"""Hold the figures and tables that a visitor collects for export.

Each is a file of the workspace's basket/ folder: its command, formats and width, so that several processes can write at
once, and a reload, a new tab or a link loses nothing. The figure itself stays in the visit that made it; in another it is
made again by its command. An export of a visitor's own clip is never written: it ends with the visit. On a public server
nothing is written.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import streamlit as st

from mesm import runtime
from mesm.access import access
from mesm.errors import DataError, MesmError
from mesm.figures.export import ExportItem, FigureExport
from mesm.files import write_atomic
from mesm.json_form import from_json, members, read_json
from mesm.ui.corpora import hides_faces

FOLDER = "basket"
_LIVE, _OWN, _OFFERED = "basket-live", "basket-own", "offered"
#: More than a paper has figures; keeps the memory of a visit bounded.
MOST = 60
#: Makes an export again from its command.
Remake = Callable[[str], FigureExport]


@dataclass(frozen=True)
class BasketEntry:
    """Hold one collected export as it is written to disk.

    Attributes:
        command: makes the export again, see `FigureExport.command`.
        privacy: of its faces, "" without any.
        title: of the export.
        added: seconds since 1970.
        forms: chosen formats.
        width: chosen width.
    """

    command: str
    privacy: str
    title: str
    added: float
    forms: tuple[str, ...] = ("pdf",)
    width: str = "acl-column"

    @property
    def key(self) -> str:
        """Return the identity of the entry: adding the same settings twice changes formats and width."""
        return f"{self.command} {self.privacy}"


def folder() -> Path:
    """Return the basket's folder in the workspace."""
    return runtime.workspace() / FOLDER


def entries(on_error: Callable[[MesmError], None] = lambda error: None) -> dict[str, BasketEntry]:
    """Return key -> entry in the order of adding: those of the workspace, and the visit's own.

    Args:
        on_error: called for each file that is no entry; the others are returned.
    """
    read: dict[str, BasketEntry] = dict(_own())
    for path in folder().glob("*.json") if access().writes_workspace else ():
        try:
            entry = from_json(BasketEntry, members(read_json(path)), "an entry")
        except DataError as error:
            if not path.exists():  # another process removed it at this moment
                continue
            on_error(DataError(f"{FOLDER}/{path.name} of the workspace is no entry of the basket ({error}); remove it"))
            continue
        read[entry.key] = entry
    return dict(sorted(read.items(), key=lambda item: item[1].added))


def export_of(entry: BasketEntry, remake: Remake) -> FigureExport:
    """Return the export of an entry: the visit's, else made again.

    Raises:
        MesmError: its command cannot be run any more.
    """
    live = _live()
    if entry.key not in live:
        export = remake(entry.command)
        # The command shows faces unchanged to whoever owns this machine; the page does not, to others.
        if (
            export.private is not None
            and export.privacy == "none"
            and hides_faces(str(export.origin.get("licence", "")))
        ):
            export = export.private("blur")
        live[entry.key] = export
    return live[entry.key]


def key_of(export: FigureExport) -> str:
    """Return the key of an export."""
    return f"{export.command} {export.privacy}"


def add(export: FigureExport, forms: tuple[str, ...], width: str) -> None:
    """Add an export to the basket, or change its formats and width; a full basket takes no more.

    Raises:
        DataError: the workspace cannot be written.
    """
    held = entries()
    known = held.get(key_of(export))
    if known is None and len(held) >= MOST:
        return
    added = known.added if known is not None else time.time()
    _live()[key_of(export)] = export
    _put(BasketEntry(export.command, export.privacy, export.title, added, forms, width))


def change(entry: BasketEntry, forms: tuple[str, ...], width: str) -> None:
    """Change the formats and the width of an entry.

    Raises:
        DataError: the workspace cannot be written.
    """
    if (forms, width) != (entry.forms, entry.width):
        _put(replace(entry, forms=forms, width=width))


def offer(place: str, export: FigureExport, forms: tuple[str, ...], width: str) -> None:
    """Hold what a menu offers. Streamlit keeps a button's arguments for the whole visit, so it must not have the export."""
    st.session_state.setdefault(_OFFERED, {})[place] = ExportItem(export, forms, width)


def add_offered(place: str) -> None:
    """Add what the menu at a place offers."""
    if (item := st.session_state.get(_OFFERED, {}).get(place)) is not None:
        add(item.export, item.forms, item.width)


def remove(key: str) -> None:
    """Remove one."""
    _own().pop(key, None)
    _live().pop(key, None)
    if access().writes_workspace:
        _file(key).unlink(missing_ok=True)


def is_written(export: FigureExport | BasketEntry) -> bool:
    """Return whether an entry of the basket is a file of the workspace, and not only of the visit."""
    return access().writes_workspace and is_made_again(export)


def is_made_again(export: FigureExport | BasketEntry) -> bool:
    """Return whether a command alone makes the export again; one of an own clip needs the visitor's file as well."""
    return export.command.startswith("mesm figure ")


def remove_own() -> None:
    """Remove the exports of the visitor's own clip."""
    for key in [key for key, entry in _own().items() if not is_made_again(entry)]:
        remove(key)
    offered = st.session_state.get(_OFFERED, {})
    for place in [place for place, item in offered.items() if not is_made_again(item.export)]:
        del offered[place]


def empty() -> None:
    """Remove all."""
    for key in entries():
        remove(key)


def _put(entry: BasketEntry) -> None:
    if is_written(entry):
        write_atomic(_file(entry.key), (json.dumps(asdict(entry), indent=1) + "\n").encode())
    else:
        _own()[entry.key] = entry


def _file(key: str) -> Path:
    return folder() / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.json"


def _own() -> dict[str, BasketEntry]:
    return st.session_state.setdefault(_OWN, {})


def _live() -> dict[str, FigureExport]:
    return st.session_state.setdefault(_LIVE, {})
