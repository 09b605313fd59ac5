"""Report a corpus: counts, durations, balance, detected faces, the audit, and the ceilings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mesm.data.audit import SplitAudit, audit_splits
from mesm.data.marionette.build import GENERATOR
from mesm.data.marionette.ceiling import Ceiling, ceilings
from mesm.data.marionette.problem import LABELS
from mesm.data.store import Corpus, IndexRow
from mesm.estimate import counted
from mesm.json_form import Json
from mesm.vocabulary import MODALITIES, order_splits


@dataclass(frozen=True)
class SplitCounts:
    """Count one split; `emotions` maps an emotion to the clips that show it."""

    clips: int
    speakers: int
    minutes: float
    transcripts: int
    emotions: dict[str, int]
    no_emotion: int
    two_emotions: int


@dataclass(frozen=True)
class CorpusReport:
    """Report a corpus.

    Attributes:
        meta: of the manifest.
        duration_s: mean, least and most seconds of a clip.
        splits: split -> counts; `intensities` intensity -> labels of it, `quality` flag -> clips.
        informative_share: modality -> share of the clips in which it shows the emotion; empty where that is not known.
        ceilings: of this version's design; empty for a corpus of another version.
    """

    corpus: str
    meta: dict[str, Json]
    clips: int
    duration_s: dict[str, float]
    splits: dict[str, SplitCounts]
    intensities: dict[str, int]
    informative_share: dict[str, float]
    frames: int
    frames_with_face: int
    quality: dict[str, int]
    audit: SplitAudit
    ceilings: tuple[Ceiling, ...]


def _count_split(rows: Sequence[IndexRow], labels: Sequence[str]) -> SplitCounts:
    return SplitCounts(
        clips=len(rows),
        speakers=len({row.speaker for row in rows} - {""}),
        minutes=round(sum(row.duration_s for row in rows) / 60, 1),
        transcripts=len({row.text for row in rows} - {""}),
        emotions={name: sum(name in row.present for row in rows) for name in labels},
        no_emotion=sum(not row.present for row in rows),
        two_emotions=sum(len(row.present) > 1 for row in rows),
    )


def report_corpus(corpus: Corpus, *, simulated: int = 6000) -> CorpusReport:
    """Compute the report.

    Args:
        simulated: clips for the ceilings, see `ceiling.ceilings`; 0 leaves them out. They are those of this version's
            design, so a corpus of another version of the generator gets none.
    """
    rows = corpus.index
    durations = np.array([row.duration_s for row in rows])
    intensities = Counter(int(v) for row in rows for v in (row.labels or {}).values() if v)
    informative = Counter[str]()
    frames = faces = 0
    for clip_id in corpus.ids():
        sample = corpus.read(clip_id, full=bool(corpus.capabilities))
        frames, faces = frames + len(sample.face_found), faces + int(sample.face_found.sum())
        if sample.truth is not None:
            informative.update(name for name, shown in sample.truth.informative.items() if shown)
    design = corpus.manifest.design
    same_design = design is not None and design.generator == GENERATOR
    return CorpusReport(
        corpus=corpus.name,
        meta=corpus.manifest.meta,
        clips=len(corpus),
        duration_s={"mean": float(durations.mean()), "least": float(durations.min()), "most": float(durations.max())},
        splits={
            split: _count_split([row for row in rows if row.split == split], corpus.labels)
            for split in order_splits(row.split for row in rows)
        },
        intensities={str(level): intensities[level] for level in sorted(intensities)},
        informative_share={name: informative[name] / len(corpus) for name in MODALITIES} if informative else {},
        frames=frames,
        frames_with_face=faces,
        quality=dict(Counter(flag for row in rows for flag in row.quality)),
        audit=audit_splits(corpus),
        ceilings=tuple(ceilings(simulated)) if simulated and same_design else (),
    )


def _ceiling_lines(rows: Iterable[Ceiling]) -> list[str]:
    short = {"text": "words", "visual": "face", "acoustic": "voice"}
    lines = [f"{'modalities':22s}{'WAcc':>7s}{'F1':>7s}   F1 of {', '.join(LABELS)}"]
    for row in rows:
        name = " + ".join(short[modality] for modality in row.modalities)
        each = "  ".join(f"{row.f1[label]:5.1f}" for label in LABELS)
        lines.append(f"{name:22s}{row.weighted_accuracy['average']:7.1f}{row.f1['average']:7.1f}   {each}")
    return lines


def _origin(meta: Mapping[str, Json]) -> str:
    """Return the command that made a corpus, else its licence and citation as far as they are known."""
    if "command" in meta:
        return f"made by: {meta['command']}"
    facts = (str(meta.get(key) or f"{key} not stated") for key in ("licence", "citation"))
    return "; ".join((str(meta.get("kind", "stored")), *facts))


def report_text(report: CorpusReport) -> str:
    """Write the report for a terminal."""
    duration, splits = report.duration_s, report.splits.values()
    lines = [
        f"{report.corpus}: {counted(report.clips, 'clip')} of {duration['least']:.1f} to {duration['most']:.1f} s "
        f"(mean {duration['mean']:.1f} s), {report.frames} frames, a face found in {report.frames_with_face}",
        _origin(report.meta),
        "",
        f"{'':14s}" + "".join(f"{split or '(none)':>9s}" for split in report.splits),
    ]
    for key in ("clips", "speakers", "minutes", "transcripts", "no_emotion", "two_emotions"):
        lines.append(f"{key.replace('_', ' '):14s}" + "".join(f"{getattr(part, key):>9}" for part in splits))
    for name in next(iter(splits)).emotions:
        lines.append(f"{name:14s}" + "".join(f"{part.emotions[name]:>9d}" for part in splits))
    lines += ["", f"intensities: {report.intensities}"]
    if report.informative_share:
        designed = report.meta.get("informative")
        shares = ", ".join(
            f"{name} {share:.2f} (designed {designed.get(name, '?') if isinstance(designed, dict) else '?'})"
            for name, share in report.informative_share.items()
        )
        lines.append(f"informative: {shares}; at odds when not: {report.meta.get('at_odds', '?')}")
    shared = {
        kind: sum(pair.shared for pair in pairs.values())
        for kind, pairs in report.audit.overlaps.items()
        if kind != "dialogues"
    }
    lines += [f"quality flags: {report.quality or 'none'}", f"shared between splits: {shared}"]
    if report.ceilings:
        lines += ["", "ideal observer without labels (percent, thresholds chosen on valid by F1):"]
        lines += _ceiling_lines(report.ceilings)
    return "\n".join(lines)
