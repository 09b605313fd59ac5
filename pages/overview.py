"""Show the overview: the model in one picture, its scores and cost, and where to start."""

import streamlit as st

from mesm.analysis.provenance import clip_origin
from mesm.studies.architecture.chart_data import has_cnn
from mesm.studies.architecture.paper import architecture
from mesm.studies.case import captions
from mesm.studies.case.exports import export_case
from mesm.studies.case.mosaic import MosaicStyle, fit_window
from mesm.studies.facs.targets import missing_text_effect
from mesm.ui import clip_pictures, controls, export_menu, frame, layout, models, state
from mesm.ui.facs import facs_records
from mesm.ui.overview import drawing, view

frame.enter()
layout.heading(
    "Multimodal end-to-end sparse model",
    "It scores emotions in a short clip from **words, face and voice**. An attention, with the words as query, selects "
    "the sites of face and voice that are computed.",
)
model = controls.pick_model()
shelf = controls.pick_corpus()

picture = st.container()
attend, keep, compute = st.columns(3, gap="medium")
attend.markdown(
    "##### 1 Attention\nThe transcript is the query: it weights every site of each face crop and mel chunk."
)
keep.markdown(
    "##### 2 Nucleus\nThe smallest set of sites holding *p* of the attention is kept (nucleus sampling), in each of three "
    "blocks."
)
compute.markdown(
    "##### 3 Sparse convolution\nConvolutions are computed at kept sites only: a smaller *p* costs fewer multiply-adds."
)

st.markdown("##### Where to start")
frame.link("pages/case_studies.py", "**Case studies**: choose a clip, move p, and see kept sites, scores and cost")
frame.link("pages/try_a_clip.py", "**Try a clip**: the same views of a clip of your own")
frame.link("pages/facs.py", "**FACS**: compare the kept sites with the facial action units of a codebook")
frame.link("pages/efficiency.py", "**Efficiency**: scores against cost at every top-p")
example = st.container()

with layout.one_sentence_errors():
    if model is not None and shelf is not None:
        view.show_headline(model, shelf)
        view.show_awkward(model, shelf)

st.markdown("##### How to read the scores")
st.markdown(
    "A score is the model's output for one label of its training corpus, not a probability and not a person's feeling. "
    "Kept sites are the input of the next layers; they are not an explanation of the decision.\n\n"
    "After Dai, Cahyawijaya, Liu and Fung: *Multimodal End-to-End Sparse Model for Emotion Recognition*, NAACL 2021, "
    "[arXiv 2103.09666](https://arxiv.org/abs/2103.09666)."
)

with layout.one_sentence_errors():
    study = facs_records.find_record("facs", model, shelf).data if model is not None and shelf is not None else None
    if study is not None and (sentence := missing_text_effect(study)) is not None:
        st.caption(f":material/info: {sentence}")

# Last, so that the rest of the page is shown while the picture is drawn and the model is loaded.
with picture:
    if model is not None and has_cnn(config := model.facts.config):
        drawing.show_architecture(config)
        export_menu.offer(architecture(config, clip_origin(model.facts)), "architecture")
with example, layout.one_sentence_errors():
    if model is not None and shelf is not None and len(shelf.corpus):
        rows = [row for row in shelf.corpus.index if row.present] or list(shelf.corpus.index)
        case = shelf.case(rows[0].clip_id)
        st.markdown(f"##### One clip: “{layout.plain(case.sample.text)}”")
        prediction = models.predict(model, case, model.facts.config.top_p)
        style, strip = MosaicStyle(dark=state.dark()), fit_window(case.sample.duration_s)
        faces, _ = clip_pictures.draw_clip(case, prediction, model.facts.sha256, strip, style)
        caption = captions.modality_caption("visual", case.sample, prediction, style)
        layout.picture(faces, captions.face_alt(case.sample.text, len(case.sample.faces), strip, caption), caption)
        origin = case.origin(model.facts)
        export_menu.offer(export_case(case.sample, prediction, strip, style, origin, case.privacy), "case")
