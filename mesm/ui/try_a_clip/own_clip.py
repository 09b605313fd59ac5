"""Show the choices of the Try a clip page: the files, the part, the transcript, the face."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from mesm.access import access
from mesm.data.corpora import find_corpora
from mesm.errors import MesmError
from mesm.figures.png import encode_png
from mesm.figures.privacy import blurred
from mesm.ui import layout
from mesm.ui.controls import FIRST_CORPUS
from mesm.ui.corpora import hides_faces, open_corpus_cached
from mesm.ui.try_a_clip import transcription, upload
from mesm.ui.try_a_clip.upload import WHOLE, WHOLE_S, Upload

VIDEO, FILES, RECORD = "a video", "a picture and a sound", "camera and microphone"
#: Clip of the bundled corpus that is the example: its face, voice and words agree.
EXAMPLE = "m0-00259"


def pick_files() -> tuple[bytes | None, bytes | None, str]:
    """Return picture or video, the sound beside it, and a name for this upload."""
    turn = upload.upload_round()
    most_mb = min(access().upload_mb, int(st.get_option("server.maxUploadSize")))
    source = st.segmented_control("From", [VIDEO, FILES, RECORD], default=VIDEO, required=True, key="from_where")
    if source == VIDEO:
        media: Any = st.file_uploader(
            "Video",
            help=f"One person, a few seconds, at most {most_mb} MB. Its content decides what it is, not its name.",
            key=f"video-{turn}",
            max_upload_size=most_mb,
        )
        sound: Any = None
    else:
        left, right = st.columns(2)
        with left:
            media = (
                st.file_uploader("Picture", key=f"picture-{turn}", max_upload_size=most_mb)
                if source == FILES
                else st.camera_input("Picture of a face", key=f"camera-{turn}")
            )
        with right:
            sound = (
                st.file_uploader("Sound", key=f"sound-{turn}", max_upload_size=most_mb)
                if source == FILES
                else st.audio_input("Speech", key=f"speech-{turn}")
            )
    if access().is_public:
        st.caption("Your clip stays on this server for this visit only, and no other visitor sees it.")
    name = "/".join(one.file_id for one in (media, sound) if one is not None)
    return (
        media.getvalue() if media is not None else None,
        sound.getvalue() if sound is not None else None,
        name,
    )


def pick_part(media: bytes | None, sound: bytes | None, name: str) -> tuple[float, float] | None:
    """Return first second and length of the part to use: all of a short clip, a chosen range of a long one.

    None, with a sentence on the page, for a file that cannot be read.
    """
    source = sound if sound is not None else media
    if source is None:
        return WHOLE
    facts = upload.facts_of(source, name)
    if facts is None:
        return None
    if facts.duration_s <= WHOLE_S:
        return WHOLE
    last, longest = round(facts.duration_s, 1), access().clip_s
    start, end = st.slider(
        f"Part of the {last:g} s to use",
        0.0,
        last,
        (0.0, WHOLE_S),
        0.1,
        key=f"part-{name}",
        help=f"An utterance lasts a few seconds; at most {longest:g} s are used.",
    )
    if end - start > longest:
        st.caption(f":material/info: Only the first {longest:g} s of this part are used.")
    return start, min(max(end - start, 0.5), longest)


def pick_transcript(media: bytes | None, sound: bytes | None, part: tuple[float, float] | None) -> str:
    """Return the transcript: typed, or made by a speech model and then corrected."""
    if heard := st.session_state.pop("heard", None):
        st.session_state[upload.TRANSCRIPT] = heard
    text = st.text_area(
        "Transcript", max_chars=1000, height=80, key=upload.TRANSCRIPT, help="MESM uses it as the attention query."
    )
    source = sound if sound is not None else media
    if (
        st.button(
            "Transcribe the sound",
            icon=":material/hearing:",
            type="tertiary",
            disabled=source is None or part is None,
            help=transcription.help_words(),
        )
        and source is not None
        and part is not None
    ):
        with layout.one_sentence_errors():
            folder = transcription.speech_model()  # before the sound is decoded: it may be out of reach
            st.session_state["heard"] = transcription.transcribe(upload.waveform(source, part), folder)
            st.rerun()
    return text


def pick_face() -> tuple[float, float, float] | None:
    """Show the faces of the uploaded clip, if there are several; return the one that was clicked in this run."""
    faces = upload.kept_faces()
    if len(faces) < 2:
        return None
    st.markdown("Several faces were detected. The largest is used; choose another to score it instead.")
    chosen = None
    for number, (column, face) in enumerate(zip(st.columns(6), faces, strict=False)):
        picture = blurred(face.picture) if hides_faces("") else face.picture
        column.image(encode_png(picture), alt=f"Face {number + 1} of {len(faces)} in the clip", width="stretch")
        if column.button(f"Face {number + 1}", key=f"face-{number}", width="stretch"):
            chosen = face.at
    return chosen


def score(
    files: tuple[bytes | None, bytes | None, str],
    text: str,
    part: tuple[float, float] | None,
    face_at: tuple[float, float, float] | None,
) -> None:
    """Decode the chosen files, and keep the clip; the clip that is kept already only gets other words.

    Args:
        files: of `pick_files`.
        face_at: the face that was clicked in this run.
    """
    media, sound, name = files
    kept = upload.kept_upload(name)
    if media is not None and part is not None:
        before = kept.face_at if kept is not None else None
        chosen = Upload(media, sound, text, part, face_at or before)
    elif media is None and kept is not None:
        chosen = replace(kept, text=text)
    else:
        upload.forget()
        if media is None:
            layout.empty("There is no clip yet.", "Choose a file or record one above, or press “Try an example”.")
        return
    case = upload.kept_clip(name)
    if kept is None or case is None or chosen.files != kept.files:
        case = upload.ingest_with_steps(chosen)
    elif chosen.text != kept.text:
        case = upload.with_words(case, chosen)
    if case is not None:
        upload.keep(case, name, chosen)


def show_example_button() -> None:
    """Show the button that opens a clip of the bundled corpus in place of an own one."""
    if FIRST_CORPUS in find_corpora():
        st.button(
            "Try an example",
            on_click=_open_example,
            icon=":material/play_circle:",
            help="A rendered face and a synthetic voice of the bundled corpus: it shows no person.",
        )


def _open_example() -> None:
    try:
        opened = open_corpus_cached(FIRST_CORPUS)
        case = opened.case(EXAMPLE if EXAMPLE in opened.corpus else next(iter(opened.corpus.ids())))
    except MesmError:  # the corpus is damaged: Case studies says how
        return
    upload.delete()
    st.session_state[upload.TRANSCRIPT] = case.sample.text
    named = replace(case, name=f"example: a rendered face and a synthetic voice, {case.name}")
    upload.keep(named, "", Upload(case.key.encode(), text=case.sample.text))
