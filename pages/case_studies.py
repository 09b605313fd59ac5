"""Show the case studies: choose a clip and see its scores, its kept sites and its cost."""

import streamlit as st

from mesm.ui import controls, frame, layout, models
from mesm.ui.case_studies import case_view, filters, gallery, notebook_view, paper_figures
from mesm.ui.models import Verdict

frame.enter()
layout.heading(
    "Case studies",
    "For one clip: which sites does the model keep, what does it score, and what does it cost?",
)
model = controls.pick_model()
opened = controls.pick_corpus()


def verdicts() -> dict[str, Verdict] | None:
    """Score every clip once, with a progress bar; return None without a model."""
    if model is None or opened is None:
        return None
    bar = st.progress(0.0, "Scoring all clips …")
    try:
        return models.find_verdicts(model, opened, lambda done, all_: bar.progress(done / all_))
    finally:
        bar.empty()


with layout.one_sentence_errors():
    if opened is not None and not len(opened.corpus):
        layout.empty("This corpus has no clips yet.", "Its build was interrupted; run the build command again.")
    elif opened is not None:
        emotion = controls.pick_emotion(opened.corpus.labels)
        rows = filters.choose_rows(opened.corpus.index, emotion, verdicts)
        if rows:
            known_verdicts = models.find_verdicts(model, opened) if model is not None else None
            clip_id = gallery.choose_clip(opened, rows, emotion, known_verdicts)
            st.divider()
            case_view.show_case(opened.case(clip_id), model)
            paper_figures.show_paper_figures(opened, model, clip_id)
        else:
            layout.empty("No clip passes these filters.", "Choose another emotion, speaker or word.")
notebook_view.show_notebook()
