"""Decode an uploaded clip in a process of its own; its files have random names and are deleted afterwards."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote

import numpy as np
import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from mesm.access import access, computing
from mesm.data.ingest import FaceChoice, MediaFacts, ingest_untrusted, probe_untrusted, waveform_untrusted
from mesm.data.ingest.private_folder import private_folder
from mesm.data.ingest.text import clean_text, spread_words
from mesm.errors import DataError, MesmError
from mesm.ui import clip_cache, layout
from mesm.ui.corpora import Case, hides_faces
from mesm.ui.export import basket
from mesm.vocabulary import TEXT_FLAGS

TIMEOUT_S = 120.0
#: Clips longer than the first are cut to a chosen part, of at most the second.
WHOLE_S, LONGEST_S = 12.0, 50.0
#: Part of a short clip.
WHOLE = (0.0, LONGEST_S)
_KEY, _NAME, _UPLOAD, _FACES, _FACTS = "own-clip", "own-name", "own-upload", "own-faces", "own-facts"
#: Folder of the printed commands, and the names that stand for the visitor's files in them.
COMMAND_FOLDER, _CLIP, _PICTURE, _SOUND = "own-clip", "clip.mp4", "picture.jpg", "sound.wav"
#: Key of the widget that takes the transcript.
TRANSCRIPT = "transcript"
_ROUND = "own-round"


@dataclass(frozen=True)
class Upload:
    """Hold an upload as it came.

    Attributes:
        media: a video or a picture.
        sound: beside a picture.
        part: first second and number of seconds to use.
        face_at: the chosen face, a `FaceChoice.at`; None for the largest.
        files: key of all but the words: uploads with the same have the same faces and mel.
    """

    media: bytes
    sound: bytes | None = None
    text: str = ""
    part: tuple[float, float] = WHOLE
    face_at: tuple[float, float, float] | None = None
    files: str = ""

    def __post_init__(self) -> None:
        own = digest_of(self.media, self.sound, repr(self.part), repr(self.face_at))
        object.__setattr__(self, "files", self.files or own)

    @property
    def key(self) -> str:
        """Return the key of its content."""
        return digest_of(self.files, self.text)

    @property
    def clip_id(self) -> str:
        """Return the name of the clip in figures and commands."""
        return f"own-{self.key[:8]}"

    @property
    def ingest_command(self) -> str:
        """Return the command that makes a corpus of this clip, with `COMMAND_FOLDER` and names in place of the files."""
        parts = [f"mesm ingest {_CLIP}" if self.sound is None else f"mesm ingest {_PICTURE} --audio {_SOUND}"]
        if line := clean_text(self.text):
            parts.append(f"--text={quote(line)}")
        if self.part != WHOLE:
            parts.append(f"--start {self.part[0]:g} --end {sum(self.part):g}")
        if self.face_at is not None:
            parts.append(f"--face-at {','.join(f'{share:.4f}' for share in self.face_at)}")
        return " ".join([*parts, f"--clip-id {self.clip_id} --out {COMMAND_FOLDER}"])


@contextmanager
def _on_disk(*contents: bytes | None) -> Iterator[tuple[Path, ...]]:
    """Write contents as files of a private folder that is deleted afterwards in any case.

    An upload above the limit is refused before anything of it is written. An error names neither a path nor the visitor's
    file name.
    """
    most_mb = access().upload_mb
    for content in contents:
        if content is not None and len(content) > most_mb * 10**6:
            raise DataError(f"the upload has {len(content) / 1e6:.0f} MB, above the limit of {most_mb}; cut it")
    with computing(), private_folder() as folder:
        files = tuple(folder / what for what in ("the upload", "the sound")[: len(contents)])
        for file, content in zip(files, contents, strict=True):
            if content is not None:
                file.write_bytes(content)
        try:
            yield files
        except DataError as error:
            raise DataError(str(error).replace(f"{folder}{os.sep}", "")) from None


def _while_open() -> Callable[[str, float], None] | None:
    """Return a report that raises where the page was closed: Streamlit ends a script there at its next message."""
    if get_script_run_ctx() is None:
        return None
    place = st.empty()

    def report(stage: str, share: float) -> None:
        place.empty()

    return report


def probe(media: bytes) -> MediaFacts:
    """Read the duration and streams of an upload.

    Raises:
        DataError: it cannot be read.
    """
    with _on_disk(media) as (file,):
        return probe_untrusted(file, progress=_while_open())


def waveform(media: bytes, part: tuple[float, float]) -> np.ndarray:
    """Return the sound of a part of an upload: (samples,) float32 at 16 kHz.

    Raises:
        DataError: it cannot be read.
    """
    with _on_disk(media) as (file,):
        return waveform_untrusted(file, part[0], part[0] + part[1], progress=_while_open())


def ingest(
    upload: Upload,
    progress: Callable[[str, float], None],
    on_faces: Callable[[list[FaceChoice]], None] | None = None,
) -> Case:
    """Decode an upload; nothing of it is left on disk afterwards.

    Args:
        on_faces: called with the faces to choose from if there are several.

    Raises:
        DataError: one sentence that names neither a path nor the visitor's file name.
    """
    start_s, length_s = upload.part[0], min(upload.part[1], access().clip_s)
    with _on_disk(upload.media, upload.sound) as (source, beside):
        preview = source.with_name("preview.mp4")
        sample = ingest_untrusted(
            source,
            upload.text,
            clip_id=upload.clip_id,
            audio_path=beside if upload.sound is not None else None,
            start_s=start_s,
            end_s=start_s + length_s,
            preview_path=preview,
            face_at=upload.face_at,
            on_faces=on_faces,
            timeout_s=TIMEOUT_S,
            progress=progress,
        )
        video = preview.read_bytes() if preview.is_file() and not hides_faces("") else None
        named = replace(sample, media="")
        command = upload.ingest_command
        return Case(upload.key, "your clip", named, video, corpus_key=COMMAND_FOLDER, ingest=command)


def with_words(case: Case, upload: Upload) -> Case:
    """Return a decoded clip with the upload's words: its faces and its mel are kept, and nothing is decoded."""
    line = clean_text(upload.text)
    flags = [flag for flag in case.sample.quality if flag not in TEXT_FLAGS] + ([] if line else ["no_words"])
    sample = replace(
        case.sample, clip_id=upload.clip_id, text=line, words=spread_words(line, case.sample.duration_s),
        quality=tuple(flags), labels=None, truth=None,
    )  # fmt: skip
    if not case.ingest:  # the example: with the visitor's words it is no clip of its corpus
        return replace(case, key=upload.key, sample=sample, corpus=None, corpus_key="")
    return replace(case, key=upload.key, sample=sample, ingest=upload.ingest_command)


def ingest_with_steps(upload: Upload) -> Case | None:
    """Run `ingest` with its steps on the page; return None, with one sentence, for a clip that cannot be read."""
    with st.status("Decoding the clip …", expanded=True) as status:
        bar = st.progress(0.0)

        def show_step(step: str, share: float) -> None:
            bar.progress(min(share, 1.0), f"{step[:1].upper()}{step[1:]} …")

        faces: list[FaceChoice] = []
        try:
            case = ingest(upload, show_step, faces.extend)
        except MesmError as error:
            failure = error
        else:
            bar.progress(1.0, "Done. The uploaded file is deleted.")
            sample = case.sample
            st.write(f"Frames: {len(sample.faces)}; a face was detected in {int(sample.face_found.sum())}.")
            shown = case.shown
            if len(shown.faces_large) or len(shown.faces):
                st.image(list((shown.faces_large if len(shown.faces_large) else shown.faces)[:8]), width=72)
            st.write(f"Sound: {len(sample.mel)} mel chunks of 400 ms.")
            st.write(f"Words: {len(sample.words)}.")
            status.update(label="The clip is decoded.", state="complete", expanded=False)
            if upload.face_at is None:
                st.session_state[_FACES] = faces
            return case
        status.update(label="This clip is not decoded.", state="error", expanded=False)
    layout.say_error(failure)
    return None


def facts_of(media: bytes, file_id: str) -> MediaFacts | None:
    """Run `probe` once per upload; return None, with one sentence on the page, for one that cannot be read."""
    known = st.session_state.get(_FACTS)
    if known is None or known[0] != file_id:
        try:
            with st.spinner("Reading the file …"):
                known = (file_id, probe(media))
        except MesmError as error:
            known = (file_id, error)
        st.session_state[_FACTS] = known
    if isinstance(known[1], MediaFacts):
        return known[1]
    layout.say_error(known[1])
    return None


def keep(case: Case, name: str, upload: Upload) -> None:
    """Keep the clip in memory until the visitor's session ends, with the name of its upload."""
    st.session_state[_KEY], st.session_state[_NAME] = case, name
    st.session_state[_UPLOAD] = replace(upload, media=b"", sound=upload.sound and b"")


def kept_clip(name: str) -> Case | None:
    """Return the clip of this session; None while another upload waits to be scored (`name`, "" for none)."""
    return st.session_state.get(_KEY) if name in ("", st.session_state.get(_NAME)) else None


def kept_upload(name: str) -> Upload | None:
    """Return the upload that `kept_clip` was decoded from, without its files."""
    return None if kept_clip(name) is None else st.session_state.get(_UPLOAD)


def kept_faces() -> list[FaceChoice]:
    """Return the faces that were detected in it, if several."""
    return st.session_state.get(_FACES) or []


def forget() -> None:
    """Remove the clip and everything derived from it: faces, scores, pictures, exports."""
    for key in (_KEY, _NAME, _UPLOAD, _FACES, _FACTS):
        st.session_state.pop(key, None)
    basket.remove_own()
    clip_cache.forget_own_clip()


def delete() -> None:
    """Forget the clip, and remove its files and its transcript from the widgets that took them."""
    forget()
    if (context := get_script_run_ctx()) is not None:
        # A session's files are removed by themselves only when it ends.
        context.uploaded_file_mgr.remove_session_files(context.session_id)
    st.session_state[TRANSCRIPT] = ""
    st.session_state[_ROUND] = upload_round() + 1


def upload_round() -> int:
    """Return the part of the upload widgets' keys that changes when a clip is deleted: with a new key they are empty."""
    return int(st.session_state.get(_ROUND, 0))


def digest_of(*parts: bytes | str | float | None) -> str:
    """Return a key for content that has no name of its own."""
    return hashlib.sha256(json.dumps([hashlib.sha256(_bytes(p)).hexdigest() for p in parts]).encode()).hexdigest()[:24]


def _bytes(part: bytes | str | float | None) -> bytes:
    return part if isinstance(part, bytes) else repr(part).encode()
