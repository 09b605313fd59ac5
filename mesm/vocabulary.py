"""Define the names and the orders of emotions, modalities, splits, flags and action units; every list of them is this one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

#: Order of every per-modality list, table and tuple.
MODALITIES: tuple[str, ...] = ("text", "visual", "acoustic")

#: All emotion names known to the project, in the order in which pages and figures list them.
EMOTIONS: tuple[str, ...] = (
    "anger", "disgust", "fear", "happiness", "sadness", "surprise", "excited", "frustrated", "neutral",
)  # fmt: skip

#: Label set and label order of each corpus. A checkpoint keeps its own copy in config.json.
CORPUS_LABELS: dict[str, tuple[str, ...]] = {
    "mosei": ("anger", "disgust", "fear", "happiness", "sadness", "surprise"),
    "marionette": ("anger", "disgust", "fear", "happiness", "sadness", "surprise"),
    "iemocap": ("anger", "excited", "frustrated", "happiness", "neutral", "sadness"),
}

SPLITS: tuple[str, ...] = ("train", "valid", "test")
#: Name of a split in releases -> its name here.
SPLIT_NAMES: dict[str, str] = {
    "training": "train", "dev": "valid", "val": "valid", "validation": "valid", "testing": "test",
    **{name: name for name in SPLITS},
}  # fmt: skip


def order_splits(names: Iterable[str]) -> list[str]:
    """Return each name once: train, valid, test, then the others in alphabetical order."""
    unique = set(names)
    return [name for name in SPLITS if name in unique] + sorted(unique.difference(SPLITS))


#: Query of face and voice in a clip without words; its text branch counts as absent all the same.
NEUTRAL_QUERY = "This is a person."

#: Flags: code -> what is known of a clip that qualifies its scores. `Sample.quality` and `Prediction.flags` hold codes.
FLAGS: Mapping[str, str] = MappingProxyType(
    {
        "no_video": "there is no picture",
        "no_face": "no face was detected; the centre of the picture is used",
        "some_faces_missing": "no face was detected in some frames; the centre of the picture is used there",
        "several_faces": "there are several faces; one person is followed, the largest unless another was chosen",
        "other_half_speaks": "the other half's mouth moves with the sound and this one's does not; check the speaker's side",
        "tiny_face": "the face is small and was enlarged",
        "turned_face": "the face is turned away from the camera in half of the frames or more",
        "black_picture": "the picture is black",
        "black_start": "the picture is black at the start",
        "late_picture": "the picture begins after the sound; its first frame is used before that",
        "hdr": "the picture has a high dynamic range (HDR) and was tone-mapped",
        "no_audio": "there is no sound",
        "silence": "the sound is silent",
        "clipping": "the sound is clipped",
        "two_sound_tracks": "there are several sound tracks; the one with the voice is used",
        "out_of_phase": "the two sound channels cancel each other; their difference is used",
        "no_words": "there are no words",
        "neutral_query": f"face and voice are queried by the neutral sentence “{NEUTRAL_QUERY}”, for there are no words",
        "text_cut": "the transcript is longer than the text encoder's limit; only its first part is used",
        "language": "the text encoder hardly covers the language or script of the transcript; give it in English",
        "cut_off": "the file is truncated or damaged; the rest of it is used",
        "shortened": "only a part of the file is used",
    }
)
#: Flags of the transcript; they depend on the text that is scored and on the checkpoint's text encoder.
TEXT_FLAGS: tuple[str, ...] = ("no_words", "neutral_query", "text_cut", "language")


def flag_sentences(codes: Iterable[str]) -> tuple[str, ...]:
    """Return the sentence of each flag; a code of another version is spelt out."""
    return tuple(FLAGS.get(code, code.replace("_", " ")) for code in codes)


#: Truth beyond the labels that a corpus may have, as its manifest lists it; `mesm.data.known_truth` reads it.
#:   displays       `Truth.displays`: the emotion that each modality of a clip displays, whatever the clip's labels
#:   action_units   `Truth.au_intensity` of every frame, and the action units of each emotion's prototype
#:   regions        `Truth.au_region`: the pixels that each action unit moves
#:   prosody        `Truth.prosody`: the voice's parameters
#:   neutral_faces  a file of faces without emotion, with the regions that each emotion would move
#:   design         the chances by which the clips were drawn, hence the ideal observer's scores
CAPABILITIES: tuple[str, ...] = ("displays", "action_units", "regions", "prosody", "neutral_faces", "design")

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

#: dlib's 68 landmarks -> their mirror images: jaw, brows, nose, eyes, lips outside and inside.
MIRRORED_LANDMARKS: tuple[int, ...] = (
    *range(16, -1, -1),
    *range(26, 16, -1),
    *range(27, 31), *range(35, 30, -1),
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    *range(54, 47, -1), *range(59, 54, -1),
    *range(64, 59, -1), 67, 66, 65,
)  # fmt: skip

#: Recipes of trainings (`mesm.training.recipes`), and the sizes of their models.
RECIPES: tuple[str, ...] = ("mesm", "fe2e", "paper")
SIZES: tuple[str, ...] = ("small", "paper")
