"""FACS: does the model look where the Facial Action Coding System says?"""

import streamlit as st

from mesm.ui import controls, frame, layout
from mesm.ui.facs import faces as facs_faces
from mesm.ui.facs import facs_records
from mesm.ui.facs import heat_map as facs_heat
from mesm.ui.facs import leak_tests as facs_leak
from mesm.ui.facs import statement_table as facs_statements

frame.enter()
layout.heading(
    "FACS",
    "Does the attention lie where a codebook of facial movements says, and more than chance would?",
)
model = controls.pick_model()
shelf = controls.pick_corpus()

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
