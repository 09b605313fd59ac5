"""Show the efficiency: scores against cost over top-p, cost by layer, cost of each clip."""

import streamlit as st

from mesm.ui import controls, frame, layout
from mesm.ui.efficiency.view import show_own_sweep, show_sweeps

frame.enter()
layout.heading("Efficiency", "How much accuracy is lost when fewer sites are computed, and which layers cost the most?")
model = controls.pick_model()
corpus = controls.pick_corpus()

show_sweeps(model, corpus)
show_own_sweep(model, corpus)
st.caption(
    "Multiply-adds are counted from the sites that each clip keeps, not estimated: first layers, attention, and one "
    "product per pair of neighbouring kept sites. The text encoder is left out: its cost does not depend on top-p. "
    "Times are of one clip alone, medians of 16 clips, all models in turn on the machine that stands beside them."
)
