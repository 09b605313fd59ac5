"""Show the case studies: choose a clip and see its scores, its kept sites and its cost."""

import streamlit as st

from mesm.ui import controls, frame, layout, models
from mesm.ui.case_studies import case_view, filters, gallery, notebook_view, paper_figures, parts, trace_export
from mesm.ui.models import Verdict

frame.enter()
parts.follow()
layout.heading(
    "Case studies",
    "For one clip: which sites does the model keep, what does it score, and what does it cost?",
)
model = controls.pick_model()
opened = controls.pick_corpus()
if model is not None and opened is not None:
    models.note_harder_clips(model, opened)


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
        listed = parts.part_rows(opened, model)
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="filters"):
            emotion = controls.pick_emotion(opened.corpus.labels)
            chosen = filters.pick_filters(opened.corpus.index, emotion)
            count = st.empty()
        rows = filters.filter_rows(listed, chosen, verdicts() if chosen.needs_verdicts else None)
        if rows:
            known_verdicts = models.find_verdicts(model, opened) if model is not None else None
            clip_id = gallery.current_clip(opened, rows, chosen)
            count.caption(gallery.shown_words([row.clip_id for row in rows], clip_id, chosen))
            gallery.show_strip(opened, rows, emotion, known_verdicts, clip_id)
            case_view.show_case(opened.case(clip_id), model)
            if model is not None:
                trace_export.offer_traces(opened, model, rows, emotion)
            paper_figures.show_paper_figures(opened, model, clip_id)
        else:
            layout.empty("No clip passes these filters.", "Choose another emotion, speaker or word.")
notebook_view.show_notebook()
