"""Report an import without doing it (dry run): clips to be stored, clips kept out and why, time and disk space."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from mesm.batch import FRAME_INTERVAL_MS, Sample
from mesm.data.importers.decode import Settings
from mesm.data.importers.engine import assign_release_splits
from mesm.data.importers.headers import examine
from mesm.data.importers.plan import Release, Utterance, incomplete_hint
from mesm.data.importers.workers import run_local
from mesm.data.parquet_schema import row_schema, to_row
from mesm.data.sources import SourceFacts
from mesm.vocabulary import SPLITS, order_splits

#: Reasons for missing files, and for files that cannot be decoded.
MISSING = ("missing_video", "missing_sound")
UNREADABLE = ("broken_video", "broken_sound", "no_frames", "no_audio")
_TRIAL = 3
_STILL = "still pictures"


@dataclass(frozen=True)
class DryRun:
    """Report a dry run, as far as headers show it. `usable` + the sum of `quarantined` = `utterances`.

    Attributes:
        missing, unreadable: of those quarantined, because a file is missing or cannot be decoded.
        clips, speakers, dialogues: split -> number.
        present: label -> split -> clips that show it.
        hours: of all usable clips; `median_s` and `longest_s` of one.
        tried: clips that were made in memory for the estimate.
        estimated_minutes: on one worker of this machine; `estimated_mb` of the corpus on disk.
    """

    name: str
    utterances: int
    usable: int
    missing: int
    unreadable: int
    quarantined: dict[str, int]
    examples: dict[str, list[str]]
    clips: dict[str, int]
    speakers: dict[str, int]
    dialogues: dict[str, int]
    present: dict[str, dict[str, int]]
    hours: float
    median_s: float
    longest_s: float
    sample_rates_hz: dict[str, int]
    fps: dict[str, int]
    tried: int
    estimated_minutes: float
    estimated_mb: float
    splits: str
    rules: tuple[str, ...]


def dry_run(
    release: Release,
    *,
    rule: str = "",
    seed: int = 0,
    settings: Settings | None = None,
    trial: int = _TRIAL,
    progress: bool = True,
) -> DryRun:
    """Read every header and make a few clips in memory.

    Args:
        release: what `find_release` found.
        rule: see `mesm.data.splits`.
        seed: of the split.
        settings: how clips would be made.
        trial: clips to make for the estimate of time and disk; 0 for none.
    """
    settings = settings or Settings()
    usable: list[tuple[Utterance, SourceFacts]] = []
    reasons: dict[str, list[str]] = defaultdict(list)
    for utterance in tqdm(
        assign_release_splits(release, rule, seed, keep_unlabelled=settings.keep_incomplete),
        desc="headers",
        unit="clip",
        disable=not progress,
    ):
        facts, problem = examine(utterance, settings.limits(), keep_incomplete=settings.keep_incomplete)
        if problem is None:
            usable.append((utterance, facts))
        else:
            reasons[problem.reason].append(utterance.id)
    lengths = np.array([_seconds(utterance, facts) for utterance, facts in usable])
    quarantined = dict(sorted(((r, len(ids)) for r, ids in reasons.items()), key=lambda item: -item[1]))
    tried, minutes, megabytes = _estimate(release, usable, lengths, settings, trial)
    return DryRun(
        name=release.name,
        utterances=len(release.utterances),
        usable=len(usable),
        missing=sum(quarantined.get(reason, 0) for reason in MISSING),
        unreadable=sum(quarantined.get(reason, 0) for reason in UNREADABLE),
        quarantined=quarantined,
        examples={reason: ids[:3] for reason, ids in reasons.items()},
        clips=_per_split(usable, "id"),
        speakers=_per_split(usable, "speaker"),
        dialogues=_per_split(usable, "dialogue"),
        present={label: _showing(usable, label) for label in release.labels},
        hours=round(float(lengths.sum()) / 3600, 3),
        median_s=round(float(np.median(lengths)), 2) if len(lengths) else 0.0,
        longest_s=round(float(lengths.max()), 2) if len(lengths) else 0.0,
        sample_rates_hz=dict(Counter(str(facts.sample_rate_hz) for _, facts in usable).most_common()),
        fps=dict(Counter(_STILL if u.pictures else f"{facts.fps:g}" for u, facts in usable).most_common()),
        tried=tried,
        estimated_minutes=minutes,
        estimated_mb=megabytes,
        splits=rule or release.splits,
        rules=release.rules,
    )


def _seconds(utterance: Utterance, facts: SourceFacts) -> float:
    return facts.duration_s or len(utterance.pictures) * FRAME_INTERVAL_MS / 1000


def _per_split(usable: Sequence[tuple[Utterance, SourceFacts]], field: str) -> dict[str, int]:
    values: dict[str, set[str]] = defaultdict(set)
    for utterance, _ in usable:
        values[utterance.split].add(getattr(utterance, field))
    return {split: len(values[split] - {""}) for split in order_splits(list(values))}


def _showing(usable: Sequence[tuple[Utterance, SourceFacts]], label: str) -> dict[str, int]:
    counts = Counter(u.split for u, _ in usable if (u.labels or {}).get(label, 0) > 0)
    return {split: counts.get(split, 0) for split in order_splits([u.split for u, _ in usable])}


def _estimate(
    release: Release,
    usable: Sequence[tuple[Utterance, SourceFacts]],
    lengths: np.ndarray,
    settings: Settings,
    trial: int,
) -> tuple[int, float, float]:
    """Estimate (clips made, minutes on one worker, MB), from a few clips of middling length."""
    if not usable or trial < 1:
        return 0, 0.0, 0.0
    near_median = np.argsort(np.abs(lengths - np.median(lengths)), kind="stable")[:trial]
    chosen = [usable[i][0] for i in near_median]
    outcomes = run_local([chosen[:1], chosen], settings, 1)
    next(outcomes)  # the networks are built once, whatever is imported
    samples: list[Sample] = []
    start, took_s = time.perf_counter(), 0.0
    for outcome in outcomes:
        took_s = time.perf_counter() - start  # the worker's end, after the last one, takes longer than a short clip
        samples += [outcome.sample] if outcome.sample is not None else []
    share = float(lengths.sum()) / max(float(lengths[near_median].sum()), 1e-9)
    return len(samples), round(share * took_s / 60, 2), round(share * _stored_bytes(release, samples) / 1e6, 2)


def _stored_bytes(release: Release, samples: Sequence[Sample]) -> int:
    if not samples:
        return 0
    rows = [to_row(replace(sample, split=SPLITS[0]), release.labels) for sample in samples]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=row_schema(release.labels)), sink, compression="zstd")
    return int(sink.tell())


def dry_run_text(report: DryRun) -> str:
    """Write the report for a terminal."""
    splits = list(report.clips)
    lines = [
        f"{report.name}: {report.utterances} utterances found, {report.usable} can be stored",
        f"  not stored   {report.utterances - report.usable}   (files missing {report.missing}, unreadable {report.unreadable})",
    ]
    for reason, count in report.quarantined.items():
        lines.append(f"    {reason:<16}{count:>7}   e.g. {', '.join(report.examples[reason])}")
    if hint := incomplete_hint(report.quarantined):
        lines.append(f"    {hint}")
    lines.append(
        f"  length       {report.hours:.2f} h; median {report.median_s:.1f} s, longest {report.longest_s:.1f} s"
    )
    lines.append(f"  sound        {_counts(report.sample_rates_hz, 'Hz', 'stored at 16000 Hz')}")
    lines.append(f"  picture      {_counts(report.fps, 'frames/s', f'stored every {FRAME_INTERVAL_MS} ms')}")
    lines.append(f"  splits       by rule {report.splits!r}")
    lines.append("    " + " " * 16 + "".join(f"{split or '(none)':>10}" for split in splits))
    for what in ("clips", "speakers", "dialogues"):
        lines.append(f"    {what:<16}" + "".join(f"{getattr(report, what)[split]:>10}" for split in splits))
    for label, counts in report.present.items():
        lines.append(f"    {label:<16}" + "".join(f"{counts[split]:>10}" for split in splits))
    if report.tried:
        lines.append(
            f"  estimate     {report.estimated_minutes:.1f} min on one worker, {report.estimated_mb:.1f} MB on disk "
            f"(from {report.tried} clips made in memory)"
        )
    lines += [f"  rule         {rule}" for rule in report.rules]
    return "\n".join(lines)


def _counts(counts: dict[str, int], unit: str, stored: str) -> str:
    """Return how many clips have each rate; 0 stands for none, and `_STILL` for single pictures."""
    words = {"0": "none", _STILL: _STILL}
    listed = ", ".join(f"{words.get(value, f'{value} {unit}')}: {count}" for value, count in counts.items()) or "none"
    return listed + (f" ({stored})" if set(counts) - set(words) else "")
