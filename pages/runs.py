"""Show the runs: start, watch and compare training runs."""

from mesm.access import access
from mesm.ui import controls, frame, layout
from mesm.ui.runs.demo_corpus import show_demo_corpus
from mesm.ui.runs.view import list_training_corpora, show_runs, show_start_form

frame.enter()
layout.heading("Runs", "Start, watch and compare training runs.")
controls.pick_model()
controls.pick_corpus(needed=False)
if access().runs_jobs:
    with layout.one_sentence_errors():
        show_demo_corpus(is_needed=not list_training_corpora())
        show_start_form()
        show_runs()
else:
    layout.switched_off("Training")
