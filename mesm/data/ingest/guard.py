"""A stranger's file is decoded in a process of its own, with a limit on time and memory.

The child is this module run as a program. It gets a JSON request on stdin, reports progress and its end as JSON
lines on stdout, and leaves the sample as a one-clip corpus: nothing that comes back is ever unpickled.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from mesm.batch import Sample
from mesm.data.ingest.clip import Progress, ingest_clip
from mesm.data.ingest.media import existing_file
from mesm.data.ingest.preview import encode_preview
from mesm.data.store import Corpus, CorpusWriter
from mesm.errors import DataError, MesmError

_CLIP_ID = "clip"
_PACKAGE_ROOT = Path(__file__).resolve().parents[3]


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
    timeout_s: float = 120.0,
    memory_mb: int = 4096,
    progress: Progress | None = None,
) -> Sample:
    """`ingest_clip` for a file that nobody vouches for, e.g. an upload.

    Args:
        preview_path: also write a browser-playable mp4 there.
        timeout_s: the child is ended after this long.
        memory_mb: heap the child may use; enforced where the system can (Linux).
        progress: called with what is being done and the share done.

    Raises:
        DataError: one sentence, also when the file breaks the decoder, takes too long or needs too much memory.
    """
    source, name = str(existing_file(path).absolute()), clip_id or Path(path).stem or _CLIP_ID
    request = {
        "path": source,
        "audio_path": None if audio_path is None else str(existing_file(audio_path).absolute()),
        "text": text,
        "clip_id": name,
        "start_s": start_s,
        "end_s": end_s,
        "large_px": large_px,
        "preview_path": None if preview_path is None else str(Path(preview_path).absolute()),
        "memory_mb": memory_mb,
    }
    if progress is not None:
        progress("starting the decoder", 0.0)
    with tempfile.TemporaryDirectory(prefix="mesm-") as folder:
        answer = _run_child({**request, "folder": folder}, timeout_s, progress)
        if answer is None:
            raise DataError(
                f"{Path(path).name} could not be decoded within {timeout_s:.0f} s and {memory_mb} MB of memory, "
                "or it broke the decoder; cut it shorter or convert it to mp4"
            )
        if answer.get("error"):
            raise DataError(str(answer["error"]).replace(source, Path(path).name))
        return Corpus(folder)[name]


def _run_child(request: dict[str, Any], timeout_s: float, progress: Progress | None) -> dict[str, Any] | None:
    """The child's last word, or None if it ended without one."""
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
    """Heap and core-dump limits; systems without the module have none to set."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # RLIMIT_AS would count torch's mapped libraries, gigabytes that are never touched.
    resource.setrlimit(resource.RLIMIT_DATA, (memory_mb * 2**20, memory_mb * 2**20))


def _serve() -> None:
    """The child: one request in, messages out."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a decoder prints must not be mistaken for a message

    def say(**message: Any) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    request = json.loads(sys.stdin.read())
    _limit(request["memory_mb"])
    try:
        part = {key: request[key] for key in ("audio_path", "start_s", "end_s")}
        sample = ingest_clip(
            request["path"],
            request["text"],
            clip_id=request["clip_id"],
            large_px=request["large_px"],
            progress=lambda what, share: say(what=what, share=share),
            **part,
        )
        if request["preview_path"]:
            say(what="making the preview", share=0.95)
            encode_preview(request["path"], request["preview_path"], **part)
        with CorpusWriter(request["folder"], name="upload") as writer:
            writer.add(sample)
        say(error="")
    except MesmError as error:
        say(error=str(error))


if __name__ == "__main__":
    _serve()
