"""Decode an untrusted file in a process of its own, with a limit on time and memory.

The child is this module run as a program. It gets a JSON request on stdin, reports progress and its end as JSON
lines on stdout, and leaves the sample as a one-clip corpus: nothing that comes back is ever unpickled.
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from mesm.batch import Sample
from mesm.data.ingest.audio import read_waveform
from mesm.data.ingest.choice import CHOICE_PX, ChosenFace, FaceChoice, find_choices
from mesm.data.ingest.clip import StageProgress, ingest_clip
from mesm.data.ingest.media import audio_stream, existing_file, is_picture, open_media, video_stream
from mesm.data.ingest.preview import encode_preview
from mesm.data.ingest.video import FrameSampler, read_picture
from mesm.data.store import Corpus, CorpusWriter
from mesm.errors import DataError, MesmError

_CLIP_ID = "clip"
_PACKAGE_ROOT = Path(__file__).resolve().parents[3]
#: Frames that are searched for one with several faces.
_LOOKED_AT = 8


@dataclass(frozen=True)
class MediaFacts:
    """Hold the facts of a file's header, before anything of it is decoded.

    Attributes:
        duration_s: 0 for a still picture, and where the file has no value.
        has_picture: a moving or a still one.
        has_sound: there is a decoder for its sound.
    """

    duration_s: float
    has_picture: bool
    has_sound: bool


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
    name = clip_id or Path(path).stem or _CLIP_ID
    request = {
        "audio_path": None if audio_path is None else str(existing_file(audio_path).absolute()),
        "text": text,
        "clip_id": name,
        "start_s": start_s,
        "end_s": end_s,
        "large_px": large_px,
        "preview_path": None if preview_path is None else str(Path(preview_path).absolute()),
        "face_at": face_at,
        "choices": on_faces is not None,
    }
    if progress is not None:
        progress("starting the decoder", 0.0)
    with tempfile.TemporaryDirectory(prefix="mesm-") as folder:
        answer = _request("ingest", path, {**request, "folder": folder}, timeout_s, memory_mb, progress)
        if on_faces is not None and answer.get("faces"):
            on_faces([FaceChoice(tuple(f["at"]), _picture(f["rgb"])) for f in answer["faces"]])
        return Corpus(folder)[name]


def probe_untrusted(path: str | os.PathLike[str], *, timeout_s: float = 30.0, memory_mb: int = 2048) -> MediaFacts:
    """Read the length of a file, and whether it has a picture and a sound.

    Raises:
        DataError: as `ingest_untrusted`.
    """
    answer = _request("probe", path, {}, timeout_s, memory_mb)
    return MediaFacts(float(answer["duration_s"]), bool(answer["has_picture"]), bool(answer["has_sound"]))


def waveform_untrusted(
    path: str | os.PathLike[str], start_s: float, end_s: float, *, timeout_s: float = 60.0, memory_mb: int = 2048
) -> np.ndarray:
    """Read the sound of a part of a file: (samples,) float32 mono at 16 kHz; empty where there is none.

    Raises:
        DataError: as `ingest_untrusted`.
    """
    with tempfile.TemporaryDirectory(prefix="mesm-") as folder:
        _request("sound", path, {"folder": folder, "start_s": start_s, "end_s": end_s}, timeout_s, memory_mb)
        return np.frombuffer((Path(folder) / "sound").read_bytes(), np.float32)


def _picture(rgb: str) -> np.ndarray:
    """Decode plain pixels: nothing from the child process is parsed as a file."""
    return np.frombuffer(base64.b64decode(rgb), np.uint8).reshape(CHOICE_PX, CHOICE_PX, 3)


def _request(
    verb: str,
    path: str | os.PathLike[str],
    request: dict[str, Any],
    timeout_s: float,
    memory_mb: int,
    progress: StageProgress | None = None,
) -> dict[str, Any]:
    """Send one request about one file to a child process and return its result, or raise `DataError`."""
    source = str(existing_file(path).absolute())
    answer = _run_child({**request, "verb": verb, "path": source, "memory_mb": memory_mb}, timeout_s, progress)
    if answer is None:
        raise DataError(
            f"{Path(path).name} could not be decoded within {timeout_s:.0f} s and {memory_mb} MB of memory, "
            "or it broke the decoder; cut it shorter or convert it to mp4"
        )
    if answer.get("error"):
        raise DataError(str(answer["error"]).replace(source, Path(path).name))
    return answer


def _run_child(request: dict[str, Any], timeout_s: float, progress: StageProgress | None) -> dict[str, Any] | None:
    """Run the child process and return its last message, or None if it ended without one."""
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
            child.stdin.write(json.dumps(request))
            child.stdin.close()
            for line in child.stdout:
                message = json.loads(line)
                if "what" in message:
                    if progress is not None:
                        progress(message["what"], message["share"])
                else:
                    answer = message
        except (BrokenPipeError, json.JSONDecodeError):
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

    def send(**message: Any) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    request = json.loads(sys.stdin.read())
    _limit(request["memory_mb"])
    try:
        send(error="", **{"ingest": _ingest, "probe": _probe, "sound": _sound}[request["verb"]](request, send))
    except MesmError as error:
        send(error=str(error))


def _ingest(request: dict[str, Any], send: Callable[..., None]) -> dict[str, Any]:
    part = {key: request[key] for key in ("audio_path", "start_s", "end_s")}
    chosen = request["face_at"]
    sample = ingest_clip(
        request["path"],
        request["text"],
        clip_id=request["clip_id"],
        large_px=request["large_px"],
        detector=ChosenFace(tuple(chosen)) if chosen else None,
        progress=lambda what, share: send(what=what, share=share),
        **part,
    )
    faces: list[FaceChoice] = []
    if request["choices"] and "several_faces" in sample.quality:
        send(what="detecting the other faces", share=0.92)
        faces = _choices(request)
    if request["preview_path"]:
        send(what="making the preview", share=0.95)
        encode_preview(request["path"], request["preview_path"], **part)
    with CorpusWriter(request["folder"], name="upload") as writer:
        writer.add(sample)
    return {"faces": [{"at": f.at, "rgb": base64.b64encode(f.picture.tobytes()).decode()} for f in faces]}


def _choices(request: dict[str, Any]) -> list[FaceChoice]:
    """Find the faces of the first of a few frames that has most of them."""
    if is_picture(Path(request["path"])):
        return find_choices(read_picture(request["path"]))
    most: list[FaceChoice] = []
    frames = FrameSampler(request["path"], start_s=request["start_s"], end_s=request["end_s"])
    for number, (_, frame) in enumerate(frames):
        choices = find_choices(frame)
        if len(choices) > len(most):
            most = choices
        if number + 1 == _LOOKED_AT:
            break
    return most


def _probe(request: dict[str, Any], send: Callable[..., None]) -> dict[str, Any]:
    if is_picture(Path(request["path"])):
        return {"duration_s": 0.0, "has_picture": True, "has_sound": False}
    with open_media(request["path"]) as container:
        picture, sound = video_stream(container), audio_stream(container)
        seconds = (container.duration or 0) / av.time_base
        return {"duration_s": seconds, "has_picture": picture is not None, "has_sound": sound is not None}


def _sound(request: dict[str, Any], send: Callable[..., None]) -> dict[str, Any]:
    sound = read_waveform(request["path"], start_s=request["start_s"], end_s=request["end_s"])
    heard = np.zeros(0, np.float32) if sound is None else sound
    (Path(request["folder"]) / "sound").write_bytes(np.ascontiguousarray(heard, np.float32).tobytes())
    return {}


if __name__ == "__main__":
    _serve()
