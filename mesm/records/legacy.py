"""Read and write records as plain dicts (schema 1). Goes away when every kind has its dataclass."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from mesm.errors import DataError
from mesm.files import slug, write_atomic

RECORD_SCHEMA = 1


def provenance(**more: Any) -> dict[str, Any]:
    """Build a record's provenance: date, code and versions; `more` adds checkpoint, corpus, seed, command."""
    commit = subprocess.run(
        ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    ).stdout.strip()
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "mesm_commit": commit,
        "python": platform.python_version(),
        **more,
    }


def record_path(folder: str | os.PathLike[str], kind: str, checkpoint: str, corpus: str) -> Path:
    """Return `<folder>/<kind>_<checkpoint>_<corpus>.json`; with checkpoint "" the middle is absent."""
    return Path(folder) / f"{'_'.join(slug(part) for part in (kind, checkpoint, corpus) if part)}.json"


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} does not belong in a record")


def write_record(
    folder: str | os.PathLike[str],
    kind: str,
    checkpoint: str,
    corpus: str,
    data: dict[str, Any],
    *,
    one_corpus: bool = False,
    **origin: Any,
) -> Path:
    """Write one record under its one name and return the path; with `one_corpus` the name leaves the corpus out."""
    content = {
        "kind": kind,
        "schema": RECORD_SCHEMA,
        "provenance": provenance(checkpoint=checkpoint, corpus=corpus, **origin),
        "data": data,
    }
    text = json.dumps(content, indent=1, default=_plain, allow_nan=False)
    return write_atomic(record_path(folder, kind, checkpoint, "" if one_corpus else corpus), text.encode())


def read_record(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a record's whole content; raise `DataError` if the file is not a record."""
    try:
        content = json.loads(Path(path).read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"{path} is not a readable record ({error}); make it again with its command") from error
    if not isinstance(content, dict) or content.get("schema") != RECORD_SCHEMA or "data" not in content:
        raise DataError(f"{path} is not a record of schema {RECORD_SCHEMA}; make it again with its command")
    return content


def find_records(folders: Sequence[Path], kind: str, checkpoint: str = "*", corpus: str = "*") -> list[Path]:
    """Return the records of a kind; of two with the same name, the one in the earlier folder.

    Args:
        folders: where to look, such as `runtime.record_folders()`.
        checkpoint: its name; any by default, as with `corpus`.
    """
    pattern = [part if part == "*" else slug(part) for part in (checkpoint, corpus)]
    names = [f"{slug(kind)}_{pattern[0]}_{pattern[1]}.json"]
    # An ablation is of no one checkpoint; a kind that there is for one corpus only does not name it.
    names.append(f"{slug(kind)}_{pattern[1] if checkpoint == '*' else pattern[0]}.json")
    paths: dict[str, Path] = {}
    for folder in folders:
        for path in sorted({path for name in names for path in folder.glob(name)}):
            paths.setdefault(path.name, path)
    return list(paths.values())
