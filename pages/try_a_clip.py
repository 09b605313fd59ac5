"""Try a clip: score an own clip and see which parts of it the model keeps."""

import streamlit as st

from mesm.records.limits import RENDERED_FACES, training_note
from mesm.ui import controls, frame, layout
from mesm.ui.case_studies import case_view
from mesm.ui.try_a_clip import own_clip, upload

frame.enter()
layout.heading("Try a clip", "Score a clip of your own, and see which parts of face and voice the model keeps.")
model = controls.pick_model(controls.PEOPLE_CHECKPOINT, with_note=False)
controls.pick_corpus(needed=False)
if model is not None and (note := training_note(model.facts.metrics)):
    if note == RENDERED_FACES:
        st.warning(note, icon=":material/warning:")
    else:
        st.info(note, icon=":material/info:")

files = own_clip.pick_files()
media, sound, name = files
part = own_clip.pick_part(media, sound, name)
text = own_clip.pick_transcript(media, sound, part)
with st.container(horizontal=True):
    is_clicked = st.button("Score this clip", type="primary", disabled=model is None)
    own_clip.show_example_button()
is_scored = media is not None and upload.kept_clip(name) is not None
face_at = own_clip.pick_face() if is_scored else None

if is_clicked or face_at is not None:
    own_clip.score(files, text, part, face_at)

own = upload.kept_clip(name)
if own is not None:
    st.divider()
    case_view.show_case(own, model)
    st.button("Delete this clip", on_click=upload.delete, icon=":material/delete:")
