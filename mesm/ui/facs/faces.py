"""Show canonical faces on the FACS page: where the masks lie on the average face, and where they differ."""

from __future__ import annotations

import streamlit as st

from mesm.records.canonical import CanonicalFaces
from mesm.studies.facs.chart_data import face_grid, layer_names, view_words
from mesm.studies.facs.exports import faces_export
from mesm.studies.facs.screen import chart_faces
from mesm.ui import export_menu, layout, state
from mesm.ui.facs.facs_records import RecordLookup
from mesm.ui.facs.heat_map import pick_layer


def show_faces(canonical: RecordLookup[CanonicalFaces]) -> None:
    """Show one template face per emotion, with pickers for the layer and the view."""
    st.subheader("On the average face")
    if canonical.record is None:
        layout.empty("Nothing was averaged.", canonical.remedy)
        return
    faces = canonical.record.data
    words = view_words(faces)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        view = st.selectbox(
            "Shown", list(words), format_func=words.__getitem__, key="faces-view", bind="query-params", width=420
        )
        layer = pick_layer("faces-layer", layer_names(faces.layers))
    grid = face_grid(faces, view, [layer])
    alt = f"An outlined face per emotion, layer {layer + 1}: {words[view]}."
    layout.chart(chart_faces(grid, state.dark()), "facs-faces", alt)
    reading = (
        f"Full colour where the difference is significant (sign flips over speakers, false-discovery rate "
        f"{100 * faces.alpha:.0f} % over the cells of a face); blue is less, orange more."
        if grid.signed
        else "Yellow is more."
    )
    st.caption(
        f"Every face is moved onto one template by its five points and averaged, each speaker once; no participant is "
        f"shown. {reading} {faces.frames} faces of {faces.speakers} speakers; emotion: {faces.emotion_from}."
    )
    export_menu.offer(faces_export(canonical.record, view), "facs-faces")
