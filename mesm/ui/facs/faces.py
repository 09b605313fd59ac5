"""Canonical faces on the FACS page: where the masks lie on the average face, and where they differ."""

from __future__ import annotations

import streamlit as st

from mesm.figures.charts import PLOTLY_CONFIG
from mesm.studies.facs import exports as exhibits
from mesm.studies.facs.chart_data import canonical_faces, colour_range, is_difference, view_words
from mesm.studies.facs.screen import chart_canonical
from mesm.ui import export_menu, layout, state
from mesm.ui.facs import leak_tests as facs_leak
from mesm.ui.facs.facs_records import Found
from mesm.ui.facs.heat_map import pick_layer


def show(found: Found, leak: Found, facs: Found) -> None:
    """One template face per emotion, with pickers for the layer and for what is shown."""
    st.subheader("On the average face")
    if found.data is None:
        layout.empty("Nothing was averaged.", found.remedy)
        return
    data = found.data
    words = view_words(data)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        view = st.selectbox(
            "Shown", list(words), format_func=words.__getitem__, key="faces-view", bind="query-params", width=420
        )
        layer = pick_layer("faces-layer")
    faces = canonical_faces(data, layer, view)
    st.plotly_chart(
        chart_canonical(data, faces, view, colour_range(faces, view), state.dark()),
        theme=None,
        config=PLOTLY_CONFIG,
        key="facs-faces",
        alt=f"An outlined face per emotion, layer {layer + 1}: {words[view]}.",
    )
    reading = (
        f"Full colour where the difference is significant (signs of whole speakers flipped, false-discovery rate "
        f"{100 * data['alpha']:.0f} % over the cells of a face); blue is less, orange more."
        if is_difference(view)
        else "Yellow is more."
    )
    st.caption(
        f"Every face is moved onto one template by its five points and averaged, each speaker once; no participant is "
        f"shown. {reading} {data['frames']} faces of {data['speakers']} speakers; emotion: {data['emotion_from']}."
    )
    if found.record is not None:
        export_menu.offer(exhibits.canonical(found.record, view), "facs-faces")
    facs_leak.beside(leak, facs)
