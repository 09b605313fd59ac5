"""Show the menu under every figure and table: download it as a file, or add it to the basket."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import streamlit as st

from mesm.figures.export import FORMATS, PICTURES, FigureExport, full_command, print_notes, render
from mesm.figures.page import FONTS, WIDTH_WORDS
from mesm.figures.tables import Table
from mesm.ui import layout, tables
from mesm.ui.export import basket

PRIVACY_WORDS = {"none": "unchanged", "blur": "blurred", "sketch": "sketched"}
_FORM_WORDS = {"tex": "LaTeX"}


def offer(export: FigureExport, key: str) -> None:
    """Show a menu for one figure or table. Its content is made only while it is open."""
    menu = st.popover("Export", icon=":material/download:", type="tertiary", key=f"export-{key}", on_change="rerun")
    if menu.open:
        with menu:
            _contents(export, key)


def captioned(export: FigureExport, key: str) -> None:
    """Show the caption under a figure, and its menu."""
    st.caption(export.caption)
    offer(export, key)


def tabled(
    export: FigureExport, key: str, groups: str = "source", shown: Table | None = None, click_key: str = ""
) -> int | None:
    """Show a table with its caption and its menu; return the line that was clicked, see `show_table`.

    Args:
        groups: name of the column with the group of each line.
        shown: the part of the table that is on the screen; the files hold all of it.
        click_key: see `show_table`.
    """
    assert export.table is not None
    clicked = tables.show_table(shown or export.table, f"{export.title}. {export.caption}", groups, click_key)
    captioned(export, key)
    return clicked


def _contents(export: FigureExport, key: str) -> None:
    st.markdown(f"**{export.title}**")
    width = st.selectbox(
        "Width", list(WIDTH_WORDS), format_func=WIDTH_WORDS.__getitem__, key=f"width-{key}", persist_state="session"
    )
    if export.private is not None:
        help_ = "Blurred unless the corpus's licence allows publishing its faces."
        chosen = layout.choose(
            "Faces", list(PRIVACY_WORDS), f"privacy-{key}-{export.privacy}", default=export.privacy, words=PRIVACY_WORDS,
            in_url=False, help=help_,
        )  # fmt: skip
        export = export.private(chosen)
        if chosen != "none":
            st.caption(
                f"Over {PRIVACY_WORDS[chosen]} faces a mask shows less; heat map, contours and points stay clear."
            )
    if chosen_font := st.selectbox(
        "Letters", list(FONTS), format_func=FONTS.__getitem__, key=f"font-{key}", persist_state="session"
    ):
        export = replace(export, font=chosen_font)
    for note in print_notes(export, width):
        st.caption(f":material/info: {note}")
    with st.container(horizontal=True, gap="small"):
        for form in export.formats:
            st.download_button(
                form_word(form),
                partial(render, export, form, width),
                f"{export.name}.{form}",
                FORMATS[form],
                key=f"{form}-{key}",
                on_click="ignore",
            )
    forms = tuple(f for f in export.formats if f != "json") if export.draw is None else PICTURES[:1]
    basket.offer(key, export, forms, width)
    st.button(
        "In the basket" if basket.key_of(export) in basket.entries() else "Add to basket",
        key=f"basket-{key}",
        icon=":material/add_shopping_cart:",
        on_click=_add,
        args=(key,),
        help="The Export page writes the basket as one zip."
        + ("" if basket.is_made_again(export) else " This clip is your own: it stays until you close this page."),
    )
    command = full_command(export, export.formats[0], width)
    st.code(command.replace(" && mesm figure", "\nmesm figure"), language="bash", wrap_lines=True)
    if command.startswith("mesm ingest"):
        st.caption("The names in the first line stand for your files.")


def _add(place: str) -> None:
    with layout.one_sentence_errors():
        basket.add_offered(place)


def form_word(form: str) -> str:
    """Return the name of a format on the screen."""
    return _FORM_WORDS.get(form, form.upper())
