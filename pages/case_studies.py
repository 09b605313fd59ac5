"""Case studies: which clips are there, and what does the model see in one of them?"""

import streamlit as st

from mesm.ui import controls, frame, layout, resources
from mesm.ui.case_studies import case_view, filters, gallery, notebook_view
from mesm.ui.resources import Verdict

frame.enter()
layout.heading("Case studies", "What does the model look at, what does it score, and what does that cost?")
model = controls.pick_model()
shelf = controls.pick_shelf()


def verdicts() -> dict[str, Verdict] | None:
    """Every clip scored once, with a bar that moves; None without a model."""
    if model is None or shelf is None:
        return None
    bar = st.progress(0.0, "Scoring every clip once …")
    try:
        return resources.verdicts(model, shelf, lambda done, all_: bar.progress(done / all_))
    finally:
        bar.empty()


with layout.one_sentence_errors():
    if shelf is not None and not len(shelf.corpus):
        layout.empty("This corpus has no clips yet.", "Its build was interrupted; run it again.")
    elif shelf is not None:
        emotion = controls.pick_emotion(shelf.corpus.labels)
        rows = filters.choose_rows(shelf.corpus.index, emotion, verdicts)
        if rows:
            known = resources.verdicts(model, shelf) if model is not None else None
            clip_id = gallery.choose_clip(shelf, rows, emotion, known)
            st.divider()
            case_view.show(shelf.case(clip_id), model)
        else:
            layout.empty("No clip fits these filters.", "Choose another emotion, speaker or word.")
notebook_view.show()
