"""A visitor's clip: kept under a random name while it is decoded in a process of its own, then deleted."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import streamlit as st

from mesm.data.ingest import ingest_untrusted
from mesm.errors import DataError, MesmError
from mesm.ui import layout
from mesm.ui.resources import Case, digest_of

VIDEO_TYPES = ("mp4", "mov", "webm", "avi", "mkv")
PICTURE_TYPES = ("png", "jpg", "jpeg", "webp")
SOUND_TYPES = ("wav", "mp3", "m4a", "ogg", "flac")
TIMEOUT_S = 120.0
_KEY = "own-clip"


def ingest(
    media: bytes, sound: bytes | None, text: str, part: tuple[float, float], progress: Callable[[str, float], None]
) -> Case:
    """Decode an upload; nothing of it is left on disk afterwards, whatever happens.

    Args:
        media: a video or a picture, as it came.
        sound: beside a picture.
        part: first second and number of seconds to use.

    Raises:
        DataError: one sentence that names neither a path nor the visitor's file name.
    """
    with tempfile.TemporaryDirectory(prefix="mesm-upload-") as name:
        folder = Path(name)
        source, beside, preview = folder / "the upload", folder / "the sound", folder / "preview.mp4"
        source.write_bytes(media)
        if sound is not None:
            beside.write_bytes(sound)
        start_s, length_s = part
        try:
            sample = ingest_untrusted(
                source,
                text,
                clip_id="own",
                audio_path=beside if sound is not None else None,
                start_s=start_s,
                end_s=start_s + length_s,
                preview_path=preview,
                timeout_s=TIMEOUT_S,
                progress=progress,
            )
        except DataError as error:
            raise DataError(str(error).replace(f"{folder}/", "")) from None
        key = digest_of(media, sound, text, start_s, length_s)
        return Case(key, "your clip", replace(sample, media=""), preview.read_bytes() if preview.is_file() else None)


def read_with_steps(media: bytes, sound: bytes | None, text: str, part: tuple[float, float]) -> Case | None:
    """`ingest` with its steps on the page; None, with one sentence, for a clip that cannot be read."""
    with st.status("Reading the clip …", expanded=True) as status:
        bar = st.progress(0.0)

        def tell(what: str, share: float) -> None:
            bar.progress(min(share, 1.0), f"{what[:1].upper()}{what[1:]} …")

        try:
            case = ingest(media, sound, text, part, tell)
        except MesmError as error:
            failure = error
        else:
            bar.progress(1.0, "Done; the file is deleted.")
            sample = case.sample
            st.write(f"Frames: {len(sample.faces)}, with a face in {int(sample.face_found.sum())}.")
            st.write(f"Sound: {len(sample.mel)} chunks of 400 ms.")
            st.write(f"Words: {len(sample.words)}.")
            status.update(label="The clip is read.", state="complete", expanded=False)
            return case
        status.update(label="This clip cannot be read.", state="error", expanded=False)
    layout.say_error(failure)
    return None


def keep(case: Case) -> None:
    """Remember the clip for as long as the visitor's session lasts."""
    st.session_state[_KEY] = case


def kept() -> Case | None:
    """The clip of this session."""
    return st.session_state.get(_KEY)


def forget() -> None:
    """Drop the clip."""
    st.session_state.pop(_KEY, None)
