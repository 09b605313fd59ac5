"""Import raw CMU-MOSEI (Zadeh et al. 2018): `Videos/`, `Audio/`, `Transcript/` and label CSVs, of the raters or averaged.

A label CSV has one row per clip and rater (`Input.VIDEO_ID`, `Answer.anger`, ...), or one per clip with the averages
(`video`, `segment`, `anger`, ..., with or without `start`, `end` and `text`); `_NAMES` has the other names of the columns.

The original download links are dead; users bring their copy.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TypeAlias

from mesm.data.clip_list import files_by_stem
from mesm.data.csv_files import TEXT_NAMES, read_csv
from mesm.data.importers.plan import (
    MediaSpan,
    Problem,
    Release,
    Utterance,
    existing_folder,
    nothing_found,
    visible,
)
from mesm.data.text_files import read_text
from mesm.vocabulary import CORPUS_LABELS

LABELS = CORPUS_LABELS["mosei"]
#: Ratings go from 0 to 3. The authors' label is 1 where any rater gave more than 0 (Dai et al. 2021, section 3); an average
#: of ratings is above 0 in just these clips, so one limit serves raters' files and averaged ones.
PRESENT_ABOVE = 0.0
META: dict[str, str | bool] = {
    "licence": "CMU-MOSEI end user licence agreement; videos from YouTube",
    "publish_faces": False,
    "citation": "Zadeh et al. 2018, doi:10.18653/v1/P18-1208",
}
RULES = (
    f"an emotion is present (1) where a rater's number, or the raters' average, is above {PRESENT_ABOVE:g}",
    "misaligned clips are quarantined: times out of order or beyond the end of the media, a segment whose length "
    "differs from its times by more than 1 s, picture and sound of unequal length, or more words than fit into the sound",
    "speakers are unknown; one video counts as one dialogue, and no video is in two splits unless lists put it there",
)
#: Column -> other names that it has in label files.
_NAMES: dict[str, tuple[str, ...]] = {
    "video": ("Input.VIDEO_ID", "video_id", "videoid", "video_name"),
    "segment": ("Input.CLIP", "segment_id", "clip", "clip_id", "clip_no"),
    "start": ("start_s", "start_time"),
    "end": ("end_s", "end_time"),
    "text": TEXT_NAMES,
    "anger": ("Answer.anger", "angry"),
    "disgust": ("Answer.disgust", "disgusted"),
    "fear": ("Answer.fear", "fearful"),
    "happiness": ("Answer.happiness", "happy", "joy"),
    "sadness": ("Answer.sadness", "sad"),
    "surprise": ("Answer.surprise", "surprised"),
}
_NEEDED = ("video", "segment", *LABELS)
#: Video and segment; start and end in seconds, and the words.
_Name: TypeAlias = tuple[str, str]
_Transcript: TypeAlias = tuple[float, float, str]
#: Bytes that hold a label table's header.
_HEAD = 20_000


def read_release(source: str | os.PathLike[str]) -> Release:
    """List every clip that a label file or a transcript names."""
    root = existing_folder(source)
    labels, texts = _labels(root)
    texts |= _transcripts(root)  # which have the times of the raters' files, and more exact ones than averaged tables
    if not labels:
        raise nothing_found(root, "CMU-MOSEI", f"a CSV with the columns {', '.join(_NEEDED)}")
    media = _Media(root)
    names = sorted(labels.keys() | texts.keys(), key=lambda name: (name[0], len(name[1]), name[1]))
    utterances = tuple(_utterance(media, name, labels.get(name), texts.get(name)) for name in names)
    return Release("mosei", LABELS, utterances, "dialogue", RULES, META)


def _labels(root: Path) -> tuple[dict[_Name, dict[str, float]], dict[_Name, _Transcript]]:
    """Map clips to emotion -> 1 where a number of it is above the limit, and to transcripts where the tables have them."""
    emotions: dict[_Name, dict[str, float]] = {}
    texts: dict[_Name, _Transcript] = {}
    for path in sorted(filter(visible, root.rglob("*.csv"))):
        with path.open("rb") as file:
            # Of ASCII letters, in any encoding: UTF-16 has a zero beside each.
            head = file.read(_HEAD).lower().replace(b"\0", b"")
        if b"video" not in head or b"disgust" not in head:
            continue  # a table of something else, which may be anything
        table = read_csv(path, _NAMES)
        if not set(_NEEDED) <= set(table.columns):
            continue
        for row in table.good_rows():
            name = (row["video"], row["segment"])
            if not all(name):
                continue
            present = emotions.setdefault(name, dict.fromkeys(LABELS, 0.0))
            for label in LABELS:
                if _rating(row[label]) > PRESENT_ABOVE:
                    present[label] = 1.0
            if {"start", "end"} <= row.keys():
                texts[name] = _transcript(row["start"], row["end"], row.get("text", ""))
    return emotions, texts


def _rating(text: str | None) -> float:
    """Return a rater's number; an empty or unreadable cell counts as 0."""
    try:
        value = float(text or 0)
    except ValueError:
        return 0.0
    return value if math.isfinite(value) else 0.0


def _transcripts(root: Path) -> dict[_Name, _Transcript]:
    """Map clips to their transcripts. The text may hold the separator itself."""
    transcripts = {}
    for path in sorted(filter(visible, root.glob("**/Transcript/**/*.txt"))):
        for line in read_text(path).splitlines():
            fields = line.split("___", 4)
            if len(fields) == 5:
                video, clip, *rest = (field.strip() for field in fields)
                transcripts[video, clip] = _transcript(*rest)
    return transcripts


def _transcript(start: str, end: str, text: str) -> _Transcript:
    """Return start and end in seconds, NaN where they are no numbers, and the text."""
    try:
        return float(start), float(end), text
    except ValueError:
        return math.nan, math.nan, text


class _Media:
    """Find the media of a clip: segmented files where the copy has them, else full recordings and the transcript's times."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = {
            (kind, cut): files_by_stem(root / kind / cut, *media) if (root / kind / cut).is_dir() else {}
            for kind, media in (("Videos", ("video", "mp4")), ("Audio", ("sound", "wav")))
            for cut in ("Segmented", "Full")
        }

    def part(self, kind: str, video: str, clip: str, times: tuple[float, float] | None) -> MediaSpan | None:
        segment = self.files[kind, "Segmented"].get(f"{video}_{clip}")
        if segment is not None:
            return MediaSpan(segment)
        full = self.files[kind, "Full"].get(video)
        return None if full is None or times is None else MediaSpan(full, *times)


def _utterance(
    media: _Media,
    name: _Name,
    labels: dict[str, float] | None,
    transcript: _Transcript | None,
) -> Utterance:
    video, clip = name
    times = (
        None if transcript is None or not all(map(math.isfinite, transcript[:2])) else (transcript[0], transcript[1])
    )
    problem = None
    if transcript is None:
        problem = Problem("empty_text", "no transcript names it")
    elif times is None:
        problem = Problem("misaligned", "its times in the transcript are no numbers")
    elif not 0 <= times[0] < times[1]:
        problem = Problem("misaligned", f"its transcript goes from {times[0]} s to {times[1]} s")
    usable = times if problem is None else None
    if problem is None and labels is None:
        problem = Problem("no_label", "no rater's row names it")
    picture = media.part("Videos", video, clip, usable)
    expected = None if usable is None else usable[1] - usable[0]
    return Utterance(
        id=f"{video}_{clip}",
        text="" if transcript is None else transcript[2],
        video=picture or MediaSpan(media.root / "Videos" / "Full" / "Combined" / f"{video}.mp4"),
        sound=media.part("Audio", video, clip, usable),
        labels=labels,
        dialogue=video,
        expected_s=expected if picture is not None and picture.end_s is None else None,
        problem=problem,
    )
