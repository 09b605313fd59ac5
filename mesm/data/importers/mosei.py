"""Import raw CMU-MOSEI (Zadeh et al. 2018): `Videos/`, `Audio/`, `Transcript/` and label CSVs of several raters.

The original download links are dead; users bring their copy.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

from mesm.data.clip_list import files_by_stem
from mesm.data.csv_files import read_csv
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
META: dict[str, str | bool] = {
    "licence": "CMU-MOSEI end user licence agreement; videos from YouTube",
    "publish_faces": False,
    "citation": "Zadeh et al. 2018, doi:10.18653/v1/P18-1208",
}
RULES = (
    "an emotion is present (1) where any rater gave it more than 0",
    "misaligned clips are quarantined: times out of order or beyond the end of the media, a segment whose length "
    "differs from its times by more than 1 s, picture and sound of unequal length, or more words than fit into the sound",
    "speakers are unknown; one video counts as one dialogue, and no video is in two splits unless lists put it there",
)
_COLUMNS = ("Input.VIDEO_ID", "Input.CLIP", *(f"Answer.{name}" for name in LABELS))
#: Bytes that hold a label table's header.
_HEAD = 20_000


def read_release(source: str | os.PathLike[str]) -> Release:
    """List every clip that a label file or a transcript names."""
    root = existing_folder(source)
    labels = _labels(root)
    texts = _transcripts(root)
    if not labels:
        raise nothing_found(root, "CMU-MOSEI", f"a CSV with the columns {', '.join(_COLUMNS[:3])}, ...")
    media = _Media(root)
    names = sorted(labels.keys() | texts.keys(), key=lambda name: (name[0], len(name[1]), name[1]))
    utterances = tuple(_utterance(media, name, labels.get(name), texts.get(name)) for name in names)
    return Release("mosei", LABELS, utterances, "dialogue", RULES, META)


def _labels(root: Path) -> dict[tuple[str, str], dict[str, float]]:
    """Map (video, clip) -> emotion -> 1 where any rater gave more than 0."""
    emotions: dict[tuple[str, str], dict[str, float]] = {}
    for path in sorted(filter(visible, root.rglob("*.csv"))):
        with path.open("rb") as file:
            # Of ASCII letters, in any encoding: UTF-16 has a zero beside each.
            if _COLUMNS[0].lower().encode() not in file.read(_HEAD).lower().replace(b"\0", b""):
                continue  # a table of something else, which may be anything
        table = read_csv(path, dict.fromkeys(_COLUMNS, ()))
        if not set(_COLUMNS) <= set(table.columns):
            continue
        for row in table.good_rows():
            name = (row["Input.VIDEO_ID"], row["Input.CLIP"])
            if not all(name):
                continue
            present = emotions.setdefault(name, dict.fromkeys(LABELS, 0.0))
            for label in LABELS:
                if _rating(row[f"Answer.{label}"]) > 0:
                    present[label] = 1.0
    return emotions


def _rating(text: str | None) -> float:
    """Return a rater's number; an empty or unreadable cell counts as 0."""
    try:
        value = float(text or 0)
    except ValueError:
        return 0.0
    return value if math.isfinite(value) else 0.0


def _transcripts(root: Path) -> dict[tuple[str, str], tuple[float, float, str]]:
    """Map (video, clip) -> start, end (s), text. The text may hold the separator itself."""
    transcripts = {}
    for path in sorted(filter(visible, root.glob("**/Transcript/**/*.txt"))):
        for line in read_text(path).splitlines():
            fields = line.split("___", 4)
            if len(fields) != 5:
                continue
            video, clip, start, end, text = (field.strip() for field in fields)
            try:
                transcripts[video, clip] = (float(start), float(end), text)
            except ValueError:
                transcripts[video, clip] = (math.nan, math.nan, text)
    return transcripts


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
    name: tuple[str, str],
    labels: dict[str, float] | None,
    transcript: tuple[float, float, str] | None,
) -> Utterance:
    video, clip = name
    times = (
        None if transcript is None or not all(map(math.isfinite, transcript[:2])) else (transcript[0], transcript[1])
    )
    problem = None
    if labels is None:
        problem = Problem("no_label", "no rater's row names it")
    elif transcript is None:
        problem = Problem("empty_text", "no transcript names it")
    elif times is None:
        problem = Problem("misaligned", "its times in the transcript are no numbers")
    elif not 0 <= times[0] < times[1]:
        problem = Problem("misaligned", f"its transcript goes from {times[0]} s to {times[1]} s")
    usable = times if problem is None else None
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
