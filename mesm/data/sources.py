"""Read and write `sources.jsonl` beside an imported corpus: one line per clip about its source files."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

from mesm.data.remote import resolve_folder

SOURCES_NAME = "sources.jsonl"


def json_lines(rows: Iterable[dict[str, Any]]) -> bytes:
    """Write one row a line. Bytes of a file's name that UTF-8 cannot hold become JSON's own escapes."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode(errors="backslashreplace")


def append_to(path: Path) -> TextIO:
    """Open for further lines; the half line that a killed run left behind is ended first."""
    torn = path.is_file() and not path.read_bytes().endswith(b"\n")
    file = path.open("a", encoding="utf-8", errors="backslashreplace")
    if torn:
        file.write("\n")
    return file


def read_sources(folder: str | os.PathLike[str]) -> dict[str, dict[str, Any]]:
    """Map Clip id -> its line of `sources.jsonl`; {} for a corpus that was not imported."""
    path = resolve_folder(folder) / SOURCES_NAME
    if not path.is_file():
        return {}
    rows = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
            rows[row["id"]] = row
        except (json.JSONDecodeError, KeyError, TypeError):
            continue  # the last line of a run that was killed
    return rows
