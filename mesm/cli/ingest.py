"""`mesm ingest`: turn one raw clip into face crops, mel chunks, words and a preview, in a corpus folder."""

from __future__ import annotations

import argparse
import math
import random
import sys
import tempfile
import time
from collections.abc import Container
from pathlib import Path
from typing import TYPE_CHECKING

from mesm.estimate import counted

if TYPE_CHECKING:
    from mesm.data.store import CorpusWriter

#: Seconds to wait for each process that writes to the same corpus.
PATIENCE_S = 60.0

EXAMPLE = """examples:
  mesm ingest clip.mp4 --text "I never thought they would come." --out clip_dir
  mesm ingest photo.jpg --audio voice.wav --text "What a surprise." --out clip_dir
"""

#: Time limit on decoding the clip and encoding its preview.
DECODE_S = 1200.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `mesm ingest`."""
    parser.epilog = EXAMPLE
    parser.add_argument("clip", help="a video, a sound, or a picture (then give --audio for a voice)")
    parser.add_argument("--text", default="", help="the transcript")
    parser.add_argument("--audio", metavar="FILE", help="take the sound from this file")
    parser.add_argument("--out", required=True, metavar="DIR", help="corpus folder to write to or to add the clip to")
    parser.add_argument("--clip-id", metavar="ID", help="name of the clip (default: the file's name)")
    parser.add_argument("--speaker", default="", help="the speaker's name")
    parser.add_argument("--start", type=float, metavar="S", help="second of the file at which the clip starts")
    parser.add_argument("--end", type=float, metavar="S", help="second of the file at which the clip ends")
    parser.add_argument(
        "--face-at", metavar="X,Y,SIZE",
        help="follow the face here, and not the largest: its middle and side as shares of the frame, as the app prints them",
    )  # fmt: skip
    parser.add_argument(
        "--large-px", type=int, default=96, metavar="N", help="side of the crops for display (default 96)"
    )
    parser.add_argument(
        "--no-guard", action="store_true", help="decode a file that you trust in this process, without limits"
    )


def run(arguments: argparse.Namespace) -> int:
    """Ingest one clip, store it, print a summary."""
    from dataclasses import replace

    from mesm.data.ingest import encode_preview, ingest_clip, ingest_untrusted
    from mesm.data.ingest.media import existing_file
    from mesm.data.manifest import MANIFEST_NAME
    from mesm.data.store import Corpus
    from mesm.errors import DataError
    from mesm.files import check_name, check_writable, slug, write_atomic

    clip, folder = existing_file(arguments.clip), Path(arguments.out)
    clip_id = check_name("clip id", arguments.clip_id or clip.stem)
    check_name("speaker", arguments.speaker)

    def refuse_stored(stored: Container[str]) -> None:
        if clip_id in stored:
            raise DataError(f"{folder} already has a clip {clip_id!r}; give another --clip-id or --out")

    check_writable(folder)
    if (folder / MANIFEST_NAME).is_file():
        refuse_stored(Corpus(folder).ids())
    part = {"audio_path": arguments.audio, "start_s": arguments.start, "end_s": arguments.end}
    options = {
        "clip_id": clip_id,
        "large_px": arguments.large_px,
        "face_at": None if arguments.face_at is None else _parse_face(arguments.face_at),
        "progress": _show_progress if sys.stderr.isatty() else None,
        **part,
    }
    with tempfile.TemporaryDirectory(prefix="mesm-") as scratch:
        preview = Path(scratch) / "preview.mp4"
        if arguments.no_guard:
            sample = ingest_clip(clip, arguments.text, **options)
            encode_preview(clip, preview, **part)
        else:
            sample = ingest_untrusted(clip, arguments.text, preview_path=preview, timeout_s=DECODE_S, **options)
        with _open_in_turn(folder) as writer:
            refuse_stored(writer.stored)  # another command may have added one while this clip was decoded
            media = f"media/{len(writer.stored):05d}-{slug(clip_id)}.mp4"  # two names can have one slug
            write_atomic(folder / media, preview.read_bytes())
            writer.add(replace(sample, media=media, speaker=arguments.speaker))
    faces = int(sample.face_found.sum())
    print(f"{clip_id}: {sample.duration_s:.1f} s -> {folder}")
    print(f"  frames   {len(sample.faces)}, one every 500 ms; a face in {faces}")
    print(f"  sound    {counted(len(sample.mel), 'chunk')} of 400 ms")
    print(f"  words    {len(sample.words)}{' (times approximate)' if sample.words else ''}")
    print(f"  flags    {', '.join(sample.quality) or 'none'}")
    print(f"  preview  {folder / media}")
    return 0


def _parse_face(text: str) -> tuple[float, float, float]:
    """Return a `FaceChoice.at` from its three numbers."""
    from mesm.errors import ConfigError

    try:
        x, y, size = map(float, text.split(","))
    except ValueError:
        x = y = size = math.nan
    if not (0 <= x <= 1 and 0 <= y <= 1 and 0 < size <= 10):
        raise ConfigError(f"--face-at {text!r} must be three shares of the frame, such as 0.40,0.35,0.50")
    return x, y, size


def _open_in_turn(folder: Path) -> CorpusWriter:
    """Open the corpus, after other commands that add clips to it: each of them is given `PATIENCE_S` seconds."""
    from mesm.data.store import CorpusWriter
    from mesm.files import slug
    from mesm.locks import FolderBusyError

    last: object = None
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return CorpusWriter(folder, name=slug(folder.name), meta={"kind": "ingested clips"})
        except FolderBusyError as busy:
            if busy.owner != last:
                last, until = busy.owner, time.monotonic() + PATIENCE_S
                print(f"mesm ingest: waiting for {busy.owner or 'another process'}", file=sys.stderr)
            if time.monotonic() > until:
                raise
            time.sleep(random.uniform(0.05, 0.2))


def _show_progress(what: str, share: float) -> None:
    end = "\n" if share >= 1 else ""
    print(f"\r{share:4.0%} {what:<40}", end=end, file=sys.stderr, flush=True)
