"""THE names and THE orders: emotions, modalities, action units. Everything that lists them lists them from here."""

from __future__ import annotations

#: Order of every per-modality list, table and tuple.
MODALITIES: tuple[str, ...] = ("text", "visual", "acoustic")

#: All emotion names known to the project, in the order in which pages and figures list them.
EMOTIONS: tuple[str, ...] = (
    "anger",
    "disgust",
    "fear",
    "happiness",
    "sadness",
    "surprise",
    "excited",
    "frustrated",
    "neutral",
)

#: Label set and label order of each corpus. A checkpoint keeps its own copy in config.json.
CORPUS_LABELS: dict[str, tuple[str, ...]] = {
    "mosei": ("anger", "disgust", "fear", "happiness", "sadness", "surprise"),
    "marionette": ("anger", "disgust", "fear", "happiness", "sadness", "surprise"),
    "iemocap": ("anger", "excited", "frustrated", "happiness", "neutral", "sadness"),
}

SPLITS: tuple[str, ...] = ("train", "valid", "test")

#: FACS action units the project knows, by number (Ekman, Friesen & Hager 2002), with the name of the movement.
ACTION_UNITS: dict[int, str] = {
    1: "inner brow raiser",
    2: "outer brow raiser",
    4: "brow lowerer",
    5: "upper lid raiser",
    6: "cheek raiser",
    7: "lid tightener",
    9: "nose wrinkler",
    10: "upper lip raiser",
    12: "lip corner puller",
    15: "lip corner depressor",
    16: "lower lip depressor",
    17: "chin raiser",
    20: "lip stretcher",
    23: "lip tightener",
    24: "lip pressor",
    25: "lips part",
    26: "jaw drop",
    27: "mouth stretch",
    45: "blink",
}
