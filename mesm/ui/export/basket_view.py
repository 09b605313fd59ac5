"""Show the basket on the Export page: its items with formats and widths, and one zip of all."""

from __future__ import annotations

import streamlit as st

from mesm.figures.export import ExportItem, FigureExport, fitting_width, full_command, make_zip, print_notes, render
from mesm.figures.page import WIDTH_WORDS, width_in
from mesm.ui import layout
from mesm.ui.export import basket
from mesm.ui.export_menu import form_word


def show_basket() -> None:
    """Show every item with its picture, size, formats and command; the zip on top."""
    held = basket.items()
    if not held:
        layout.empty("The basket is empty.", "Under every figure and table, the menu Export has “Add to basket”.")
        return
    _take(held)
    for key, item in list(held.items()):
        with st.container(border=True):
            _item(key, item)


def _take(held: dict[str, ExportItem]) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            f"Download {len(held)} as one zip",
            lambda: make_zip(list(held.values())),
            "mesm-figures.zip",
            "application/zip",
            type="primary",
            icon=":material/folder_zip:",
            on_click="ignore",
        )
        st.button("Empty the basket", on_click=basket.empty, icon=":material/remove_shopping_cart:")
    st.caption(
        "The zip contains every figure in its formats, its provenance beside it and inside, captions.txt and "
        "captions.tex, references.bib, and commands.txt with the command that makes each file again."
    )


def _item(key: str, item: ExportItem) -> None:
    export = item.export
    picture, wishes = st.columns([1, 1.6], gap="medium")
    with wishes:
        st.markdown(f"**{layout.plain(export.title)}**")
        width = st.selectbox(
            "Width", list(WIDTH_WORDS), list(WIDTH_WORDS).index(item.width), format_func=WIDTH_WORDS.__getitem__,
            key=f"basket-width-{key}",
        )  # fmt: skip
        forms = st.pills(
            "Formats", export.formats, selection_mode="multi", default=item.forms, format_func=form_word,
            key=f"basket-forms-{key}",
        )  # fmt: skip
        basket.add(export, tuple(forms), width)
        fitted = fitting_width(export, width)
        st.caption(
            f"{export.name}, {width_in(fitted):.2f} in wide{_faces(export)}. {' '.join(print_notes(export, width))}"
        )
        st.code(full_command(export, forms[0] if forms else "json", width), language="bash", wrap_lines=True)
        st.button("Remove", key=f"remove-{key}", on_click=basket.remove, args=(key,), icon=":material/delete:")
    with picture, layout.one_sentence_errors():
        draw = _preview if basket.is_made_again(export) else _preview_own
        st.image(draw(key, width, export), width="stretch", alt=export.caption)


def _faces(export: FigureExport) -> str:
    return {"": "", "none": ", faces unchanged", "blur": ", faces blurred", "sketch": ", faces sketched"}[
        export.privacy
    ]


@st.cache_data(max_entries=basket.MOST, show_spinner="Drawing …")
def _preview(key: str, width: str, _exhibit: FigureExport) -> bytes:
    return render(_exhibit, "png", width)


def _preview_own(key: str, width: str, exhibit: FigureExport) -> bytes:
    """Draw a figure of the visitor's own clip, which no cache keeps."""
    return render(exhibit, "png", width)
