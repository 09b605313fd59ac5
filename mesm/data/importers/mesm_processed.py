"""Import the authors' processed IEMOCAP and CMU-MOSEI: pictures and wavs per utterance, and `meta.pkl`.

{IEMOCAP,MOSEI}_RAW_PROCESSED/meta.pkl                    {id: {text, label}}
MOSEI_RAW_PROCESSED/<utterance>/{image_<i>.jpg, audio.wav}
IEMOCAP_RAW_PROCESSED/<dialogue>/<utterance>/{image_{L,R}_<i>.jpg, audio_{L,R}.wav}
{IEMOCAP,MOSEI}_SPLIT/{train,valid,test}_split.txt
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mesm.data.importers import iemocap, mosei
from mesm.data.importers.headers import read_header
from mesm.data.importers.plan import (
    MediaSpan,
    Problem,
    Release,
    Utterance,
    existing_folder,
    nothing_found,
    one_hot,
    visible,
)
from mesm.data.safe_pickle import load_plain_pickle
from mesm.errors import DataError
from mesm.files import check_name

_FOLDERS = {"iemocap": "IEMOCAP_RAW_PROCESSED", "mosei": "MOSEI_RAW_PROCESSED"}
_LISTS = {"iemocap": "IEMOCAP_SPLIT", "mosei": "MOSEI_SPLIT"}
RULES = (
    "picture i lies at i / rate, i in numerical order; the rate is that of 2 and 30 per second which fits the length "
    "of the sound",
)
_PICTURE = re.compile(r"^image_(?:([LR])_)?(\d+)\.jpe?g$", re.IGNORECASE)
#: Rates at which the two copies were made: a picture every 500 ms, or every frame.
_RATES_HZ = (2, 30)


def read_release(source: str | os.PathLike[str], part: str = "") -> Release:
    """List every utterance of `meta.pkl`, of the one corpus that lies at `source`, or of `part` where both do."""
    root = existing_folder(source)
    present = [name for name, folder in _FOLDERS.items() if (root / folder / "meta.pkl").is_file()]
    if (root / "meta.pkl").is_file():  # the folder of one corpus itself
        present = [name for name, folder in _FOLDERS.items() if folder == root.name]
        root = root.parent
    if part:
        present = [name for name in present if name == part]
    if not present:
        raise nothing_found(root, part or "the processed data", " or ".join(f"{f}/meta.pkl" for f in _FOLDERS.values()))
    if len(present) > 1:
        raise DataError(f"{root} holds both {' and '.join(present)}; choose one with --part iemocap or --part mosei")
    name = present[0]
    folder = root / _FOLDERS[name]
    meta = load_plain_pickle(folder / "meta.pkl")
    if not isinstance(meta, dict):
        raise DataError(
            f"{folder / 'meta.pkl'} holds a {type(meta).__name__}, not a table of utterances; copy it again"
        )
    make = {"iemocap": _of_iemocap, "mosei": _of_mosei}[name]
    utterances = tuple(make(folder, _name(key), entry) for key, entry in sorted(meta.items(), key=lambda e: str(e[0])))
    release = {"iemocap": iemocap, "mosei": mosei}[name]
    lists = root / _LISTS[name]
    rule = f"lists:{lists}" if lists.is_dir() else "dialogue" if name == "mosei" else "random"
    return Release(name, release.LABELS, utterances, rule, RULES, dict(release.META))


def _name(key: object) -> str:
    """Return an utterance's name, which names its folder too: a path in its place would read files of other folders."""
    name = check_name("utterance", str(key))
    if name != Path(name).name or name == "..":
        raise DataError(f"meta.pkl has the utterance {name!r}, which is no name of a folder; copy it again")
    return name


def _entry(entry: Any) -> tuple[str, Any]:
    """Return the text and label of an entry of `meta.pkl`."""
    fields = entry if isinstance(entry, Mapping) else {}
    text = fields.get("text", "")
    return text if isinstance(text, str) else "", fields.get("label")


def _pictures(folder: Path, side: str) -> tuple[Path, ...]:
    """List the pictures of one side in numerical order."""
    if not folder.is_dir():
        return ()
    numbered = []
    for path in filter(visible, folder.iterdir()):
        match = _PICTURE.match(path.name)
        if match and (match[1] or "").upper() == side:
            numbered.append((int(match[2]), path))
    return tuple(path for _, path in sorted(numbered))


def _seconds(sound: Path) -> float | None:
    """Return the length of a wav by its header; None for one that is missing or broken, which is reported when it is read."""
    try:
        return read_header(sound).duration_s
    except DataError:
        return None


def every_500_ms(pictures: Sequence[Path], seconds: float | None) -> tuple[Path, ...]:
    """Choose one picture every 500 ms, whichever of the two rates they were dumped at.

    Args:
        seconds: length of the sound; None takes the pictures as they are.
    """
    if not pictures or not seconds:
        return tuple(pictures)
    rate = min(_RATES_HZ, key=lambda hz: abs(math.log(len(pictures) / seconds / hz)))
    return tuple(pictures[:: rate // 2])


def _of_iemocap(folder: Path, name: str, entry: Any) -> Utterance:
    text, label = _entry(entry)
    letter = {"left": "L", "right": "R"}.get(iemocap.speaker_side(name), "")
    speaker, dialogue, session = iemocap.parse_name(name)
    clip = folder / dialogue / name
    code = str(label).strip().lower()
    emotion = iemocap.CODES.get(code, code)
    problem = None if emotion in iemocap.LABELS else Problem("label_not_used", f"its label is {label!r}")
    sound = MediaSpan(clip / f"audio_{letter}.wav")
    return Utterance(
        id=name,
        text=text,
        pictures=every_500_ms(_pictures(clip, letter), _seconds(sound.path)),
        sound=sound,
        labels=None if problem else one_hot(emotion, iemocap.LABELS),
        speaker=speaker,
        dialogue=dialogue,
        session=session,
        problem=problem,
    )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _of_mosei(folder: Path, name: str, entry: Any) -> Utterance:
    text, label = _entry(entry)
    labels, problem = None, None
    values = label.tolist() if isinstance(label, np.ndarray) else label
    if isinstance(values, (list, tuple)) and len(values) == len(mosei.LABELS) and all(map(_is_number, values)):
        labels = {key: float(value > 0) for key, value in zip(mosei.LABELS, values, strict=True)}
    else:
        problem = Problem("no_label", f"its label is {label!r}, not six numbers")
    return Utterance(
        id=name,
        text=text,
        pictures=every_500_ms(_pictures(folder / name, ""), _seconds(folder / name / "audio.wav")),
        sound=MediaSpan(folder / name / "audio.wav"),
        labels=labels,
        dialogue=name.rpartition("_")[0],
        problem=problem,
    )
