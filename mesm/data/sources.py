"""Read and write `sources.jsonl` beside an imported corpus: one line per clip about its source files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from mesm.data.remote import resolve_folder
from mesm.errors import DataError
from mesm.json_form import from_json, to_json

SOURCES_NAME = "sources.jsonl"


@dataclass(frozen=True)
class SourceSpan:
    """Name a source file as the release does, and the part of it that was used (seconds; None = to its end)."""

    file: str
    start_s: float = 0.0
    end_s: float | None = None


@dataclass(frozen=True)
class SourceFacts:
    """Hold the facts of one utterance's sources.

    Attributes:
        duration_s: of the utterance, from headers and times; 0 if unknown.
        fps, width, height: of the picture.
        sample_rate_hz, channels: of the sound before it was resampled.
    """

    duration_s: float = 0.0
    fps: float = 0.0
    width: int = 0
    height: int = 0
    sample_rate_hz: int = 0
    channels: int = 0


@dataclass(frozen=True, kw_only=True)
class SourceRow(SourceFacts):
    """Hold one line of `sources.jsonl`: files, times and facts of a clip's sources.

    Attributes:
        side: "left" or "right" where the speaker is one half of the picture, else "".
        video, sound: None where the clip has none of its own.
        pictures: still pictures that stand for a video.
    """

    id: str
    speaker: str = ""
    dialogue: str = ""
    session: str = ""
    side: str = ""
    video: SourceSpan | None = None
    pictures: int = 0
    sound: SourceSpan | None = None


def json_line(row: object) -> str:
    """Write a dataclass as one line of JSON."""
    return json.dumps(to_json(row), ensure_ascii=False) + "\n"


def json_lines(rows: Iterable[object]) -> bytes:
    """Write one dataclass a line. Bytes of a file's name that UTF-8 cannot hold become JSON's own escapes."""
    return "".join(map(json_line, rows)).encode(errors="backslashreplace")


def append_to(path: Path) -> TextIO:
    """Open for further lines; the half line that a killed run left behind is ended first."""
    torn = path.is_file() and not path.read_bytes().endswith(b"\n")
    file = path.open("a", encoding="utf-8", errors="backslashreplace")
    if torn:
        file.write("\n")
    return file


def read_sources(folder: str | os.PathLike[str]) -> dict[str, SourceRow]:
    """Map clip id -> its line of `sources.jsonl`; {} for a corpus that was not imported."""
    path = resolve_folder(folder) / SOURCES_NAME
    if not path.is_file():
        return {}
    rows = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = from_json(SourceRow, json.loads(line))
        except (json.JSONDecodeError, DataError):
            continue  # the last line of a run that was killed
        rows[row.id] = row
    return rows
