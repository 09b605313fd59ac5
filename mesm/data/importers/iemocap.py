"""Import IEMOCAP as released (Busso et al. 2008): `Session1..5/dialog/{avi/DivX, EmoEvaluation, transcriptions, wav}`.

The paper's rules (Dai et al. 2021, section 3): six labels, 7380 utterances, the speaker's half of the split screen
and channel of the sound.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

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
from mesm.data.text_files import read_text
from mesm.vocabulary import CORPUS_LABELS

LABELS = CORPUS_LABELS["iemocap"]
#: Codes of the evaluation files; `sur fea dis oth xxx` are not among the paper's six labels.
CODES = {
    "ang": "anger", "exc": "excited", "fru": "frustrated", "hap": "happiness", "neu": "neutral", "sad": "sadness",
}  # fmt: skip
META: dict[str, str | bool] = {
    "licence": "IEMOCAP release form (USC SAIL); no redistribution",
    "publish_faces": False,
    "citation": "Busso et al. 2008, doi:10.1007/s10579-008-9076-6",
}
RULES = (
    "labels: anger, excited, frustrated, happiness, neutral, sadness; all others are quarantined",
    "the speaker sits left, and is on the left channel, where the letter that ends the session's name is the letter "
    "of the utterance",
    "the utterance's times are those of the evaluation file, else of the transcript",
)
_EVALUATION = re.compile(r"^\[\s*([\d.]+)\s*-\s*([\d.]+)\s*\]\t(\S+)\t(\S+)\t\[", re.MULTILINE)
_TRANSCRIPT = re.compile(r"^(\S+_[FM]\S+)[ \t]+\[\s*([\d.]+)\s*-\s*([\d.]+)\s*\]:[ \t]*(.*?)[ \t\r]*$", re.MULTILINE)
_NAME = re.compile(r"^(Ses\d+)([FM])_\S+_([FM])[^_]*$")


def speaker_side(utterance: str) -> str:
    """Return the speaker's side: `Ses03F_impro05_F018` -> left, `Ses03F_impro05_M018` -> right; "" for another form."""
    match = _NAME.match(utterance)
    return "" if match is None else "left" if match[2] == match[3] else "right"


def parse_name(utterance: str) -> tuple[str, str, str]:
    """Return speaker, dialogue and session from an utterance's name; "" for a name of another form."""
    match = _NAME.match(utterance)
    session, letter = ("", "") if match is None else (match[1], match[3])
    return session + letter, utterance.rpartition("_")[0], session


def read_release(source: str | os.PathLike[str]) -> Release:
    """List every utterance that a transcript or an evaluation names."""
    root = existing_folder(source)
    sessions = sorted(p for p in root.glob("Session*") if (p / "dialog").is_dir())
    sessions = sessions or sorted(p for p in root.glob("*/Session*") if (p / "dialog").is_dir())
    if not sessions:
        raise nothing_found(root, "IEMOCAP", "Session1 to Session5, each with dialog/EmoEvaluation")
    utterances = [utterance for session in sessions for utterance in _session(session)]
    if not utterances:
        raise nothing_found(root, "IEMOCAP", "lines with utterances in Session*/dialog/EmoEvaluation/*.txt")
    return Release("iemocap", LABELS, tuple(utterances), "random", RULES, META)


def _session(session: Path) -> list[Utterance]:
    times: dict[str, tuple[float, float]] = {}
    texts: dict[str, str] = {}
    codes: dict[str, str] = {}
    for path in sorted(filter(visible, (session / "dialog" / "transcriptions").glob("*.txt"))):
        for name, start, end, text in _TRANSCRIPT.findall(read_text(path)):
            texts[name], times[name] = text, (float(start), float(end))
    for path in sorted(filter(visible, (session / "dialog" / "EmoEvaluation").glob("*.txt"))):
        for start, end, name, code in _EVALUATION.findall(read_text(path)):
            codes[name], times[name] = code, (float(start), float(end))
    return [_utterance(session, name, times[name], texts.get(name, ""), codes.get(name)) for name in sorted(times)]


def _utterance(session: Path, name: str, times: tuple[float, float], text: str, code: str | None) -> Utterance:
    problem = None
    speaker, dialogue, session_name = parse_name(name)
    if code is None:
        problem = Problem("no_label", "it stands in the transcript but in no evaluation")
    elif code not in CODES:
        problem = Problem("label_not_used", f"its label is {code}")
    start, end = times
    sound = MediaSpan(session / "dialog" / "wav" / f"{dialogue}.wav", start, end)
    if not sound.path.is_file():  # then the sentence's own file, which is cut already
        sentence = session / "sentences" / "wav" / dialogue / f"{name}.wav"
        sound = MediaSpan(sentence) if sentence.is_file() else sound
    return Utterance(
        id=name,
        text=text,
        video=MediaSpan(session / "dialog" / "avi" / "DivX" / f"{dialogue}.avi", start, end),
        sound=sound,
        side=speaker_side(name),
        labels=one_hot(CODES[code], LABELS) if code in CODES else None,
        speaker=speaker,
        dialogue=dialogue,
        session=session_name,
        problem=problem,
    )
