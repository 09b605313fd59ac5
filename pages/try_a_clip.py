"""Try a clip: what does the model make of a clip of your own?"""

import streamlit as st

from mesm.ui import case_view, controls, frame, layout, upload

VIDEO, FILES, RECORD = "a video", "a picture and a sound", "camera and microphone"

frame.enter()
layout.heading("Try a clip", "What does the model score in a clip of your own, and where does it look?")
model = controls.pick_model()
controls.pick_shelf(needed=False)
if model is not None and layout.sentence_for(model.predictor.trained_on):
    st.warning(layout.sentence_for(model.predictor.trained_on), icon=":material/warning:")

source = st.segmented_control("From", [VIDEO, FILES, RECORD], default=VIDEO, required=True, key="from_where")
media, sound = None, None
if source == VIDEO:
    media = st.file_uploader("Video", upload.VIDEO_TYPES, help="One person, a few seconds; at most 200 MB.")
else:
    left, right = st.columns(2)
    with left:
        media = (
            st.file_uploader("Picture", upload.PICTURE_TYPES)
            if source == FILES
            else st.camera_input("Picture of a face")
        )
    with right:
        sound = st.file_uploader("Sound", upload.SOUND_TYPES) if source == FILES else st.audio_input("What is said")
text = st.text_area("Transcript: what is said", max_chars=1000, height=80, help="MESM looks with these words.")
with st.expander("Use only a part of it"):
    start, length = st.columns(2)
    start_s = start.number_input("First second", 0.0, 36000.0, 0.0, 0.5)
    length_s = length.number_input("Seconds to use", 0.5, 50.0, 30.0, 0.5)

if st.button("Score this clip", type="primary", disabled=model is None):
    upload.forget()
    if media is None:
        layout.empty("There is no clip yet.", "Choose a file or record one above.")
    elif model is not None and model.predictor.has_attention and not text.strip():
        layout.empty("The transcript is empty.", "The words are what this model looks with: type what is said.")
    else:
        read = upload.read_with_steps(
            media.getvalue(), sound.getvalue() if sound is not None else None, text, (start_s, length_s)
        )
        if read is not None:
            upload.keep(read)

own = upload.kept()
if own is not None:
    st.divider()
    case_view.show(own, model)
    st.button("Forget this clip", on_click=upload.forget, icon=":material/delete:")
