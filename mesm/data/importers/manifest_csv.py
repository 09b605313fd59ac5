"""Import any corpus from a CSV, TSV or JSONL with one row per utterance.

Columns, in any case of letters (see `mesm.data.csv_files`): `path` (of the video, or of a picture; relative to the
manifest), and where there are any `id`, `audio`, `start_s`, `end_s`, `text`, `speaker`, `dialogue`, `session`, `split`,
and one column per emotion. `NAMES` has the other names that a column may have. A row with more or fewer cells than the
header is refused before anything is imported.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from mesm.data.csv_files import PATH_NAMES, TEXT_NAMES, match_columns, parse_csv
from mesm.data.importers.plan import MediaSpan, Problem, Release, Utterance
from mesm.data.text_files import read_text
from mesm.errors import DataError
from mesm.files import check_name, name_of_file
from mesm.json_form import Json
from mesm.vocabulary import EMOTIONS, SPLITS

RULES = ("an emotion column holds an intensity in [0, 3]; an empty cell is 0, a row without any value has no label",)
#: Column -> other names that it may have.
NAMES: dict[str, tuple[str, ...]] = {
    "id": ("clip_id", "utterance_id"),
    "path": PATH_NAMES,
    "audio": ("sound", "audio_path"),
    "start_s": ("start",),
    "end_s": ("end",),
    "text": TEXT_NAMES,
    "speaker": ("speaker_id",),
    "dialogue": ("dialog", "dialogue_id", "dialog_id"),
    "session": ("session_id",),
    "split": (),
}
COLUMNS = tuple(NAMES)
_NAMES = NAMES | dict.fromkeys(EMOTIONS, ())
_SPLITS = {"": "", "dev": "valid", "val": "valid", "validation": "valid", **{name: name for name in SPLITS}}


def read_release(source: str | os.PathLike[str]) -> Release:
    """List every row of the manifest."""
    path = Path(source)
    if not path.is_file():
        raise DataError(f"{path} is not a file; give a CSV or JSONL with a column path and one row per utterance")
    rows = _rows(path)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    if not rows:
        raise DataError(f"{path} has no row below its header; write one per utterance")
    if "path" not in columns:
        raise DataError(f"{path} has no column 'path' (it has {', '.join(columns) or 'none'}); name the videos in it")
    unknown = [name for name in columns if name not in COLUMNS and name not in EMOTIONS]
    if unknown:
        raise DataError(
            f"{path} has a column {unknown[0]!r}, which is neither an emotion ({', '.join(EMOTIONS)}) nor one of "
            f"{', '.join(COLUMNS)}; rename or remove it"
        )
    labels = tuple(name for name in EMOTIONS if name in columns)
    utterances = tuple(_utterance(path, number, row, labels) for number, row in enumerate(rows, 1))
    own = any(utterance.split for utterance in utterances)
    speakers = sum(bool(utterance.speaker) for utterance in utterances)
    rule = "own" if own else "speaker" if speakers == len(utterances) else "random"
    return Release(path.stem, labels, utterances, rule, RULES)


def _rows(path: Path) -> Sequence[Mapping[str, Json]]:
    text = read_text(path)
    if text.lstrip().startswith("{"):
        return [_json_row(path, number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    table = parse_csv(text, path, _NAMES)
    table.require("path")
    return table.good_rows()


def _json_row(path: Path, number: int, line: str) -> dict[str, Json]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        reason = getattr(error, "msg", "too large or too nested")
        raise DataError(f"line {number} of {path} is not JSON ({reason}); write one object per line") from error
    if not isinstance(row, dict):
        raise DataError(f"line {number} of {path} is not an object; write one object per line")
    for key, value in row.items():
        if isinstance(value, list | dict):
            raise DataError(f"line {number} of {path} has a list or an object as {key!r}; write a word or a number")
    return dict(zip(match_columns(list(row), _NAMES, path), row.values(), strict=True))


def _number(path: Path, number: int, row: Mapping[str, Json], key: str) -> float | None:
    value = row.get(key)
    if value is None or str(value).strip() == "":
        return None
    try:
        parsed = float(str(value).strip())
    except ValueError:
        parsed = math.nan
    if not math.isfinite(parsed):
        comma = re.fullmatch(r"[+-]?\d+,\d+", str(value).strip())
        remedy = f"write {str(value).strip().replace(',', '.')}" if comma else "give a number, or leave the cell empty"
        raise DataError(f"row {number} of {path} has {key} {value!r}; {remedy}")
    return parsed


def _utterance(path: Path, number: int, row: Mapping[str, Json], labels: tuple[str, ...]) -> Utterance:
    def word(key: str) -> str:
        return str(row.get(key) or "").strip()

    def name(key: str) -> str:
        return check_name(f"{key} in row {number} of {path}", word(key))

    start, end = (_number(path, number, row, key) for key in ("start_s", "end_s"))
    part = (start or 0.0, end)
    video, sound = word("path"), word("audio")
    split = word("split").lower()
    if split not in _SPLITS:
        raise DataError(f"row {number} of {path} has split {split!r}; use one of {', '.join(SPLITS)}")
    values = {name: _number(path, number, row, name) for name in labels}
    outside = [name for name, value in values.items() if value is not None and not 0 <= value <= 3]
    if outside:
        raise DataError(f"row {number} of {path} has {outside[0]} {values[outside[0]]}; give an intensity from 0 to 3")
    labelled = any(value is not None for value in values.values())
    problem = None
    if labels and not labelled:
        problem = Problem("no_label", f"row {number} has no value in any emotion's column")
    elif not video:
        problem = Problem("missing_video", f"row {number} names no path")
    elif end is not None and not 0 <= part[0] < end:
        problem = Problem("misaligned", f"row {number} goes from {part[0]} s to {end} s")
    return Utterance(
        id=name("id") or f"{name_of_file(Path(video).stem) or 'row'}_{number}",
        text=str(row.get("text") or ""),
        video=MediaSpan(path.parent / video, *part) if video else None,
        sound=MediaSpan(path.parent / sound, *part) if sound else None,
        labels={name: value or 0.0 for name, value in values.items()} if labelled else None,
        speaker=name("speaker"),
        dialogue=name("dialogue"),
        session=name("session"),
        split=_SPLITS[split],
        problem=problem,
    )
