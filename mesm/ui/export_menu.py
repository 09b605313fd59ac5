"""The small menu under every figure and table: take it along as a file, or put it into the basket."""

from __future__ import annotations

from functools import partial

import streamlit as st

from mesm.figures.export import FORMATS, PICTURES, Exhibit, full_command, render
from mesm.figures.page import WIDTH_WORDS
from mesm.figures.tables import Table
from mesm.ui import records
from mesm.ui.export import basket

PRIVACY_WORDS = {"none": "as they are", "blur": "blurred", "sketch": "sketched"}
_FORM_WORDS = {"tex": "LaTeX"}


def offer(exhibit: Exhibit, key: str) -> None:
    """A menu for one exhibit. What is in it runs only while it is open, so a page pays one button for it.

    Args:
        exhibit: `exhibit.draw` is called when a file is asked for, not before.
        key: of the menu, one per place on the page.
    """
    menu = st.popover("Export", icon=":material/download:", type="tertiary", key=f"export-{key}", on_change="rerun")
    if menu.open:
        with menu:
            _contents(exhibit, key)


def tabled(exhibit: Exhibit, key: str, groups: str = "source", shown: Table | None = None) -> None:
    """A table on the screen, its caption, its menu.

    Args:
        groups: name of the column that says which group a line belongs to.
        shown: the part of the exhibit's table that is on the screen; the files hold the whole.
    """
    assert exhibit.table is not None
    records.show_table(shown or exhibit.table, f"{exhibit.title}. {exhibit.caption}", groups)
    st.caption(exhibit.caption)
    offer(exhibit, key)


def _contents(exhibit: Exhibit, key: str) -> None:
    st.markdown(f"**{exhibit.title}**")
    width = st.selectbox(
        "Width", list(WIDTH_WORDS), format_func=WIDTH_WORDS.__getitem__, key=f"width-{key}", persist_state="session"
    )
    if exhibit.private is not None:
        chosen = st.segmented_control(
            "Faces",
            list(PRIVACY_WORDS),
            default=exhibit.privacy,
            required=True,
            format_func=PRIVACY_WORDS.__getitem__,
            key=f"privacy-{key}-{exhibit.privacy}",
            help="Blurred unless the corpus's licence lets its faces be published.",
        )
        exhibit = exhibit.private(chosen or exhibit.privacy)
    with st.container(horizontal=True, gap="small"):
        for form in exhibit.formats:
            st.download_button(
                form_word(form),
                partial(render, exhibit, form, width),
                f"{exhibit.name}.{form}",
                FORMATS[form],
                key=f"{form}-{key}",
                on_click="ignore",
            )
    forms = tuple(f for f in exhibit.formats if f != "json") if exhibit.draw is None else PICTURES[:1]
    st.button(
        "In the basket" if basket.key_of(exhibit) in basket.items() else "Add to basket",
        key=f"basket-{key}",
        icon=":material/add_shopping_cart:",
        on_click=basket.add,
        args=(exhibit, forms, width),
        help="The Export page makes one zip of the basket.",
    )
    st.code(full_command(exhibit, exhibit.formats[0], width), language="bash", wrap_lines=True)


def form_word(form: str) -> str:
    """A format as a page names it."""
    return _FORM_WORDS.get(form, form.upper())
