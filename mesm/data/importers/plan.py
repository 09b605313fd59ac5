"""Plan an import: one `Utterance` per clip of a release, before anything is decoded.

A plan lists where picture, sound, words and labels lie and, where that is already known, why the clip cannot be used.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mesm.data.importers.still_pictures import StillPicture
from mesm.errors import DataError
from mesm.files import check_name
from mesm.json_form import Json
from mesm.vocabulary import MODALITIES

#: Why an utterance is not stored: the code that stands in the quarantine list, and what it means.
REASONS: dict[str, str] = {
    "label_not_used": "its label is none of the corpus's labels (in IEMOCAP: other, or no majority)",
    "no_label": "it has no label",
    "empty_text": "it has no transcript",
    "missing_video": "its video is not in the release",
    "missing_sound": "its sound is not in the release",
    "broken_video": "its video cannot be read",
    "broken_sound": "its sound cannot be read",
    "no_frames": "its video holds no picture",
    "no_audio": "it has no sound",
    "too_long": "it is longer than the limit for a clip",
    "too_large": "its frames are larger than the limit",
    "misaligned": "its times do not fit its media",
    "no_split": "the split lists do not name it",
    "known_bad": "the corpus's makers list it as faulty",
    "duplicate_id": "another utterance has the same name",
    "broke_decoder": "decoding it ended the process",
}


#: Of these, what `--keep-incomplete` stores all the same.
INCOMPLETE = ("no_label", "empty_text", "missing_video", "missing_sound", "no_frames", "no_audio")


def incomplete_hint(quarantined: Iterable[str]) -> str:
    """Return how to store what lacks words, picture, sound or a label, if any of these reasons is such; else ""."""
    lacking = [reason for reason in quarantined if reason in INCOMPLETE]
    return "--keep-incomplete stores clips without words, picture, sound or label too" if lacking else ""


@dataclass(frozen=True)
class Problem:
    """Hold the reason why an utterance is not stored: a code of `REASONS` and a sentence about this one."""

    reason: str
    detail: str = ""

    def __post_init__(self) -> None:
        assert self.reason in REASONS, self.reason


@dataclass(frozen=True)
class MediaSpan:
    """Hold a media file, or the part of it from `start_s` to `end_s` (seconds; None = to its end)."""

    path: Path
    start_s: float = 0.0
    end_s: float | None = None


@dataclass(frozen=True)
class Utterance:
    """Describe one clip to be stored.

    Attributes:
        id: unique in its corpus.
        video: where the picture is; None with `pictures`.
        pictures: still pictures, `FRAME_INTERVAL_MS` apart, instead of a video.
        cropped: the pictures are face crops already: each is taken whole, no face is searched for.
        sound: where the sound is; None = in the video.
        side: "left" or "right": the half of the picture, and the channel of a sound with two, that are the speaker's.
        labels: emotion -> intensity in [0, 3]; None = unlabelled.
        dialogue: recording that the utterance was cut from; `session` the recording session.
        expected_s: length according to the annotation, where the file was cut by it.
        modalities: what the release holds of it by design; the lack of another one is no problem.
        problem: why it cannot be stored, if that is known without opening its media.
    """

    id: str
    text: str = ""
    video: MediaSpan | None = None
    pictures: tuple[StillPicture, ...] = ()
    cropped: bool = False
    sound: MediaSpan | None = None
    side: str = ""
    labels: Mapping[str, float] | None = None
    speaker: str = ""
    dialogue: str = ""
    session: str = ""
    split: str = ""
    expected_s: float | None = None
    modalities: tuple[str, ...] = MODALITIES
    problem: Problem | None = None

    def __post_init__(self) -> None:
        for what in ("id", "speaker", "dialogue", "session"):
            check_name(what, getattr(self, what))


@dataclass(frozen=True)
class Release:
    """Describe a release on the user's disk.

    Attributes:
        name: of the corpus, e.g. `iemocap`, whatever the layout it was read from.
        labels: emotion names in the corpus's order.
        utterances: everything that was found, usable or not, in the order in which it will be stored.
        splits: the rule that divides it unless the user names another (see `mesm.data.splits`).
        rules: how this release was read, in sentences; they go to the manifest.
        meta: licence, citation and the like; goes to the manifest.
    """

    name: str
    labels: tuple[str, ...]
    utterances: tuple[Utterance, ...]
    splits: str
    rules: tuple[str, ...] = ()
    meta: Mapping[str, Json] = field(default_factory=dict)


def existing_folder(path: str | os.PathLike[str]) -> Path:
    """Return the path if it is a folder, else `DataError`."""
    if not Path(path).is_dir():
        raise DataError(f"{path} is not a folder; give the folder that the release was unpacked in")
    return Path(path)


def nothing_found(source: Path, name: str, layout: str) -> DataError:
    """Return the error for a folder that is not the release that the user named."""
    return DataError(f"{source} holds nothing of {name}: expected {layout}; check the path, or name another importer")


def visible(path: Path) -> bool:
    """Return whether a file is neither hidden nor one of the `._` files that macOS leaves in archives."""
    return not path.name.startswith(".")


def one_hot(label: str, labels: tuple[str, ...], intensity: float = 1.0) -> dict[str, float]:
    """Return `intensity` for one label, 0 for the others."""
    return {name: intensity if name == label else 0.0 for name in labels}
