"""Import any corpus from a CSV, TSV or JSONL with one row per utterance.

Columns, in any case of letters (see `mesm.data.csv_files`): `path` (of the video, or of a picture; relative to the
manifest), and where there are any `id`, `audio`, `start_s`, `end_s`, `text`, `speaker`, `dialogue`, `session`, `split`,
and one column per emotion, or a column `label` with one emotion's name, or several separated by commas. A path may be a
turn's name alone: the file of that stem below the manifest's folder; without a column `path`, the `id` is that name.
Turns of IEMOCAP have their session, dialogue and speaker by their name; `side` (left, right) is the speaker's half of a
split screen. `NAMES` has the other names that a column may have. A row with more or fewer cells than the header is refused
before anything is imported.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from mesm.data.clip_list import files_by_stem
from mesm.data.csv_files import PATH_NAMES, TEXT_NAMES, match_columns, parse_csv
from mesm.data.importers.emotion_names import emotion_name, in_order
from mesm.data.importers.iemocap import parse_name, speaker_side
from mesm.data.importers.plan import MediaSpan, Problem, Release, Utterance
from mesm.data.text_files import read_text
from mesm.errors import DataError
from mesm.files import check_name, name_of_file
from mesm.json_form import Json
from mesm.vocabulary import EMOTIONS, SPLITS

RULES = (
    "an emotion column holds an intensity in [0, 3]; an empty cell is 0, a row without any value has no label",
    "an emotion that the column label names has intensity 1",
)
#: Column -> other names that it may have.
NAMES: dict[str, tuple[str, ...]] = {
    "id": ("clip_id", "utterance_id", "turn", "turn_id", "turn_name"),
    "path": PATH_NAMES,
    "audio": ("sound", "audio_path"),
    "start_s": ("start",),
    "end_s": ("end",),
    "text": TEXT_NAMES,
    "speaker": ("speaker_id",),
    "dialogue": ("dialog", "dialogue_id", "dialog_id"),
    "session": ("session_id",),
    "split": (),
    "label": ("emotion", "emotions", "labels"),
    "side": (),
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
    if "path" not in columns and "id" not in columns:
        raise DataError(f"{path} has no column 'path' (it has {', '.join(columns) or 'none'}); name the videos in it")
    unknown = [name for name in columns if name not in COLUMNS and name not in EMOTIONS]
    if unknown:
        raise DataError(
            f"{path} has a column {unknown[0]!r}, which is neither an emotion ({', '.join(EMOTIONS)}) nor one of "
            f"{', '.join(COLUMNS)}; rename or remove it"
        )
    labels = tuple(name for name in EMOTIONS if name in columns)
    if labels and "label" in columns:
        raise DataError(f"{path} has a column 'label' and a column {labels[0]!r}; keep one kind of labels")
    named = [_named(row) for row in rows]
    labels = labels or in_order(label for one in named for label in one)
    media = _Media(path.parent)
    utterances = tuple(_utterance(path, media, number, row, labels) for number, row in enumerate(rows, 1))
    own = any(utterance.split for utterance in utterances)
    speakers = sum(bool(utterance.speaker) for utterance in utterances)
    rule = "own" if own else "speaker" if speakers == len(utterances) else "random"
    return Release(path.stem, labels, utterances, rule, RULES)


def _rows(path: Path) -> Sequence[Mapping[str, Json]]:
    text = read_text(path)
    if text.lstrip().startswith("{"):
        return [_json_row(path, number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    table = parse_csv(text, path, _NAMES)
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


def _named(row: Mapping[str, Json]) -> tuple[str, ...]:
    """Return the emotions that the column `label` names."""
    return tuple(name for word in str(row.get("label") or "").split(",") if (name := emotion_name(word)))


class _Media:
    """Hold the media of a manifest: at their paths, or by the stem of a name without an ending."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def stems(self) -> dict[str, Path]:
        """Map stem -> video, else sound."""
        return files_by_stem(self.folder, "sound", "wav") | files_by_stem(self.folder, "video", "mp4")

    def path(self, word: str) -> Path:
        """Return the file that a cell names."""
        path = self.folder / word
        return path if Path(word).suffix else self.stems.get(Path(word).name, path)


def _utterance(path: Path, media: _Media, number: int, row: Mapping[str, Json], labels: tuple[str, ...]) -> Utterance:
    def word(key: str) -> str:
        return str(row.get(key) or "").strip()

    def name(key: str) -> str:
        return check_name(f"{key} in row {number} of {path}", word(key))

    start, end = (_number(path, number, row, key) for key in ("start_s", "end_s"))
    part = (start or 0.0, end)
    video, sound, side = word("path") or word("id"), word("audio"), word("side").lower()
    if side not in ("", "left", "right"):
        raise DataError(f"row {number} of {path} has side {side!r}; write left, right, or nothing")
    split = word("split").lower()
    if split not in _SPLITS:
        raise DataError(f"row {number} of {path} has split {split!r}; use one of {', '.join(SPLITS)}")
    values: dict[str, float | None] = {name: _number(path, number, row, name) for name in labels}
    if named := _named(row):
        values = {name: float(name in named) for name in labels}
    outside = [name for name, value in values.items() if value is not None and not 0 <= value <= 3]
    if outside:
        raise DataError(f"row {number} of {path} has {outside[0]} {values[outside[0]]}; give an intensity from 0 to 3")
    labelled = any(value is not None for value in values.values())
    problem = None
    if not labelled and word("label"):
        problem = Problem("label_not_used", f"its label is {word('label')!r}")
    elif not video:
        problem = Problem("missing_video", f"row {number} names no path")
    elif end is not None and not 0 <= part[0] < end:
        problem = Problem("misaligned", f"row {number} goes from {part[0]} s to {end} s")
    elif labels and not labelled:
        problem = Problem("no_label", f"row {number} has no value in any emotion's column")
    turn = Path(video).stem
    speaker, dialogue, session = parse_name(turn) if speaker_side(turn) else ("", "", "")
    return Utterance(
        id=name("id") or f"{name_of_file(Path(video).stem) or 'row'}_{number}",
        text=str(row.get("text") or ""),
        video=MediaSpan(media.path(video), *part) if video else None,
        sound=MediaSpan(media.path(sound), *part) if sound else None,
        labels={name: value or 0.0 for name, value in values.items()} if labelled else None,
        side=side,
        # A column with F and M alone would make one person of five.
        speaker=speaker if len(name("speaker")) < 2 and speaker else name("speaker"),
        dialogue=name("dialogue") or dialogue,
        session=name("session") or session,
        split=_SPLITS[split],
        problem=problem,
    )
