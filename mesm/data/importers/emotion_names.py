"""Convert the emotion names of releases, folders and label columns to those of `mesm.vocabulary.EMOTIONS`."""

from __future__ import annotations

from collections.abc import Iterable

from mesm.vocabulary import EMOTIONS

_OTHER_NAMES: dict[str, str] = {
    "angry": "anger", "ang": "anger",
    "disgusted": "disgust", "dis": "disgust",
    "afraid": "fear", "fearful": "fear", "fea": "fear", "scared": "fear",
    "happy": "happiness", "hap": "happiness", "joy": "happiness", "joyful": "happiness",
    "sad": "sadness",
    "surprised": "surprise", "sur": "surprise", "ps": "surprise", "pleasant surprise": "surprise",
    "excitement": "excited", "exc": "excited",
    "frustration": "frustrated", "fru": "frustrated",
    "neu": "neutral",
}  # fmt: skip


def emotion_name(word: str) -> str:
    """Return the project's name of an emotion, "" for any other word; case, blanks and underscores do not count.

    A number or a rank before the name, as in `3_fear` or `03-fear`, is left out.
    """
    name = word.strip().lower().replace("_", " ").replace("-", " ").lstrip("0123456789 ")
    return name if name in EMOTIONS else _OTHER_NAMES.get(name, "")


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return each emotion once, in the order of the vocabulary."""
    present = set(names)
    return tuple(name for name in EMOTIONS if name in present)
