"""Try a clip: what does the model make of a clip of your own?"""

import streamlit as st

from mesm.ui import controls, frame, layout
from mesm.ui.case_studies import case_view
from mesm.ui.try_a_clip import own_clip, upload
from mesm.ui.try_a_clip.upload import Upload

frame.enter()
layout.heading("Try a clip", "What does the model score in a clip of your own, and where does it look?")
model = controls.pick_model()
controls.pick_corpus(needed=False)
if model is not None and layout.sentence_for(model.facts.trained_on):
    st.warning(layout.sentence_for(model.facts.trained_on), icon=":material/warning:")

media, sound, name = own_clip.given()
part = own_clip.part_of(media, sound, name)
text = own_clip.transcript(media, sound, part)
wanted = st.button("Score this clip", type="primary", disabled=model is None)
face_at = own_clip.pick_face() if media is not None else None

if wanted or face_at is not None:
    if media is None:
        upload.forget()
        layout.empty("There is no clip yet.", "Choose a file or record one above.")
    elif model is not None and model.facts.has_attention and not text.strip():
        layout.empty("The transcript is empty.", "The words are what this model looks with: type what is said.")
    elif part is not None:
        read = upload.read_with_steps(Upload(media, sound, text, part, face_at))
        if read is not None:
            upload.keep(read)

own = upload.kept()
if own is not None:
    st.divider()
    case_view.show(own, model)
    st.button("Forget this clip", on_click=upload.forget, icon=":material/delete:")
