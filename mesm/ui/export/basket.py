"""Hold the figures and tables that a visitor collects for export, for the length of the visit."""

from __future__ import annotations

import streamlit as st

from mesm.figures.export import ExportItem, FigureExport

_KEY = "basket"
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


def remove(key: str) -> None:
    """Remove one."""
    items().pop(key, None)


def is_made_again(export: FigureExport) -> bool:
    """Return whether a command makes the export again; none does for one of an own clip."""
    return not export.command.startswith("#")


def remove_own() -> None:
    """Remove the exports of the visitor's own clip."""
    for key in [key for key, item in items().items() if not is_made_again(item.export)]:
        remove(key)


def empty() -> None:
    """Remove all."""
    items().clear()
