"""A visitor's clip: kept under a random name while it is decoded in a process of its own, then deleted."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import streamlit as st

from mesm.data.ingest import ingest_untrusted
from mesm.errors import DataError
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
                clip_id="yours",
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
        return Case(key, replace(sample, media=""), preview.read_bytes() if preview.is_file() else None)


def keep(case: Case) -> None:
    """Remember the clip for as long as the visitor's session lasts."""
    st.session_state[_KEY] = case


def kept() -> Case | None:
    """The clip of this session."""
    return st.session_state.get(_KEY)


def forget() -> None:
    """Drop the clip."""
    st.session_state.pop(_KEY, None)
