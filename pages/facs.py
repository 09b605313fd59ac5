"""FACS: does the model look where the Facial Action Coding System says?"""

import streamlit as st

from mesm.ui import controls, facs_faces, facs_heat, facs_leak, facs_records, facs_statements, frame, layout

frame.enter()
layout.heading(
    "FACS",
    "Does the attention lie where a codebook of facial movements says, and more than chance would?",
)
model = controls.pick_model()
shelf = controls.pick_shelf()

with layout.one_sentence_errors():
    if model is not None and shelf is not None and not model.facts.has_attention:
        layout.empty("This checkpoint has no attention: it computes every site.", "Choose a MESM.")
    elif model is not None and shelf is not None:
        facs = facs_records.find("facs", "facs", model, shelf)
        faithfulness = facs_records.find("faithfulness", "faithfulness", model, shelf)
        canonical = facs_records.find("canonical", "canonical", model, shelf)
        facs_heat.counter_view()
        facs_heat.show(facs, faithfulness)
        st.divider()
        facs_faces.show(canonical, faithfulness, facs)
        st.divider()
        facs_heat.controls_side_by_side(facs, faithfulness)
        st.divider()
        facs_statements.show(facs, faithfulness)
        st.divider()
        facs_leak.show(faithfulness)
