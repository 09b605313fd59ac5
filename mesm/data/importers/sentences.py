"""Import sentences with emotions: a CSV or TSV with a text column and a label column, or GoEmotions' layout.

Columns: `text`, `label` (one name, or several separated by commas), and where there are any `id`, `split`, `speaker`;
MELD's annotation files have them under other names. GoEmotions: `train.tsv`, `dev.tsv`, `test.tsv` without a header (text,
label numbers separated by commas, id), and the names of the labels line by line in `labels.txt`. A folder's files are
its splits, by their names.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mesm.data.csv_files import TEXT_NAMES, read_csv
from mesm.data.importers.emotion_names import emotion_name, in_order
from mesm.data.importers.plan import Problem, Release, Utterance, nothing_found, visible
from mesm.data.text_files import read_text
from mesm.errors import DataError
from mesm.files import name_of_file
from mesm.vocabulary import SPLIT_NAMES

RULES = ("each named emotion has intensity 1; a sentence with none of the corpus's emotions is quarantined",)
_NAMES = {
    "text": TEXT_NAMES,
    "label": ("emotion", "emotions", "labels"),
    "id": ("utterance_id", "sr_no."),
    "speaker": ("author",),
}
_LABEL_LIST = "labels.txt"


def read_release(source: str | os.PathLike[str]) -> Release:
    """List the sentences of a file, or of every table in a folder."""
    root = Path(source)
    if not root.exists():
        raise DataError(f"{root} does not exist; check the path")
    files = [root] if root.is_file() else _tables(root)
    names = _label_list((root if root.is_dir() else root.parent) / _LABEL_LIST)
    utterances = [u for path in files for u in (_numbered(path, names) if names else _named(path))]
    if not utterances:
        raise nothing_found(root, "sentences", "a CSV or TSV with the columns text and label")
    labels = in_order(name for u in utterances for name in u.labels or {})
    complete = tuple(replace(u, labels=_all_labels(u.labels, labels)) for u in utterances)
    own = any(u.split for u in complete)
    rule = "own" if own else "speaker" if all(u.speaker for u in complete) else "random"
    return Release(name_of_file(root.resolve().stem), labels, complete, rule, RULES)


def _tables(root: Path) -> list[Path]:
    return sorted(p for p in root.iterdir() if p.suffix.lower() in (".csv", ".tsv") and visible(p))


def _label_list(path: Path) -> list[str]:
    return read_text(path).split() if path.is_file() else []


def _all_labels(present: Mapping[str, float] | None, labels: tuple[str, ...]) -> dict[str, float] | None:
    return None if present is None else {name: present.get(name, 0.0) for name in labels}


def _split_of(path: Path) -> str:
    """Return the split that a word of the file's name names, as in `dev_sent_emo.csv`; "" if none does."""
    words = re.split(r"[^a-z]+", path.stem.lower())
    return next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), "")


def _named(path: Path) -> Iterator[Utterance]:
    """Read a table with a header."""
    table = read_csv(path, _NAMES)
    table.require("text", "label")
    for row in table.rows:
        cells = row.cells
        split = SPLIT_NAMES.get(cells.get("split", "").lower(), _split_of(path))
        identifier = cells.get("id") or f"{path.stem}_{row.number}"
        if row.error:
            yield Utterance(identifier, problem=Problem("misaligned", row.error))
            continue
        names = cells["label"].split(",")
        yield _sentence(identifier, cells["text"], names, split, cells.get("speaker", ""))


def _numbered(path: Path, names: Sequence[str]) -> Iterator[Utterance]:
    """Read a table of texts, numbers of labels and ids, without a header."""
    for number, line in enumerate(read_text(path).splitlines(), 1):
        cells = line.split("\t")
        if len(cells) < 2 or not all(word.strip().isdigit() for word in cells[1].split(",")):
            problem = Problem("misaligned", f"line {number} of {path.name} is not a text, a tab, and label numbers")
            yield Utterance(f"{path.stem}_{number}", problem=problem)
            continue
        numbers = [int(word) for word in cells[1].split(",")]
        if max(numbers) >= len(names):
            raise DataError(
                f"line {number} of {path} has label {max(numbers)}, {_LABEL_LIST} names {len(names)} labels"
            )
        identifier = cells[2].strip() if len(cells) > 2 else ""
        yield _sentence(identifier or f"{path.stem}_{number}", cells[0], [names[n] for n in numbers], _split_of(path))


def _sentence(identifier: str, text: str, names: Sequence[str], split: str, speaker: str = "") -> Utterance:
    present = {name: 1.0 for word in names if (name := emotion_name(word))}
    problem = None if present else Problem("label_not_used", f"its label is {', '.join(names)}")
    return Utterance(
        id=identifier,
        text=text,
        labels=present or None,
        speaker=speaker,
        split=split,
        modalities=("text",),
        problem=problem,
    )
