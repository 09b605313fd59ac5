"""Workspaces with one damaged file each."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from mesm.presets import PRESETS
from mesm.runtime import assets

MANIFEST, CONFIG, METRICS = (
    "corpora/noise/manifest.json",
    "checkpoints/tiny-mesm/config.json",
    "checkpoints/tiny-mesm/metrics.json",
)
RECORD, NOTEBOOK, LOG = "records/evaluate_a_b.json", "notebook.json", "runs/r/metrics.jsonl"
#: File of the workspace -> what is in it when it is right.
FILES: dict[str, Callable[[], str] | None] = {
    MANIFEST: None,
    CONFIG: None,
    METRICS: None,
    "checkpoints/tiny-mesm/README.md": None,
    "checkpoints/tiny-mesm/model.safetensors": None,
    "corpora/noise/shard-00000.parquet": None,
    RECORD: lambda: next(assets().glob("records/evaluate_marionette-mesm_*.json")).read_text(),
    NOTEBOOK: lambda: json.dumps(
        {"cases": [{"corpus": "noise", "clip_id": "clip01", "checkpoint": "tiny-mesm", "top_p": 0.5, "note": "n"}]}
    ),
    "runs/r/config.json": lambda: json.dumps(PRESETS["marionette-fe2e"].to_dict()),
    LOG: lambda: '{"epoch": 0, "loss": 1.0, "valid_f1": 40.0}\n{"epoch": 1, "loss": 0.5}\n',
    "runs/r/process.json": lambda: '{"pid": 999999999, "started": "1"}',
    "runs/r/log.txt": lambda: "mesm train: it broke; mend it",
    "jobs/sweep/title.json": lambda: '"a@b"',
    "jobs/sweep/process.json": lambda: '{"pid": 999999999, "started": "1"}',
    "jobs/sweep/progress.json": lambda: '{"done": 1, "total": 2}',
}


def _huge(path: Path, _: bytes) -> None:
    with path.open("wb") as file:
        file.truncate(2**34)


def _write(content: bytes) -> Callable[[Path, bytes], Any]:
    return lambda path, _: path.write_bytes(content)


def _folder(path: Path, _: bytes) -> None:
    path.mkdir()


#: Name of a damage -> function of the file, which is gone, and of what was in it.
DAMAGES: dict[str, Callable[[Path, bytes], Any]] = {
    "nested 100 000 deep": _write(b"[" * 100_000 + b"]" * 100_000),
    "objects 100 000 deep": _write(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "number of 5000 digits": _write(b'{"schema": 1, "name": ' + b"9" * 5000 + b"}"),
    "a list": _write(b"[]"),
    "a text": _write(b'"text"'),
    "a number": _write(b"5"),
    "null": _write(b"null"),
    "empty": _write(b""),
    "empty object": _write(b"{}"),
    "binary": _write(bytes(range(256)) * 40),
    "UTF-16": lambda path, good: path.write_bytes(good.decode("latin1").encode("utf-16")),
    "cut": lambda path, good: path.write_bytes(good[: len(good) // 2]),
    "not a number": lambda path, good: path.write_bytes(re.sub(rb"\d+(\.\d+)?", b"NaN", good)),
    "infinite": lambda path, good: path.write_bytes(re.sub(rb"\d+(\.\d+)?", b"1e999", good)),
    "half a character": _write(b'{"name": "\\ud800", "cases": ["\\ud800"]}'),
    "16 GB": _huge,
    "folder": _folder,
    "device": lambda path, _: path.symlink_to("/dev/zero"),
    "pipe": lambda path, _: os.mkfifo(path),
    "link to itself": lambda path, _: path.symlink_to(path),
}
#: Values of another kind that stand where a right one stood.
WRONG_VALUES: tuple[Any, ...] = ([], {}, "many", None, True, -1, 1e308, [[1]], {"a": [1]})


def fill_rest(home: Path) -> None:
    """Add to a workspace with checkpoints and a corpus whatever else the app reads."""
    for name, content in FILES.items():
        if content is not None:
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_text(content())


def damage(home: Path, file: str, how: str) -> Callable[[], None]:
    """Damage one file; return the function that restores it."""
    path = home / file
    good = path.read_bytes()
    path.unlink()
    DAMAGES[how](path, good)

    def restore() -> None:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
        path.write_bytes(good)

    return restore


def with_wrong_values(good: Any) -> Iterator[tuple[str, Any]]:
    """Yield a JSON value again and again, each time with another part replaced by a value of another kind."""
    for place in _places(good, 3):
        for wrong in WRONG_VALUES:
            changed = copy.deepcopy(good)
            part = changed
            for key in place[:-1]:
                part = part[key]
            part[place[-1]] = wrong
            yield f"{'.'.join(map(str, place))} is {wrong!r}", changed


def _places(value: Any, depth: int) -> Iterator[tuple[Any, ...]]:
    keys = list(value) if isinstance(value, dict) else range(min(len(value), 2)) if isinstance(value, list) else ()
    for key in keys:
        yield (key,)
        if depth > 1:
            yield from ((key, *rest) for rest in _places(value[key], depth - 1))
