"""What a visitor has put aside to take along; it lives as long as the visit."""

from __future__ import annotations

import streamlit as st

from mesm.figures.export import Exhibit, Item

_KEY = "basket"
#: More than a paper has figures; keeps the memory of a visit bounded.
MOST = 60


def items() -> dict[str, Item]:
    """Key -> item, in the order in which they were added."""
    return st.session_state.setdefault(_KEY, {})


def key_of(exhibit: Exhibit) -> str:
    """The same exhibit with the same settings has the same key: adding it twice changes its formats."""
    return f"{exhibit.command} {exhibit.privacy}"


def add(exhibit: Exhibit, forms: tuple[str, ...], width: str) -> None:
    """Put an exhibit into the basket, or set what is wanted of it."""
    held = items()
    if key_of(exhibit) in held or len(held) < MOST:
        held[key_of(exhibit)] = Item(exhibit, forms, width)


def remove(key: str) -> None:
    """Take one out."""
    items().pop(key, None)


def empty() -> None:
    """Take all out."""
    items().clear()
