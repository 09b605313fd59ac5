"""Hold the figures and tables that a visitor collects for export, for the length of the visit."""

from __future__ import annotations

import streamlit as st

from mesm.figures.export import ExportItem, FigureExport

_KEY, _OFFERED = "basket", "offered"
#: More than a paper has figures; keeps the memory of a visit bounded.
MOST = 60


def items() -> dict[str, ExportItem]:
    """Return key -> item, in the order in which they were added."""
    return st.session_state.setdefault(_KEY, {})


def key_of(export: FigureExport) -> str:
    """Return the key of an export; the same settings have the same key, so adding it twice changes its formats."""
    return f"{export.command} {export.privacy}"


def add(export: FigureExport, forms: tuple[str, ...], width: str) -> None:
    """Add an export to the basket, or change its formats and width."""
    held = items()
    if key_of(export) in held or len(held) < MOST:
        held[key_of(export)] = ExportItem(export, forms, width)


def offer(place: str, export: FigureExport, forms: tuple[str, ...], width: str) -> None:
    """Hold what a menu offers. Streamlit keeps a button's arguments for the whole visit, so it must not have the export."""
    st.session_state.setdefault(_OFFERED, {})[place] = ExportItem(export, forms, width)


def add_offered(place: str) -> None:
    """Add what the menu at a place offers."""
    if (item := st.session_state.get(_OFFERED, {}).get(place)) is not None:
        add(item.export, item.forms, item.width)


def remove(key: str) -> None:
    """Remove one."""
    items().pop(key, None)


def is_made_again(export: FigureExport) -> bool:
    """Return whether a command alone makes the export again; one of an own clip needs the visitor's file as well."""
    return not export.command.startswith(("#", "mesm ingest"))


def remove_own() -> None:
    """Remove the exports of the visitor's own clip."""
    for held in (items(), st.session_state.get(_OFFERED, {})):
        for key in [key for key, item in held.items() if not is_made_again(item.export)]:
            del held[key]


def empty() -> None:
    """Remove all."""
    items().clear()
