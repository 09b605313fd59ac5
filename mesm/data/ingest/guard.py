"""Decode an untrusted file in a process of its own, with a limit on time and memory.

The child is this module run as a program. It gets a `_Request` on stdin, writes `_Message`s, one JSON line each, to
stdout, and leaves the sample as a one-clip corpus: nothing that comes back is ever unpickled.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mesm.batch import Sample
from mesm.data.ingest.audio import read_waveform
from mesm.data.ingest.choice import CHOICE_PX, FaceChoice, find_choices
from mesm.data.ingest.clip import StageProgress, ingest_clip
from mesm.data.ingest.media import audio_stream, existing_file, is_picture, measured_s, open_media, video_stream
from mesm.data.ingest.preview import encode_preview
from mesm.data.ingest.video import FrameSampler, read_picture
from mesm.data.store import Corpus, CorpusWriter
from mesm.errors import DataError, MesmError
from mesm.json_form import from_json, to_json

_CLIP_ID = "clip"
_PACKAGE_ROOT = Path(__file__).resolve().parents[3]
#: Frames that are searched for one with several faces.
_LOOKED_AT = 8


@dataclass(frozen=True)
class MediaFacts:
    """Hold the facts of a file, before anything of it is decoded.

    Attributes:
        duration_s: by the header, or by the packets where it has none; 0 for a still picture.
        has_picture: a moving or a still one.
        has_sound: there is a decoder for its sound.
    """

    duration_s: float
    has_picture: bool
    has_sound: bool


@dataclass(frozen=True)
class _Request:
    """Request one result about the file `path` from the child; the arguments are those of `ingest_untrusted`.

    Attributes:
        verb: a key of `_VERBS`.
        folder: where the child leaves its result.
        choices: whether to search for several faces.
    """

    verb: str
    path: str
    memory_mb: int
    folder: str = ""
    text: str = ""
    clip_id: str = _CLIP_ID
    audio_path: str | None = None
    start_s: float | None = None
    end_s: float | None = None
    large_px: int = 96
    preview_path: str | None = None
    face_at: tuple[float, float, float] | None = None
    choices: bool = False


@dataclass(frozen=True)
class _Face:
    """Carry a `FaceChoice`; `rgb` is its picture's plain bytes in base64."""

    at: tuple[float, float, float]
    rgb: str


@dataclass(frozen=True)
class _Answer:
    """Carry the result of a request; `error` is a sentence where there is none."""

    error: str = ""
    facts: MediaFacts | None = None
    faces: tuple[_Face, ...] = ()


@dataclass(frozen=True)
class _Message:
    """Carry the stage of the work and the share done, or the answer, which is the last message."""

    stage: str = ""
    share: float = 0.0
    answer: _Answer | None = None


def ingest_untrusted(
    path: str | os.PathLike[str],
    text: str,
    *,
    clip_id: str | None = None,
    audio_path: str | os.PathLike[str] | None = None,
    start_s: float | None = None,
    end_s: float | None = None,
    large_px: int = 96,
    preview_path: str | os.PathLike[str] | None = None,
    face_at: tuple[float, float, float] | None = None,
    on_faces: Callable[[list[FaceChoice]], None] | None = None,
    timeout_s: float = 120.0,
    memory_mb: int = 4096,
    progress: StageProgress | None = None,
) -> Sample:
    """Run `ingest_clip` on an untrusted file, such as an upload.

    Args:
        preview_path: also write a browser-playable mp4 there.
        face_at: stay with this face, a `FaceChoice.at`, and not with the largest.
        on_faces: called with the faces to choose from if there are several.
        timeout_s: the child is ended after this long.
        memory_mb: heap the child may use; enforced where the system can (Linux).
        progress: called with what is being done and the share done.

    Raises:
        DataError: one sentence, also when the file breaks the decoder, takes too long or needs too much memory.
    """
    request = _Request(
        "ingest",
        str(path),
        memory_mb,
        text=text,
        clip_id=clip_id or Path(path).stem or _CLIP_ID,
        audio_path=None if audio_path is None else str(existing_file(audio_path).absolute()),
        start_s=start_s,
        end_s=end_s,
        large_px=large_px,
        preview_path=None if preview_path is None else str(Path(preview_path).absolute()),
        face_at=face_at,
        choices=on_faces is not None,
    )
    if progress is not None:
        progress("starting the decoder", 0.0)
    with tempfile.TemporaryDirectory(prefix="mesm-") as folder:
        answer = _send_request(replace(request, folder=folder), timeout_s, progress)
        if on_faces is not None and answer.faces:
            on_faces([FaceChoice(face.at, _picture(face.rgb)) for face in answer.faces])
        return Corpus(folder)[request.clip_id]


def probe_untrusted(path: str | os.PathLike[str], *, timeout_s: float = 30.0, memory_mb: int = 2048) -> MediaFacts:
    """Read the length of a file, and whether it has a picture and a sound.

    Raises:
        DataError: as `ingest_untrusted`.
    """
    facts = _send_request(_Request("probe", str(path), memory_mb), timeout_s).facts
    assert facts is not None
    return facts


def waveform_untrusted(
    path: str | os.PathLike[str], start_s: float, end_s: float, *, timeout_s: float = 60.0, memory_mb: int = 2048
) -> np.ndarray:
    """Read the sound of a part of a file: (samples,) float32 mono at 16 kHz; empty where there is none.

    Raises:
        DataError: as `ingest_untrusted`.
    """
    with tempfile.TemporaryDirectory(prefix="mesm-") as folder:
        request = _Request("sound", str(path), memory_mb, folder, start_s=start_s, end_s=end_s)
        _send_request(request, timeout_s)
        return np.frombuffer((Path(folder) / "sound").read_bytes(), np.float32)


def _picture(rgb: str) -> np.ndarray:
    """Decode plain pixels: nothing from the child process is parsed as a file."""
    return np.frombuffer(base64.b64decode(rgb), np.uint8).reshape(CHOICE_PX, CHOICE_PX, 3)


def _send_request(request: _Request, timeout_s: float, progress: StageProgress | None = None) -> _Answer:
    """Send one request about one file to a child process and return its answer, or raise `DataError`."""
    source = existing_file(request.path).absolute()
    answer = _run_child(replace(request, path=str(source)), timeout_s, progress)
    if answer is None:
        raise DataError(
            f"{source.name} could not be decoded within {timeout_s:.0f} s and {request.memory_mb} MB of memory, "
            "or it broke the decoder; cut it shorter or convert it to mp4"
        )
    if answer.error:
        raise DataError(answer.error.replace(str(source), source.name))
    return answer


def _run_child(request: _Request, timeout_s: float, progress: StageProgress | None) -> _Answer | None:
    """Run the child process and return its answer, or None if it ended without one."""
    search = os.pathsep.join(filter(None, [str(_PACKAGE_ROOT), os.environ.get("PYTHONPATH")]))
    with subprocess.Popen(
        [sys.executable, "-m", "mesm.data.ingest.guard"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": search},
        text=True,
        encoding="utf-8",
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        timer = threading.Timer(timeout_s, child.kill)
        timer.start()
        answer = None
        try:
            child.stdin.write(json.dumps(to_json(request)))
            child.stdin.close()
            for line in child.stdout:
                message = from_json(_Message, json.loads(line))
                answer = message.answer
                if answer is None and progress is not None:
                    progress(message.stage, message.share)
        except (BrokenPipeError, json.JSONDecodeError, DataError):
            answer = None
        finally:
            timer.cancel()
            child.kill()
    return answer


def _limit(memory_mb: int) -> None:
    """Set limits on heap and core dumps; systems without the module have none to set."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # RLIMIT_AS would count torch's mapped libraries, gigabytes that are never touched.
    resource.setrlimit(resource.RLIMIT_DATA, (memory_mb * 2**20, memory_mb * 2**20))


def _serve() -> None:
    """Serve one request in the child process: request on stdin, messages on stdout."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a decoder prints must not be mistaken for a message

    def send(message: _Message) -> None:
        out.write(json.dumps(to_json(message)) + "\n")
        out.flush()

    request = from_json(_Request, json.loads(sys.stdin.read()))
    _limit(request.memory_mb)
    try:
        answer = _VERBS[request.verb](request, lambda stage, share: send(_Message(stage, share)))
    except MesmError as error:
        answer = _Answer(str(error))
    send(_Message(answer=answer))


def _ingest(request: _Request, progress: StageProgress) -> _Answer:
    sample = ingest_clip(
        request.path,
        request.text,
        clip_id=request.clip_id,
        audio_path=request.audio_path,
        start_s=request.start_s,
        end_s=request.end_s,
        large_px=request.large_px,
        face_at=request.face_at,
        progress=progress,
    )
    faces: list[FaceChoice] = []
    if request.choices and "several_faces" in sample.quality:
        progress("looking at the other faces", 0.92)
        faces = _choices(request)
    if request.preview_path:
        progress("making the preview", 0.95)
        encode_preview(
            request.path,
            request.preview_path,
            audio_path=request.audio_path,
            start_s=request.start_s,
            end_s=request.end_s,
        )
    with CorpusWriter(request.folder, name="upload") as writer:
        writer.add(sample)
    return _Answer(faces=tuple(_Face(f.at, base64.b64encode(f.picture.tobytes()).decode()) for f in faces))


def _choices(request: _Request) -> list[FaceChoice]:
    """Find the faces of the first of a few frames that has most of them."""
    if is_picture(Path(request.path)):
        return find_choices(read_picture(request.path))
    most: list[FaceChoice] = []
    frames = FrameSampler(request.path, start_s=request.start_s, end_s=request.end_s)
    for number, (_, frame) in enumerate(frames):
        choices = find_choices(frame)
        if len(choices) > len(most):
            most = choices
        if number + 1 == _LOOKED_AT:
            break
    return most


def _probe(request: _Request, progress: StageProgress) -> _Answer:
    if is_picture(Path(request.path)):
        return _Answer(facts=MediaFacts(0.0, has_picture=True, has_sound=False))
    with open_media(request.path) as container:
        picture, sound = video_stream(container), audio_stream(container)
        has_picture, has_sound = picture is not None, sound is not None
        return _Answer(facts=MediaFacts(measured_s(container), has_picture, has_sound))


def _sound(request: _Request, progress: StageProgress) -> _Answer:
    sound = read_waveform(request.path, start_s=request.start_s, end_s=request.end_s)
    samples = np.zeros(0, np.float32) if sound is None else sound
    (Path(request.folder) / "sound").write_bytes(np.ascontiguousarray(samples, np.float32).tobytes())
    return _Answer()


_VERBS = {"ingest": _ingest, "probe": _probe, "sound": _sound}


if __name__ == "__main__":
    _serve()
