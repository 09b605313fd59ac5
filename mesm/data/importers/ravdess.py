"""Import RAVDESS (Livingstone & Russo 2018): `Actor_NN/MM-VC-EE-II-SS-RR-AA.mp4`, labelled by the file's name.

The releases of sound only (`03-...wav`, also as flac) and of picture only (`02-...mp4`) have the two modalities that they
have; beside full takes their files are copies.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from mesm.data.clip_list import media_kind
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
from mesm.vocabulary import MODALITIES

LABELS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
META = {"licence": "CC BY-NC-SA 4.0", "citation": "Livingstone & Russo 2018, doi:10.1371/journal.pone.0196391"}
RULES = (
    "intensity 1 is normal, 2 strong; calm is not among the labels",
    "speech and song are both stored; video-only and audio-only copies of a take are quarantined where the "
    "release has the whole take",
)
_EMOTIONS = {
    "01": "neutral", "02": "calm", "03": "happiness", "04": "sadness", "05": "anger", "06": "fear", "07": "disgust",
    "08": "surprise",
}  # fmt: skip
_SENTENCES = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}
#: First field of a name -> the modalities of a take without the others.
_MODALITIES = {"02": ("text", "visual"), "03": ("text", "acoustic")}
_NAME = re.compile(r"^(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)$")


def read_release(source: str | os.PathLike[str]) -> Release:
    """List every video and sound with a name of the corpus's form."""
    root = existing_folder(source)
    named = [p for p in root.rglob("*") if _NAME.match(p.stem) and visible(p) and p.is_file()]
    files = sorted(path for path in named if media_kind(path))
    stems = {path.stem for path in files}
    utterances = [_utterance(path, f"01{path.stem[2:]}" in stems) for path in files]
    if not utterances:
        raise nothing_found(root, "RAVDESS", "files such as Actor_01/01-01-03-01-01-01-01.mp4")
    utterances.sort(key=lambda utterance: (utterance.speaker, utterance.id))
    return Release("ravdess", LABELS, tuple(utterances), "speaker", RULES, META)


def _utterance(path: Path, is_whole_there: bool) -> Utterance:
    """Describe one copy of a take; `is_whole_there`: the copy with picture and sound is in the release."""
    modality, _, emotion, intensity, sentence, _, actor = path.stem.split("-")
    label = _EMOTIONS.get(emotion, "")
    problem = None
    if modality == "02" and is_whole_there:
        problem = Problem("no_audio", "it is the video-only copy of a take")
    elif modality != "01" and is_whole_there:
        problem = Problem("no_frames", "it is the audio-only copy of a take")
    elif label not in LABELS:
        problem = Problem("label_not_used", f"its label is {label or emotion}")
    return Utterance(
        id=path.stem,
        text=_SENTENCES.get(sentence, ""),
        video=MediaSpan(path) if modality != "03" else None,
        sound=MediaSpan(path) if modality == "03" else None,
        labels=one_hot(label, LABELS, 2.0 if intensity == "02" else 1.0) if label in LABELS else None,
        speaker=f"Actor_{actor}",
        modalities=_MODALITIES.get(modality, MODALITIES),
        problem=problem,
    )
