"""Import CREMA-D (Cao et al. 2014): `VideoFlash/1001_DFA_ANG_XX.flv` and `AudioWAV/1001_DFA_ANG_XX.wav`."""

from __future__ import annotations

import os
import re
from pathlib import Path

from mesm.data.clip_list import files_by_stem
from mesm.data.importers.plan import (
    MediaSpan,
    Problem,
    Release,
    Utterance,
    existing_folder,
    nothing_found,
    one_hot,
)
from mesm.vocabulary import MODALITIES

LABELS = ("anger", "disgust", "fear", "happiness", "sadness", "neutral")
META = {"licence": "ODbL 1.0", "citation": "Cao et al. 2014, doi:10.1109/TAFFC.2014.2336244"}
RULES = ("the label is the acted emotion; intensity LO 1, MD 2, HI 3, unspecified (XX) 1",)
_EMOTIONS = {
    "ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happiness", "SAD": "sadness", "NEU": "neutral",
}  # fmt: skip
_INTENSITIES = {"LO": 1.0, "MD": 2.0, "HI": 3.0}
_SENTENCES = {
    "IEO": "It's eleven o'clock.",
    "TIE": "That is exactly what happened.",
    "IOM": "I'm on my way to the meeting.",
    "IWW": "I wonder what this is about.",
    "TAI": "The airplane is almost full.",
    "MTI": "Maybe tomorrow it will be cold.",
    "IWL": "I would like a new alarm clock.",
    "ITH": "I think I have a doctor's appointment.",
    "DFA": "Don't forget a jacket.",
    "ITS": "I think I've seen this before.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}
#: Listed as faulty in the corpus's own notes.
KNOWN_BAD = frozenset({"1076_MTI_NEU_XX", "1076_MTI_SAD_XX", "1064_TIE_SAD_XX", "1064_IEO_DIS_MD"})
_NAME = re.compile(r"^(\d{4})_([A-Z]{3})_([A-Z]{3})_([A-Z]{1,2})$")


def read_release(source: str | os.PathLike[str]) -> Release:
    """List every clip that there is a video or a sound of."""
    root = existing_folder(source)
    videos, sounds = files_by_stem(root, "video", "flv"), files_by_stem(root, "sound", "wav")
    names = sorted(name for name in videos.keys() | sounds.keys() if _NAME.match(name))
    if not names:
        raise nothing_found(root, "CREMA-D", "files such as VideoFlash/1001_DFA_ANG_XX.flv")
    # A folder of the sounds alone is a release of its own; beside videos, one that is missing is missing.
    modalities = MODALITIES if videos else ("text", "acoustic")
    utterances = tuple(_utterance(root, name, videos.get(name), sounds.get(name), modalities) for name in names)
    return Release("crema_d", LABELS, utterances, "speaker", RULES, META)


def _utterance(root: Path, name: str, video: Path | None, sound: Path | None, modalities: tuple[str, ...]) -> Utterance:
    actor, sentence, emotion, level = name.split("_")
    label = _EMOTIONS.get(emotion, "")
    problem = None
    if name in KNOWN_BAD:
        problem = Problem("known_bad", "the corpus's notes list it")
    elif not label:
        problem = Problem("label_not_used", f"its label is {emotion}")
    return Utterance(
        id=name,
        text=_SENTENCES.get(sentence, ""),
        video=MediaSpan(video or root / "VideoFlash" / f"{name}.flv"),
        sound=None if sound is None else MediaSpan(sound),
        labels=one_hot(label, LABELS, _INTENSITIES.get(level, 1.0)) if label else None,
        speaker=actor,
        modalities=modalities,
        problem=problem,
    )
