"""Compare the splits of a corpus: speakers, dialogues, transcripts and clips that two of them share."""

from __future__ import annotations

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from mesm.data.sources import read_sources
from mesm.data.store import Corpus, IndexRow
from mesm.errors import DataError
from mesm.vocabulary import order_splits

_EXAMPLES = 5


def _normal(text: str) -> str:
    """Return a transcript without case and punctuation."""
    return " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())


def _grouped(corpus: Corpus, key: Callable[[IndexRow], str]) -> dict[str, dict[str, list[str]]]:
    """Map split -> key -> clip ids; clips without a key are left out."""
    groups: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in corpus.index:
        if value := key(row):
            groups[row.split][value].append(row.clip_id)
    return groups


def _overlaps(groups: dict[str, dict[str, list[str]]], order: list[str]) -> dict[str, dict[str, Any]]:
    """Map a pair of splits "a-b" -> number of keys in both, clips of the second that they cover, and examples."""
    report = {}
    for first, second in itertools.combinations(order, 2):
        a, b = groups.get(first, {}), groups.get(second, {})
        shared = sorted(a.keys() & b.keys())
        report[f"{first}-{second}"] = {
            "shared": len(shared),
            "clips": sum(len(b[value]) for value in shared),
            "examples": [[a[value][0], b[value][0]] for value in shared[:_EXAMPLES]],
        }
    return report


def fingerprint(corpus: Corpus, clip_id: str) -> str:
    """Compute the digest of a clip's faces and mel: equal for two copies of one clip, "" for one that has neither."""
    sample = corpus.read(clip_id, full=False)
    if not len(sample.faces) and not len(sample.mel):
        return ""
    digest = hashlib.sha256(sample.faces.tobytes())
    digest.update(sample.mel.tobytes())
    return digest.hexdigest()


def audit_splits(corpus: Corpus, *, contents: bool = True) -> dict[str, Any]:
    """Measure the overlap of speakers, dialogues, transcripts and clips between the splits of a corpus.

    Args:
        corpus: any.
        contents: also compare the clips themselves, which reads every array once.

    Returns:
        Plain JSON: `corpus`, `clips` (per split), `speakers`, `dialogues` (of an imported corpus), `transcripts`,
        `duplicates` (each: "train-valid" -> shared, clips, examples), `duplicates_within` (split -> clips that repeat
        another of the same split), `unknown_speakers` (clips without one, which no audit can judge), `clean` (no
        speaker, no dialogue and no clip is shared).
    """
    if not len(corpus):
        raise DataError(f"corpus {corpus.name!r} has no clips to audit; build it first")
    counts: dict[str, int] = {}
    for row in corpus.index:
        counts[row.split] = counts.get(row.split, 0) + 1
    order = order_splits(counts)
    speakers = _overlaps(_grouped(corpus, lambda row: row.speaker), order)
    report: dict[str, Any] = {
        "corpus": corpus.name,
        "clips": {split: counts[split] for split in order},
        "speakers": speakers,
        "transcripts": _overlaps(_grouped(corpus, lambda row: _normal(row.text)), order),
        "unknown_speakers": sum(not row.speaker for row in corpus.index),
    }
    shared = sum(pair["shared"] for pair in speakers.values())
    if sources := read_sources(corpus.folder):
        dialogues = _grouped(corpus, lambda row: sources.get(row.clip_id, {}).get("dialogue", ""))
        report["dialogues"] = _overlaps(dialogues, order)
        shared += sum(pair["shared"] for pair in report["dialogues"].values())
    if contents:
        groups = _grouped(corpus, lambda row: fingerprint(corpus, row.clip_id))
        report["duplicates"] = _overlaps(groups, order)
        report["duplicates_within"] = {split: sum(len(ids) - 1 for ids in groups[split].values()) for split in order}
        shared += sum(pair["shared"] for pair in report["duplicates"].values())
    report["clean"] = shared == 0
    return report


def audit_text(report: dict[str, Any]) -> str:
    """Write `audit_splits`' report for a terminal: the overlap of each pair of splits, and the first examples."""
    pairs = list(report["speakers"])
    kinds = [kind for kind in ("speakers", "dialogues", "transcripts", "duplicates") if kind in report]
    lines = [f"{report['corpus']}: " + ", ".join(f"{split} {count}" for split, count in report["clips"].items())]
    lines.append(f"  shared by{'':9}" + "".join(f"{pair:>14}" for pair in pairs))
    for kind in kinds:
        lines.append(f"    {kind:<14}" + "".join(f"{report[kind][pair]['shared']:>14}" for pair in pairs))
    for kind in kinds:
        for pair in pairs:
            if examples := report[kind][pair]["examples"]:
                lines.append(f"  {kind}, {pair}: e.g. {' and '.join(examples[0])}")
    repeats = {split: count for split, count in report.get("duplicates_within", {}).items() if count}
    if repeats:
        lines.append("  repeated within " + ", ".join(f"{split} {count}" for split, count in repeats.items()))
    if report["unknown_speakers"]:
        lines.append(f"  {report['unknown_speakers']} clips name no speaker, so shared speakers cannot be excluded")
    kept = [kind for kind in kinds if kind != "transcripts"]
    verdict = "no split shares any of" if report["clean"] else "splits share some of"
    return "\n".join([*lines, f"  {verdict} {', '.join(kept)}"])
