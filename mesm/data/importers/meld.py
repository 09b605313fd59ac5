"""Import MELD (Poria et al. 2019): `dia{D}_utt{U}.mp4` and one CSV per split; its numbers start again in every split."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from mesm.data.csv_files import read_csv
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
from mesm.vocabulary import SPLIT_NAMES

LABELS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
META: dict[str, str | bool] = {
    "licence": "GPL-3.0 (annotations); scenes of the series Friends",
    "publish_faces": False,
    "citation": "Poria et al. 2019, doi:10.18653/v1/P19-1050",
}
RULES = (
    "joy is happiness; the split is the corpus's own, dev is valid; ids are <split>_dia<D>_utt<U>",
    "the largest face of a frame is taken to be the speaker's: a scene shows several",
)
_CODES = {"joy": "happiness", **{name: name for name in LABELS if name != "happiness"}}
_COLUMNS = ("Dialogue_ID", "Utterance_ID", "Utterance", "Speaker", "Emotion")
_CSV = re.compile(r"^(train|dev|test)_sent_emo\.csv$")
_CLIP = re.compile(r"^dia(\d+)_utt(\d+)\.mp4$", re.IGNORECASE)


def read_release(source: str | os.PathLike[str]) -> Release:
    """List every row of the three CSVs."""
    root = existing_folder(source)
    tables = {
        match[1]: path
        for path in sorted(root.rglob("*_sent_emo.csv"), reverse=True)
        if (match := _CSV.match(path.name))
    }
    if not tables:
        raise nothing_found(root, "MELD", "train_sent_emo.csv, dev_sent_emo.csv or test_sent_emo.csv")
    videos = _videos(root)
    utterances: list[Utterance] = []
    for split in ("train", "dev", "test"):
        if split in tables:
            table = read_csv(tables[split], dict.fromkeys(_COLUMNS, ()))
            table.require(*_COLUMNS)
            utterances += [_utterance(root, videos, split, row) for row in table.good_rows()]
    return Release("meld", LABELS, tuple(utterances), "own", RULES, META)


def _videos(root: Path) -> dict[tuple[str, str, str], Path]:
    """Map (split, dialogue, utterance) -> file; the split is a word of the folder's name, in any spelling."""
    files: dict[tuple[str, str, str], Path] = {}
    for path in sorted(root.rglob("*.mp4")):
        match = _CLIP.match(path.name)
        if not match or not visible(path):
            continue
        where = path.parent.relative_to(root).as_posix().lower()
        for split in ("train", "dev", "test"):
            if split in where:
                files.setdefault((split, str(int(match[1])), str(int(match[2]))), path)
    return files


def _utterance(root: Path, videos: dict[tuple[str, str, str], Path], split: str, row: Mapping[str, str]) -> Utterance:
    dialogue, number, emotion = row["Dialogue_ID"], row["Utterance_ID"], row["Emotion"].lower()
    name = f"{split}_dia{dialogue}_utt{number}"
    problem = None if emotion in _CODES else Problem("label_not_used", f"its label is {emotion!r}")
    missing = root / f"{split}_splits" / f"dia{dialogue}_utt{number}.mp4"
    return Utterance(
        id=name,
        text=row["Utterance"],
        video=MediaSpan(videos.get((split, dialogue, number), missing)),
        labels=None if problem else one_hot(_CODES[emotion], LABELS),
        speaker=row["Speaker"],
        dialogue=f"{split}_dia{dialogue}",
        split=SPLIT_NAMES[split],
        problem=problem,
    )
