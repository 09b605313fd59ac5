"""List a folder of sounds (`voices`) or pictures (`faces`): `anger/0001.png`, `train/happy/x.jpg`, `emodb/03a01Fa.wav`.

Label, split and speaker come from the names of the folders above a file, or from the file's own name where the release
has one of the forms of `NAME_FORMS`. Pictures may also lie in Parquet files with a column of labels. A clip has the one
modality of its release, and its words where a transcript `NAME.txt` lies beside a sound.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from mesm.data.clip_list import PICTURE_SUFFIXES, SOUND_SUFFIXES
from mesm.data.importers.emotion_names import emotion_name, in_order
from mesm.data.importers.plan import (
    MediaSpan,
    Problem,
    Release,
    Utterance,
    nothing_found,
    one_hot,
    visible,
)
from mesm.data.importers.still_pictures import ParquetPicture
from mesm.data.ingest.media import PICTURES
from mesm.data.text_files import read_transcript
from mesm.errors import DataError
from mesm.files import name_of_file
from mesm.vocabulary import SPLIT_NAMES

#: Pictures whose longer side is at most this are face crops, taken whole: FER2013's have 48 pixels, RAF-DB's 100.
CROPPED_PX = 112
#: Share of a folder's files with one form of name from which that form decides.
_MOST = 0.8


@dataclass(frozen=True)
class NameForm:
    """Describe the file names of one release.

    Attributes:
        pattern: with the groups `emotion` and `speaker`, and `word` for a release whose sentence has one free word.
        emotions: code in a name -> emotion; a code that is missing has no label.
        sentence: the spoken words, with `{word}`; "" where it differs from file to file.
    """

    pattern: re.Pattern[str]
    emotions: Mapping[str, str]
    sentence: str = ""
    meta: Mapping[str, str] = field(default_factory=dict)


NAME_FORMS: dict[str, NameForm] = {
    "emodb": NameForm(
        re.compile(r"^(?P<speaker>\d\d)[ab]\d\d(?P<emotion>[WLEAFTN])[a-z]?$"),
        {"W": "anger", "E": "disgust", "A": "fear", "F": "happiness", "T": "sadness", "N": "neutral"},
        meta={"citation": "Burkhardt et al. 2005", "language": "de"},
    ),
    "tess": NameForm(
        re.compile(r"^(?P<speaker>[OY]AF)_(?P<word>[a-z]+)_(?P<emotion>angry|disgust|fear|happy|neutral|ps|sad)$"),
        {code: emotion_name(code) for code in ("angry", "disgust", "fear", "happy", "neutral", "ps", "sad")},
        "Say the word {word}",
        {"licence": "CC BY-NC-ND 4.0", "citation": "Pichora-Fuller & Dupuis 2020, doi:10.5683/SP2/E8H2MF"},
    ),
    "savee": NameForm(
        re.compile(r"^(?P<speaker>DC|JE|JK|KL)_(?P<emotion>a|d|f|h|n|sa|su)\d\d$"),
        {"a": "anger", "d": "disgust", "f": "fear", "h": "happiness", "n": "neutral", "sa": "sadness", "su": "surprise"},
        meta={"citation": "Haq & Jackson 2009"},
    ),
}  # fmt: skip


def read_voices(source: str | os.PathLike[str]) -> Release:
    """List the sounds below a folder."""
    root = Path(source)
    files = _files(root, SOUND_SUFFIXES)
    if not files:
        raise nothing_found(root, "sounds", "files such as anger/0001.wav")
    named = [(name, form) for name, form in NAME_FORMS.items() if _share(form, files) >= _MOST]
    name, form = named[0] if named else (name_of_file(root.resolve().name), None)
    return _release(name, [_voice(root, path, form) for path in files], {} if form is None else form.meta)


def read_faces(source: str | os.PathLike[str]) -> Release:
    """List the pictures below a folder, or the rows of its Parquet files or of one Parquet file."""
    root = Path(source)
    tables = [root] if root.is_file() else _files(root, ("parquet",))
    if tables:
        utterances = [utterance for table in tables for utterance in _rows(table)]
        return _release(name_of_file(root.resolve().stem), utterances)
    files = _files(root, PICTURE_SUFFIXES)
    if not files:
        raise nothing_found(root, "pictures", "files such as anger/0001.png, or a Parquet file with pictures")
    cropped = _are_crops(files)
    return _release(name_of_file(root.resolve().name), [_face(root, path, cropped) for path in files])


def _files(root: Path, suffixes: Sequence[str]) -> list[Path]:
    if not root.exists():
        raise DataError(f"{root} does not exist; check the path")
    return sorted(p for p in root.rglob("*") if p.suffix.lower().lstrip(".") in suffixes and visible(p))


def _release(name: str, utterances: Sequence[Utterance], meta: Mapping[str, str] | None = None) -> Release:
    labels = in_order(label for u in utterances for label, value in (u.labels or {}).items() if value)
    if not labels:
        raise DataError(
            f"nothing in the release {name!r} names an emotion; expected folders such as anger/ or happy/, or name its own "
            "importer (ravdess, crema-d)"
        )
    with_all = [_with_labels(utterance, labels) for utterance in utterances]
    own = any(u.split for u in utterances)
    rule = "own" if own else "speaker" if all(u.speaker for u in utterances) else "random"
    rules = ("the label is the name of a folder, a column or a part of the file's name; each clip has one label",)
    return Release(name, labels, tuple(with_all), rule, rules, dict(meta or {}))


def _with_labels(utterance: Utterance, labels: tuple[str, ...]) -> Utterance:
    if utterance.labels is None:
        return utterance
    (label,) = utterance.labels
    return replace(utterance, labels=one_hot(label, labels))


def _share(form: NameForm, files: Sequence[Path]) -> float:
    return sum(form.pattern.match(path.stem) is not None for path in files) / len(files)


def _above(root: Path, path: Path) -> list[str]:
    """List the names of the folders between a release's root and a file, the nearest first, then the root's own."""
    return [*reversed(path.relative_to(root).parts[:-1]), root.resolve().name]


def _labelled(label: str, source: str) -> tuple[dict[str, float] | None, Problem | None]:
    if label:
        return {label: 1.0}, None
    return None, Problem("label_not_used", f"{source} names none of the known emotions")


def _voice(root: Path, path: Path, form: NameForm | None) -> Utterance:
    folders, match = _above(root, path), form.pattern.match(path.stem) if form is not None else None
    text = read_transcript(path)
    if form is not None and match is not None:
        parts = match.groupdict()
        label, speaker = form.emotions.get(parts["emotion"], ""), parts["speaker"]
        text = text or form.sentence.format(word=parts.get("word", ""))
    else:
        label, speaker = next(filter(None, map(emotion_name, folders)), ""), _speaker(folders)
    labels, problem = _labelled(label, str(path.relative_to(root)))
    return Utterance(
        id=_id(root, path),
        text=text,
        sound=MediaSpan(path),
        labels=labels,
        speaker=speaker,
        split=_split(folders),
        modalities=("text", "acoustic") if text else ("acoustic",),
        problem=problem,
    )


def _face(root: Path, path: Path, cropped: bool) -> Utterance:
    folders = _above(root, path)
    labels, problem = _labelled(next(filter(None, map(emotion_name, folders)), ""), str(path.relative_to(root)))
    return Utterance(
        id=_id(root, path),
        pictures=(path,),
        cropped=cropped,
        labels=labels,
        speaker=_speaker(folders),
        split=_split(folders),
        modalities=("visual",),
        problem=problem,
    )


def _id(root: Path, path: Path) -> str:
    return name_of_file("_".join(path.relative_to(root).with_suffix("").parts))


def _split(folders: Sequence[str]) -> str:
    return next((SPLIT_NAMES[name.lower()] for name in folders if name.lower() in SPLIT_NAMES), "")


def _speaker(folders: Sequence[str]) -> str:
    """Return the nearest folder named after a person, such as `Actor_01`, `speaker3` or `S005`; "" if there is none."""
    form = re.compile(r"^(actor|speaker|subject|person|spk|s)[_ -]?\d+$", re.IGNORECASE)
    return next((name for name in folders if form.match(name)), "")


def _are_crops(files: Sequence[Path]) -> bool:
    """Return whether the first readable picture is at most `CROPPED_PX` on its longer side."""
    for path in files[:20]:
        try:
            with Image.open(path, formats=PICTURES) as picture:
                return max(picture.size) <= CROPPED_PX
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            continue
    return False


def _rows(path: Path) -> list[Utterance]:
    """List the rows of a Parquet file with a column of pictures and one of labels."""
    try:
        table = pq.ParquetFile(path)
        columns = {name.lower(): name for name in table.schema_arrow.names}
        picture = _picture_column(table.schema_arrow)
        label = next((columns[name] for name in ("label", "emotion", "labels") if name in columns), None)
        if picture is None or label is None:
            raise DataError(
                f"{path} has the columns {', '.join(table.schema_arrow.names)}; it needs one with pictures (bytes) and "
                "one named label with the emotions' names"
            )
        names = [name for name in (columns.get("id"), label, columns.get("split"), columns.get("speaker")) if name]
        utterances = []
        for group in range(table.num_row_groups):
            for row, cells in enumerate(table.read_row_group(group, columns=names).to_pylist()):
                number = f"{path.stem}_{group}_{row}"
                labels, problem = _labelled(emotion_name(str(cells[label])), f"row {number}")
                utterances.append(
                    Utterance(
                        id=str(cells.get(columns.get("id", ""), number)),
                        pictures=(ParquetPicture(path, group, row, picture),),
                        cropped=True,
                        labels=labels,
                        speaker=str(cells.get(columns.get("speaker", ""), "")),
                        split=SPLIT_NAMES.get(str(cells.get(columns.get("split", ""), "")).lower(), _split_of(path)),
                        modalities=("visual",),
                        problem=problem,
                    )
                )
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path} is no readable Parquet file ({str(error).partition(chr(10))[0]})") from error
    return utterances


def _split_of(path: Path) -> str:
    """Return the split that a file's name ends with, as in `fer2013_train.parquet`."""
    return SPLIT_NAMES.get(re.split(r"[_.-]", path.stem)[-1].lower(), "")


def _picture_column(schema: pa.Schema) -> str | None:
    for column in schema:
        kind = column.type
        if pa.types.is_struct(kind) and "bytes" in [kind.field(i).name for i in range(kind.num_fields)]:
            return str(column.name)
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            return str(column.name)
    return None
