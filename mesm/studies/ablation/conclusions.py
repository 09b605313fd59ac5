"""Draw the conclusions of an ablation in sentences: which parts it shows to matter, and which not."""

from __future__ import annotations

from mesm.estimate import counted, decimal_text
from mesm.records.ablation import Ablation, AblationLine

#: Row -> beginning of its sentence; the row it is compared with follows.
_SUBJECTS: dict[str, str] = {
    "mesm-TAV": "MESM on words, face and voice",
    "query-none": "MESM without a text query",
    "attention-random": "MESM with attention frozen at its initial weights",
    "no-look": "MESM without attention supervision",
    "gate-hard": "MESM with the paper's hard gate",
    "start-random": "MESM from random weights",
}
_OTHERS = {"fe2e-TAV": "FE2E", "mesm-TAV": "MESM with every part"}


def size_words(ablation: Ablation) -> str:
    """Return the size of the ablation in words."""
    seeds, s = len(ablation.seeds), ablation.setup
    return (
        f"{counted(seeds, 'seed')}, reduced: width {s.width:g}, {s.clips or 'all'} training clips, "
        f"{counted(s.epochs, 'epoch')}"
    )


def conclusions(ablation: Ablation) -> dict[str, str]:
    """Return row -> sentence on its difference in WAcc, for the rows that decide what the attention is worth."""
    lines = {line.row: line for line in ablation.rows}
    return {name: sentence for name in _SUBJECTS if name in lines and (sentence := _sentence(lines[name]))}


def _sentence(line: AblationLine) -> str:
    difference = line.difference.get("wacc")
    if difference is None or difference.value is None or line.against not in _OTHERS:
        return ""
    interval = difference.interval_text(1)
    points = f"{decimal_text(abs(difference.value), 1)} points"
    subject, other = _SUBJECTS[line.row], _OTHERS[line.against]
    if interval is None or difference.low is None or difference.high is None or difference.low <= 0 <= difference.high:
        size = decimal_text(difference.value, 1, sign=True)
        return f"{subject} is not shown to differ from {other}: {size} points of WAcc ({interval or 'no interval'})."
    side = "above" if difference.value > 0 else "below"
    return f"{subject} scores {points} of WAcc {side} {other} ({interval})."
