"""Runs: how does training go, and how do its settings compare?"""

from mesm.ui import controls, frame, layout
from mesm.ui.runs import view as runs_view

frame.enter()
layout.heading("Runs", "How does training go, and what do other settings make of it?")
controls.pick_model()
controls.pick_corpus(needed=False)
with layout.one_sentence_errors():
    runs_view.start_form()
    runs_view.live()
