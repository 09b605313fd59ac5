"""Show the basket on the Export page: its items with formats and widths, and one zip of all."""

from __future__ import annotations

from functools import partial

import streamlit as st

from mesm.access import access, computing
from mesm.figures.export import ExportItem, FigureExport, fitting_width, full_command, make_zip, print_notes, render
from mesm.figures.page import WIDTH_WORDS, width_in
from mesm.ui import layout
from mesm.ui.export import basket
from mesm.ui.export.basket import BasketEntry, Remake
from mesm.ui.export_menu import form_word


def show_basket(remake: Remake) -> None:
    """Show every item with its picture, size, formats and command; the zip on top.

    Args:
        remake: makes the export of a command, for items that another visit collected.
    """
    held = basket.entries(layout.say_error)
    if not held:
        layout.empty("The basket is empty.", "Under every figure and table, the menu Export has “Add to basket”.")
        return
    top = st.container()
    items = []
    for entry in held.values():
        with st.container(border=True):
            items.append(_item(entry, remake))
    with top:
        _take([item for item in items if item is not None], len(held))
        if access().writes_workspace and not all(basket.is_made_again(entry) for entry in held.values()):
            st.caption(
                ":material/info: The figures of your own clip are written nowhere: they stay until you close or reload "
                "this page."
            )


def _take(items: list[ExportItem], held: int) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            f"Download {len(items)}{'' if len(items) == held else f' of {held}'} as one zip",
            partial(_zip, items),
            "mesm-figures.zip",
            "application/zip",
            type="primary",
            icon=":material/folder_zip:",
            on_click="ignore",
            disabled=not items,
        )
        st.button("Empty the basket", on_click=basket.empty, icon=":material/remove_shopping_cart:")
    st.caption(
        "The zip contains every figure in its formats, its provenance beside it and inside, captions.txt and "
        "captions.tex, references.bib, and commands.txt with the command that makes each file again. The basket "
        + ("is kept in this workspace." if access().writes_workspace else "ends with this visit: download it before.")
    )


@computing()
def _zip(items: list[ExportItem]) -> bytes:
    return make_zip(items)


def _item(entry: BasketEntry, remake: Remake) -> ExportItem | None:
    """Show one item; return it with its export, or None, with a sentence, where it cannot be made again."""
    item = None
    picture, wishes = st.columns([1, 1.6], gap="medium")
    with wishes:
        st.markdown(f"**{layout.plain(entry.title)}**")
        with layout.one_sentence_errors(), st.spinner("Making the figure again …"):
            export = basket.export_of(entry, remake)
            item = _choose(entry, export)
        st.button(
            "Remove", key=f"remove-{entry.key}", on_click=basket.remove, args=(entry.key,), icon=":material/delete:"
        )
    if item is not None:
        with picture, layout.one_sentence_errors():
            draw = _preview if basket.is_made_again(entry) else _preview_own
            st.image(draw(entry.key, item.width, item.export), width="stretch", alt=item.export.caption)
    return item


def _choose(entry: BasketEntry, export: FigureExport) -> ExportItem:
    width = st.selectbox(
        "Width", list(WIDTH_WORDS), list(WIDTH_WORDS).index(entry.width) if entry.width in WIDTH_WORDS else 0,
        format_func=WIDTH_WORDS.__getitem__, key=f"basket-width-{entry.key}",
    )  # fmt: skip
    known = [form for form in entry.forms if form in export.formats]
    forms = st.pills(
        "Formats", export.formats, selection_mode="multi", default=known, format_func=form_word,
        key=f"basket-forms-{entry.key}",
    )  # fmt: skip
    basket.change(entry, tuple(forms), width)
    fitted = fitting_width(export, width)
    st.caption(f"{export.name}, {width_in(fitted):.2f} in wide{_faces(export)}. {' '.join(print_notes(export, width))}")
    st.code(full_command(export, forms[0] if forms else "json", width), language="bash", wrap_lines=True)
    return ExportItem(export, tuple(forms), width)


def _faces(export: FigureExport) -> str:
    return {"": "", "none": ", faces unchanged", "blur": ", faces blurred", "sketch": ", faces sketched"}[
        export.privacy
    ]


@st.cache_data(max_entries=basket.MOST, show_spinner="Drawing …", scope="session")
def _preview(key: str, width: str, _exhibit: FigureExport) -> bytes:
    return render(_exhibit, "png", width)


def _preview_own(key: str, width: str, exhibit: FigureExport) -> bytes:
    """Draw a figure of the visitor's own clip, which no cache keeps."""
    return render(exhibit, "png", width)
