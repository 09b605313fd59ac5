"""The basket on the Export page: what is in it, how it is wanted, one zip of it all."""

from __future__ import annotations

import streamlit as st

from mesm.figures.export import Exhibit, Item, bundle, full_command, render
from mesm.figures.page import WIDTH_WORDS, width_in
from mesm.ui import layout
from mesm.ui.export import basket
from mesm.ui.export_menu import form_word


def show() -> None:
    """Every item with its picture, size, formats and command; the zip on top."""
    held = basket.items()
    if not held:
        layout.empty("The basket is empty.", "Under every figure and table is a menu, Export, with “Add to basket”.")
        return
    _take(held)
    for key, item in list(held.items()):
        with st.container(border=True):
            _item(key, item)


def _take(held: dict[str, Item]) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            f"Download {len(held)} as one zip",
            lambda: bundle(list(held.values())),
            "mesm-figures.zip",
            "application/zip",
            type="primary",
            icon=":material/folder_zip:",
            on_click="ignore",
        )
        st.button("Empty the basket", on_click=basket.empty, icon=":material/remove_shopping_cart:")
    st.caption(
        "In the zip: every figure in its formats, with its provenance beside it and inside; references.bib; and "
        "commands.txt, with the command that makes each file again."
    )


def _item(key: str, item: Item) -> None:
    exhibit = item.exhibit
    picture, wishes = st.columns([1, 1.6], gap="medium")
    with wishes:
        st.markdown(f"**{layout.plain(exhibit.title)}**")
        width = st.selectbox(
            "Width", list(WIDTH_WORDS), list(WIDTH_WORDS).index(item.width), format_func=WIDTH_WORDS.__getitem__,
            key=f"basket-width-{key}",
        )  # fmt: skip
        forms = st.pills(
            "Formats", exhibit.formats, selection_mode="multi", default=item.forms, format_func=form_word,
            key=f"basket-forms-{key}",
        )  # fmt: skip
        basket.add(exhibit, tuple(forms), width)
        st.caption(f"{exhibit.name}, {width_in(width):.2f} in wide" + _faces(exhibit))
        st.code(full_command(exhibit, forms[0] if forms else "json", width), language="bash", wrap_lines=True)
        st.button("Remove", key=f"remove-{key}", on_click=basket.remove, args=(key,), icon=":material/delete:")
    with picture, layout.one_sentence_errors():
        st.image(_preview(key, width, exhibit), width="stretch", alt=exhibit.caption)


def _faces(exhibit: Exhibit) -> str:
    return {"": "", "none": ", faces as they are", "blur": ", faces blurred", "sketch": ", faces sketched"}[
        exhibit.privacy
    ]


@st.cache_data(max_entries=basket.MOST, show_spinner="Drawing …")
def _preview(key: str, width: str, _exhibit: Exhibit) -> bytes:
    return render(_exhibit, "png", width)
