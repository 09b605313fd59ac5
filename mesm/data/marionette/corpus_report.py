"""Report a corpus: counts, durations, balance, detected faces, the audit, and the ceilings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from mesm.data.audit import audit_splits
from mesm.data.marionette.build import GENERATOR
from mesm.data.marionette.ceiling import Ceiling, ceilings
from mesm.data.marionette.problem import LABELS
from mesm.data.store import Corpus
from mesm.vocabulary import MODALITIES, order_splits


def report_corpus(corpus: Corpus, *, simulated: int = 6000) -> dict[str, Any]:
    """Compute the report, as plain JSON.

    Args:
        simulated: clips for the ceilings, see `ceiling.ceilings`; 0 leaves them out. They are those of this version's
            design, so a corpus of another version of the generator gets none.
    """
    rows = corpus.index
    durations = np.array([row.duration_s for row in rows])
    splits = {}
    for split in order_splits(row.split for row in rows):
        part = [row for row in rows if row.split == split]
        labels = [row.labels or {} for row in part]
        splits[split] = {
            "clips": len(part),
            "speakers": len({row.speaker for row in part}),
            "minutes": round(sum(row.duration_s for row in part) / 60, 1),
            "transcripts": len({row.text for row in part}),
            "emotions": {name: sum(label.get(name, 0) > 0 for label in labels) for name in LABELS},
            "no emotion": sum(not any(label.values()) for label in labels),
            "two emotions": sum(sum(value > 0 for value in label.values()) > 1 for label in labels),
        }
    intensities = Counter(int(v) for row in rows for v in (row.labels or {}).values() if v)
    informative = Counter[str]()
    frames = faces = 0
    for clip_id in corpus.ids():
        sample = corpus[clip_id]
        frames, faces = frames + len(sample.face_found), faces + int(sample.face_found.sum())
        if sample.truth is not None:
            informative.update(name for name, shown in sample.truth.informative.items() if shown)
    audit = audit_splits(corpus)
    return {
        "corpus": corpus.name,
        "meta": corpus.manifest.meta,
        "clips": len(corpus),
        "duration_s": {"mean": durations.mean(), "least": durations.min(), "most": durations.max()},
        "splits": splits,
        "intensities": {str(level): intensities[level] for level in sorted(intensities)},
        "informative_share": {name: informative[name] / len(corpus) for name in MODALITIES},
        "frames": frames,
        "frames_with_face": faces,
        "quality": dict(Counter(flag for row in rows for flag in row.quality)),
        "audit": audit,
        "ceilings": [vars(row) for row in ceilings(simulated)]
        if simulated and corpus.manifest.meta.get("generator") == GENERATOR
        else [],
    }


def _ceiling_lines(rows: Iterable[Ceiling]) -> list[str]:
    short = {"text": "words", "visual": "face", "acoustic": "voice"}
    lines = [f"{'modalities':22s}{'WAcc':>7s}{'F1':>7s}   F1 of {', '.join(LABELS)}"]
    for row in rows:
        name = " + ".join(short[modality] for modality in row.modalities)
        each = "  ".join(f"{row.f1[label]:5.1f}" for label in LABELS)
        lines.append(f"{name:22s}{row.weighted_accuracy['average']:7.1f}{row.f1['average']:7.1f}   {each}")
    return lines


def report_text(card: dict[str, Any]) -> str:
    """Write the report for a terminal."""
    duration = card["duration_s"]
    lines = [
        f"{card['corpus']}: {card['clips']} clips of {duration['least']:.1f} to {duration['most']:.1f} s "
        f"(mean {duration['mean']:.1f} s), {card['frames']} frames, a face found in {card['frames_with_face']}",
        f"made by: {card['meta'].get('command', 'unknown')}",
        "",
        f"{'':14s}" + "".join(f"{split:>9s}" for split in card["splits"]),
    ]
    for key in ("clips", "speakers", "minutes", "transcripts", "no emotion", "two emotions"):
        lines.append(f"{key:14s}" + "".join(f"{part[key]:>9}" for part in card["splits"].values()))
    for name in LABELS:
        lines.append(f"{name:14s}" + "".join(f"{part['emotions'][name]:>9d}" for part in card["splits"].values()))
    designed = card["meta"].get("informative", {})
    shares = ", ".join(
        f"{name} {share:.2f} (designed {designed.get(name, '?')})" for name, share in card["informative_share"].items()
    )
    odds = card["meta"].get("at_odds", "?")
    lines += ["", f"intensities: {card['intensities']}", f"informative: {shares}; at odds when not: {odds}"]
    shared = {
        key: sum(pair["shared"] for pair in card["audit"][key].values())
        for key in ("speakers", "transcripts", "duplicates")
    }
    lines += [f"quality flags: {card['quality'] or 'none'}", f"shared between splits: {shared}"]
    if card["ceilings"]:
        lines += ["", "ideal observer without labels (percent, thresholds chosen on valid by F1):"]
        lines += _ceiling_lines(Ceiling(**row) for row in card["ceilings"])
    return "\n".join(lines)
