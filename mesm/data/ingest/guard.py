"""Decode untrusted files in a child process with limits on time, processor time and memory that outlive this one.

The child is this module run as a program. It gets `_Request`s on stdin, writes `_Message`s, one JSON line each, to
stdout, and leaves the sample as a one-clip corpus: nothing that comes back is ever unpickled.
"""

from __future__ import annotations

import base64
import json
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Self

import numpy as np

from mesm.batch import Sample
from mesm.data.ingest import limits
from mesm.data.ingest.audio import read_waveform
from mesm.data.ingest.child_process import ChildProcess
from mesm.data.ingest.choice import CHOICE_PX, FaceChoice, find_choices
from mesm.data.ingest.clip import StageProgress, ingest_clip
from mesm.data.ingest.faces import Detector
from mesm.data.ingest.media import audio_stream, existing_file, is_picture, measured_s, open_media, video_stream
from mesm.data.ingest.preview import encode_preview
from mesm.data.ingest.private_folder import private_folder
from mesm.data.ingest.video import FrameSampler, read_picture
from mesm.data.store import Corpus, CorpusWriter
from mesm.errors import DataError, MesmError
from mesm.json_form import Json, from_json, parse_json, to_json

_CLIP_ID = "clip"
_MODULE = "mesm.data.ingest.guard"
#: Frames that are searched for one with several faces.
_LOOKED_AT = 8
#: Seconds after which a child without a request ends, and which it has beyond its time before it ends itself.
_IDLE_S, _GRACE_S = 60.0, 5.0
#: Files of visitors that are decoded at the same time.
_places = threading.BoundedSemaphore(max(4, os.cpu_count() or 1))


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
        coarse: whether `search` finds the faces.
    """

    verb: str
    path: str
    memory_mb: int
    timeout_s: float
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
    coarse: bool = False


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
    decoder: ChildProcess | None = None,
    coarse: bool = False,
) -> Sample:
    """Run `ingest_clip` on an untrusted file, such as an upload.

    Args:
        preview_path: also write a browser-playable mp4 there.
        face_at: stay with this face, a `FaceChoice.at`, and not with the largest.
        on_faces: called with the faces to choose from if there are several.
        timeout_s: the child is ended after this long.
        memory_mb: heap the child may use; enforced where the system can (Linux).
        progress: called with what is being done and the share done, and again while the child is silent; whatever it
            raises ends the child.
        decoder: a child process that stays for the next file, such as `shared_decoder()`; by default one for this file.
        coarse: find faces by `mesm.data.ingest.search`, in a fraction of the time; smaller ones beside are not counted.

    Raises:
        DataError: one sentence, also when the file breaks the decoder, takes too long or needs too much memory.
    """
    request = _Request(
        "ingest",
        str(path),
        memory_mb,
        timeout_s,
        text=text,
        clip_id=clip_id or Path(path).stem or _CLIP_ID,
        audio_path=None if audio_path is None else str(existing_file(audio_path).absolute()),
        start_s=start_s,
        end_s=end_s,
        large_px=large_px,
        preview_path=None if preview_path is None else str(Path(preview_path).absolute()),
        face_at=face_at,
        choices=on_faces is not None,
        coarse=coarse,
    )
    if progress is not None:
        progress("starting the decoder", 0.0)
    with private_folder() as folder:
        answer = _send_request(replace(request, folder=str(folder)), decoder, progress)
        if on_faces is not None and answer.faces:
            on_faces([FaceChoice(face.at, _picture(face.rgb)) for face in answer.faces])
        return Corpus(folder)[request.clip_id]


def probe_untrusted(
    path: str | os.PathLike[str],
    *,
    timeout_s: float = 30.0,
    memory_mb: int = 2048,
    progress: StageProgress | None = None,
) -> MediaFacts:
    """Read the length of a file, and whether it has a picture and a sound.

    Raises:
        DataError: as `ingest_untrusted`.
    """
    facts = _send_request(_Request("probe", str(path), memory_mb, timeout_s), progress=progress).facts
    assert facts is not None
    return facts


def waveform_untrusted(
    path: str | os.PathLike[str],
    start_s: float,
    end_s: float,
    *,
    timeout_s: float = 60.0,
    memory_mb: int = 2048,
    progress: StageProgress | None = None,
) -> np.ndarray:
    """Read the sound of a part of a file: (samples,) float32 mono at 16 kHz; empty where there is none.

    Raises:
        DataError: as `ingest_untrusted`.
    """
    with private_folder() as folder:
        request = _Request("sound", str(path), memory_mb, timeout_s, str(folder), start_s=start_s, end_s=end_s)
        _send_request(request, progress=progress)
        return np.frombuffer((folder / "sound").read_bytes(), np.float32)


def _picture(rgb: str) -> np.ndarray:
    """Decode plain pixels: nothing from the child process is parsed as a file."""
    return np.frombuffer(base64.b64decode(rgb), np.uint8).reshape(CHOICE_PX, CHOICE_PX, 3)


class _Conversation:
    """Follow the messages of one request; `answer` is the last one."""

    def __init__(self, progress: StageProgress | None) -> None:
        self.progress = progress
        self.last = _Message("starting the decoder")
        self.answer: _Answer | None = None

    def receive(self, line: Json) -> bool:
        """Take a message; return True for the last one."""
        message = from_json(_Message, line)
        self.answer = message.answer
        if message.answer is None:
            self.last = message
            self.report()
        return message.answer is not None

    def report(self) -> None:
        """Report the stage, also while nothing changes: on a page that was left, this raises and so ends the work."""
        if self.progress is not None:
            self.progress(self.last.stage, self.last.share)


def _send_request(
    request: _Request, decoder: ChildProcess | None = None, progress: StageProgress | None = None
) -> _Answer:
    """Send one request about one file to a child process and return its answer, or raise `DataError`."""
    source = existing_file(request.path).absolute()
    talk = _Conversation(progress)
    with nullcontext(decoder) if decoder is not None else _own_decoder(talk.report) as child:
        content = to_json(replace(request, path=str(source)))
        child.ask(content, request.timeout_s, talk.receive, talk.report)
    if talk.answer is None:
        raise DataError(
            f"{source.name} could not be decoded within {request.timeout_s:.0f} s and {request.memory_mb} MB of memory, "
            "or it broke the decoder; cut it shorter or convert it to mp4"
        )
    if talk.answer.error:
        raise DataError(talk.answer.error.replace(str(source), source.name))
    return talk.answer


@cache
def shared_decoder() -> ChildProcess:
    """Return the child process that decodes all files of a command; a crash or a time-out costs one file."""
    return ChildProcess(_MODULE)


class Decoders:
    """Read files with several child processes at once, each with one thread; close it, or use it in a `with`.

    Faces are found from coarse to fine, as the importers of corpora find them, and no crops for the eye are cut.

    Args:
        workers: number of child processes.
        guarded: False decodes in threads of this process, without limits.
    """

    def __init__(self, workers: int, *, guarded: bool = True) -> None:
        self._free: queue.SimpleQueue[ChildProcess] = queue.SimpleQueue()
        self._children = [ChildProcess(_MODULE, threads=1) for _ in range(workers)] if guarded else []
        for child in self._children:
            self._free.put(child)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="mesm-decoder")
        self._closed = threading.Event()
        #: Files to begin ahead of the one that is waited for: the next is then always decoded, and memory is bounded.
        self.ahead = 2 * workers

    def read(self, path: str | os.PathLike[str], text: str, timeout_s: float) -> Future[Sample]:
        """Begin to ingest one file; the future has its `Sample`, or raises what `ingest_untrusted` does."""
        return self._threads.submit(self._read, path, text, timeout_s)

    def _read(self, path: str | os.PathLike[str], text: str, timeout_s: float) -> Sample:
        if not self._children:
            return ingest_clip(path, text, large_px=0, detector=_search())
        child = self._free.get()
        try:
            return ingest_untrusted(
                path, text, large_px=0, timeout_s=timeout_s, decoder=child, progress=self._go_on, coarse=True
            )
        finally:
            self._free.put(child)

    def _go_on(self, stage: str, share: float) -> None:
        """Raise, and so end the child, when this is closed."""
        if self._closed.is_set():
            raise CancelledError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End what is under way: files not begun are dropped, the child processes are ended."""
        self._closed.set()
        self._threads.shutdown(cancel_futures=True)
        for child in self._children:
            child.close()


@contextmanager
def _own_decoder(report: Callable[[], None]) -> Iterator[ChildProcess]:
    """Start a child process for one file, so that no visitor's file meets another's; only a few run at a time."""
    while not _places.acquire(timeout=1.0):
        report()
    try:
        with ChildProcess(_MODULE) as child:
            yield child
    finally:
        _places.release()


def _serve() -> None:
    """Serve requests in the child process: one on each line of stdin, messages on stdout."""
    limits.end_with_parent(int(sys.argv[1]))
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a decoder prints must not be mistaken for a message

    def send(message: _Message) -> None:
        out.write(json.dumps(to_json(message)) + "\n")
        out.flush()

    limits.end_after(_IDLE_S)
    for line in sys.stdin:
        request = from_json(_Request, parse_json(line, "a request"))
        limits.end_after(request.timeout_s + _GRACE_S)
        limits.limit_memory(request.memory_mb)
        limits.limit_processor_time(request.timeout_s * (os.cpu_count() or 1))
        try:
            answer = _VERBS[request.verb](request, lambda stage, share: send(_Message(stage, share)))
        except MesmError as error:
            answer = _Answer(str(error))
        limits.end_after(_IDLE_S)
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
        detector=_search() if request.coarse else None,
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
    with CorpusWriter(request.folder, name="upload", compressed=False) as writer:
        writer.add(sample)
    return _Answer(faces=tuple(_Face(f.at, base64.b64encode(f.picture.tobytes()).decode()) for f in faces))


def _search() -> Detector:
    """Return the detector that searches from coarse to fine; torch, which it imports, takes seconds to load."""
    from mesm.data.ingest.search import shared_search

    return shared_search()


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
