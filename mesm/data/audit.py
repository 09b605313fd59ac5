"""Compare the splits of a corpus: speakers, dialogues, transcripts and clips that two of them share."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from mesm.data.sources import read_sources
from mesm.data.store import Corpus, IndexRow
from mesm.errors import DataError
from mesm.estimate import counted
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


@dataclass(frozen=True)
class Overlap:
    """Count the keys (such as speakers) in both of two splits.

    Attributes:
        clips: clips of the second split that the shared keys cover.
        examples: a clip of the first split and one of the second with the same key.
    """

    shared: int
    clips: int
    examples: tuple[tuple[str, str], ...]


#: A pair of splits "first-second" -> their overlap.
Overlaps = dict[str, Overlap]


@dataclass(frozen=True)
class SplitAudit:
    """Report the overlap of the splits of a corpus.

    Attributes:
        clips: split -> clips.
        dialogues: None unless the corpus was imported; `duplicates` and `duplicates_within` None without `contents`.
        duplicates_within: split -> clips that repeat another of the same split.
        unknown_speakers: clips without a speaker, which no audit can judge.
        clean: no speaker, no dialogue and no clip is shared.
    """

    corpus: str
    clips: dict[str, int]
    speakers: Overlaps
    dialogues: Overlaps | None
    transcripts: Overlaps
    duplicates: Overlaps | None
    duplicates_within: dict[str, int] | None
    unknown_speakers: int
    clean: bool

    @property
    def overlaps(self) -> dict[str, Overlaps]:
        """Map the measured kinds of key -> overlaps."""
        kinds = {name: getattr(self, name) for name in ("speakers", "dialogues", "transcripts", "duplicates")}
        return {name: pairs for name, pairs in kinds.items() if pairs is not None}


def _overlaps(groups: dict[str, dict[str, list[str]]], order: list[str]) -> Overlaps:
    report = {}
    for first, second in itertools.combinations(order, 2):
        a, b = groups.get(first, {}), groups.get(second, {})
        shared = sorted(a.keys() & b.keys())
        report[f"{first}-{second}"] = Overlap(
            shared=len(shared),
            clips=sum(len(b[value]) for value in shared),
            examples=tuple((a[value][0], b[value][0]) for value in shared[:_EXAMPLES]),
        )
    return report


def fingerprint(corpus: Corpus, clip_id: str) -> str:
    """Compute the digest of a clip's faces and mel: equal for two copies of one clip, "" for one that has neither."""
    sample = corpus.read(clip_id, full=False)
    if not len(sample.faces) and not len(sample.mel):
        return ""
    digest = hashlib.sha256(sample.faces.tobytes())
    digest.update(sample.mel.tobytes())
    return digest.hexdigest()


def audit_splits(corpus: Corpus, *, contents: bool = True) -> SplitAudit:
    """Measure the overlap of speakers, dialogues, transcripts and clips between the splits of a corpus.

    Args:
        corpus: any.
        contents: also compare the clips themselves, which reads every array once.
    """
    if not len(corpus):
        raise DataError(f"corpus {corpus.name!r} has no clips to audit; build it first")
    counts = Counter(row.split for row in corpus.index)
    order = order_splits(counts)
    speakers = _overlaps(_grouped(corpus, lambda row: row.speaker), order)
    dialogues = duplicates = within = None
    if sources := read_sources(corpus.folder):
        dialogue_of = {clip_id: row.dialogue for clip_id, row in sources.items()}
        dialogues = _overlaps(_grouped(corpus, lambda row: dialogue_of.get(row.clip_id, "")), order)
    if contents:
        groups = _grouped(corpus, lambda row: fingerprint(corpus, row.clip_id))
        duplicates = _overlaps(groups, order)
        within = {split: sum(len(ids) - 1 for ids in groups[split].values()) for split in order}
    kept_apart = (speakers, dialogues or {}, duplicates or {})
    return SplitAudit(
        corpus=corpus.name,
        clips={split: counts[split] for split in order},
        speakers=speakers,
        dialogues=dialogues,
        transcripts=_overlaps(_grouped(corpus, lambda row: _normal(row.text)), order),
        duplicates=duplicates,
        duplicates_within=within,
        unknown_speakers=sum(not row.speaker for row in corpus.index),
        clean=not any(pair.shared for pairs in kept_apart for pair in pairs.values()),
    )


def audit_text(report: SplitAudit) -> str:
    """Write an audit for a terminal: the overlap of each pair of splits, and the first examples."""
    kinds = report.overlaps
    lines = [f"{report.corpus}: " + ", ".join(f"{split} {count}" for split, count in report.clips.items())]
    lines.append(f"  shared by{'':9}" + "".join(f"{pair:>14}" for pair in report.speakers))
    for kind, pairs in kinds.items():
        lines.append(f"    {kind:<14}" + "".join(f"{pair.shared:>14}" for pair in pairs.values()))
    for kind, pairs in kinds.items():
        for name, pair in pairs.items():
            if pair.examples:
                lines.append(f"  {kind}, {name}: e.g. {' and '.join(pair.examples[0])}")
    repeats = {split: count for split, count in (report.duplicates_within or {}).items() if count}
    if repeats:
        lines.append("  repeated within " + ", ".join(f"{split} {count}" for split, count in repeats.items()))
    if report.unknown_speakers:
        lines.append(
            f"  {counted(report.unknown_speakers, 'clip')} without a speaker, so shared speakers cannot be excluded"
        )
    kept = [kind for kind in kinds if kind != "transcripts"]
    verdict = "no split shares any of" if report.clean else "splits share some of"
    return "\n".join([*lines, f"  {verdict} {', '.join(kept)}"])
