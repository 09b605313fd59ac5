"""Efficiency: what does less work cost in accuracy, and where does the work go?"""

import streamlit as st

from mesm.ui import controls, frame, layout
from mesm.ui.efficiency import view as efficiency_view

frame.enter()
layout.heading("Efficiency", "What does less work cost in accuracy, and where does the work go?")
model = controls.pick_model()
shelf = controls.pick_corpus()

failed = st.session_state.pop("sweep-failed", "")
if failed:
    st.error(f"{failed[:1].upper()}{failed[1:]}", icon=":material/error:")
chosen = efficiency_view.pick_sweeps(model, shelf)
if chosen:
    efficiency_view.show(chosen, model)
efficiency_view.own_sweep(model, shelf)
st.caption(
    "Work is counted from the sites that each clip keeps, not estimated: first layers, attention, and one product per "
    "pair of neighbouring kept sites. The text encoder is the same for every top-p and left out. "
    "Measured time is of one machine, and of its load that day."
)
