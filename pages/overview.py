"""Overview: what is this, and where to start?"""

import streamlit as st

from mesm.studies.case import captions
from mesm.studies.case.mosaic import Look, fit_strip
from mesm.studies.facs.targets import unsteered
from mesm.ui import clip_pictures, controls, frame, layout, models, state
from mesm.ui.case_studies import case_export
from mesm.ui.facs import facs_records
from mesm.ui.overview import architecture as architecture_view

frame.enter()
layout.heading(
    "Multimodal end-to-end sparse model",
    "It scores the emotions in a short clip from **words, face and voice**, and computes only where the words look.",
)
model = controls.pick_model()
shelf = controls.pick_corpus()

picture = st.container()
look, keep, compute = st.columns(3, gap="medium")
look.markdown(
    "##### 1 The words look\nThe transcript asks every place of every face and every sound: are you relevant?"
)
keep.markdown("##### 2 A share is kept\nThe places that hold the share *p* of the attention stay. Three times over.")
compute.markdown(
    "##### 3 The rest is not computed\nSparse convolutions visit the kept places only. The fewer, the less work."
)

st.markdown("##### Where to start")
frame.link("pages/case_studies.py", "**Case studies**: pick a clip, move p, see what is kept, scored and saved")
frame.link("pages/try_a_clip.py", "**Try a clip**: the same view on a clip of your own")
frame.link("pages/facs.py", "**FACS**: does it look where a codebook of facial movements says?")
frame.link("pages/efficiency.py", "**Efficiency**: what does less work cost in accuracy?")

with layout.one_sentence_errors():
    data = models.find_evaluation(model, shelf) if model is not None and shelf is not None else None
    if data is not None and model is not None:
        st.markdown("##### How well, and for how much work")
        layout.headline(model.facts.name, data, *facs_records.beside(data, model, shelf))
example = st.container()

st.markdown("##### What is claimed, and what is not")
st.markdown(
    "A score says how strongly this model puts a clip with the clips of an emotion that it was trained on. "
    "It says nothing about what a person feels. Where the model looks is what it computed with, not why it decided.\n\n"
    "After Dai, Cahyawijaya, Liu and Fung: *Multimodal End-to-End Sparse Model for Emotion Recognition*, NAACL 2021, "
    "[arXiv 2103.09666](https://arxiv.org/abs/2103.09666)."
)

with layout.one_sentence_errors():
    looked = facs_records.find("facs", "facs", model, shelf).data if model is not None and shelf is not None else None
    if looked is not None and (sentence := unsteered(looked)) is not None:
        st.caption(f":material/info: {sentence}")

# Last, so that everything else stands while the picture is drawn and the model is loaded.
with picture:
    if model is not None:
        architecture_view.show(model)
with example, layout.one_sentence_errors():
    if model is not None and shelf is not None and len(shelf.corpus):
        rows = [row for row in shelf.corpus.index if row.present] or list(shelf.corpus.index)
        case = shelf.case(rows[0].clip_id)
        st.markdown(f"##### One clip: “{layout.plain(case.sample.text)}”")
        prediction = models.predict(model, case, model.facts.config.top_p)
        layers = prediction.trace.layers.get("visual", ()) if prediction.trace else ()
        view, strip = Look(dark=state.dark()), fit_strip(case.sample.duration_s)
        faces, _ = clip_pictures.draw_clip(case, prediction, model.facts.sha256, strip, view)
        layout.picture(
            faces,
            captions.face_alt(case.sample.text, len(case.sample.faces), layers, strip, view),
            captions.mosaic_caption(layers, view),
        )
        case_export.offer_pictures(case, model, prediction, strip, view)
