"""Import a release into a stored corpus: every utterance is stored, or quarantined with a reason.

Beside the shards lie `sources.jsonl` (where each stored clip came from, its dialogue, original sample and frame rate)
and `quarantine.jsonl` (every utterance that was not stored, and why). Interrupted anywhere, a second run resumes where
the first stopped; what was quarantined is tried again, since its files may have been mended.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from mesm.data.importers.decode import Outcome, Settings, relative, source_row
from mesm.data.importers.plan import Problem, Release, Utterance, incomplete_hint
from mesm.data.importers.workers import run_here, run_local
from mesm.data.ingest.search import SEARCH_RULE
from mesm.data.quality import TOKEN_LIMIT
from mesm.data.remote import require_local
from mesm.data.sources import SOURCES_NAME, append_to, json_line, json_lines, read_sources
from mesm.data.splits import assign_splits
from mesm.data.store import CorpusWriter
from mesm.errors import ConfigError, DataError
from mesm.files import write_atomic
from mesm.json_form import Json, to_json

QUARANTINE_NAME = "quarantine.jsonl"
ENGINES = ("local", "ray")
#: Utterances that are given to a worker together: they share the detector's batches.
CHUNK = 8
#: Text -> its number of tokens.
CountTokens = Callable[[str], int]


@dataclass(frozen=True)
class ImportReport:
    """Report an import. `stored` + the sum of `quarantined` = `utterances`.

    Attributes:
        utterances: number that the release names.
        stored: of these, clips in the corpus now; `stored_before` of them by an earlier run.
        quarantined: reason -> utterances.
        clips: split -> clips, and `present` label -> clips that show it.
        flags: quality flag -> clips.
        sample_rates_hz: original rate -> clips; `fps` original frame rate -> clips.
    """

    name: str
    utterances: int
    stored: int
    stored_before: int
    quarantined: dict[str, int]
    clips: dict[str, int]
    present: dict[str, int]
    flags: dict[str, int]
    sample_rates_hz: dict[str, int]
    fps: dict[str, int]


@dataclass(frozen=True)
class QuarantineRow:
    """Hold one line of `quarantine.jsonl`: an utterance that was not stored, and why."""

    id: str
    reason: str
    detail: str
    video: str
    text: str


def assign_release_splits(
    release: Release, rule: str = "", seed: int = 0, *, keep_unlabelled: bool = False
) -> tuple[Utterance, ...]:
    """Return the utterances with their splits; a repeated name, or one in no list, becomes a problem.

    Args:
        keep_unlabelled: that an utterance has no label is no problem; it is in no split of a labelled release.
    """
    rule, seen = rule or release.splits, set[str]()
    named: list[Utterance] = []
    for utterance in release.utterances:
        if keep_unlabelled and utterance.problem is not None and utterance.problem.reason == "no_label":
            utterance = replace(utterance, problem=None)
        if utterance.id in seen:
            problem = Problem("duplicate_id", "another utterance has the same name")
            utterance = replace(utterance, problem=problem)
        seen.add(utterance.id)
        named.append(utterance)
    facts = [
        {"id": u.id, "split": u.split, "speaker": u.speaker, "dialogue": u.dialogue, "session": u.session}
        for u in named
        if u.problem is None and (u.labels is not None or not release.labels)
    ]
    splits = assign_splits(facts, rule, seed) if facts else {}
    unlisted = Problem("no_split", "neither the train, nor the valid, nor the test list names it")
    return tuple(
        replace(u, problem=unlisted)
        if u.problem is None and rule.startswith("lists:") and splits.get(u.id) == ""
        else replace(u, split=splits.get(u.id, "") if u.problem is None else "")
        for u in named
    )


def corpus_meta(
    release: Release, utterances: Sequence[Utterance], rule: str, seed: int, settings: Settings
) -> dict[str, Json]:
    """Return the manifest's facts of the import; the same for every run of the same import."""
    rule = rule or release.splits
    assigned = json.dumps(sorted((u.id, u.split) for u in utterances if u.problem is None))
    return {
        **release.meta,
        "kind": "imported",
        "rules": to_json(release.rules),
        "splits": {
            "rule": rule.partition(":")[0] if rule.startswith("lists:") else rule,
            "seed": seed,
            "sha256": hashlib.sha256(assigned.encode()).hexdigest(),
        },
        "settings": to_json(settings),
        "face_search": SEARCH_RULE,
    }


def import_release(
    release: Release,
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    rule: str = "",
    seed: int = 0,
    settings: Settings | None = None,
    workers: int = 1,
    engine: str = "local",
    count_tokens: CountTokens | None = None,
    progress: bool = True,
) -> ImportReport:
    """Store a release, or go on with an import that was interrupted.

    Args:
        release: what `find_release` found at `source`.
        out: folder of the corpus.
        rule: how clips are divided (`mesm.data.splits`); "" = the release's own rule.
        seed: of the split.
        settings: how clips are made.
        workers: processes; 0 = in this one. They change the speed and nothing else.
        engine: `local`, or `ray` for many machines (package `mesm[ray]`).
        count_tokens: flags transcripts of more than `TOKEN_LIMIT` tokens as `text_cut`.

    Raises:
        DataError: `out` holds another corpus, or the release has no utterance that can be used.
    """
    if engine not in ENGINES:
        raise ConfigError(f"engine is {engine!r}; it must be one of {', '.join(ENGINES)}")
    settings, folder = settings or Settings(), require_local(out)
    root = Path(source) if Path(source).is_dir() else Path(source).parent
    utterances = assign_release_splits(release, rule, seed, keep_unlabelled=settings.keep_incomplete)
    meta = corpus_meta(release, utterances, rule, seed, settings)
    problems: dict[int, Problem] = {n: u.problem for n, u in enumerate(utterances) if u.problem is not None}
    numbers = {u.id: n for n, u in enumerate(utterances) if u.problem is None}
    with CorpusWriter(folder, release.name, release.labels, meta) as writer:
        before = len(writer.stored)
        todo = [u for u in utterances if u.problem is None and u.id not in writer.stored]
        try:
            with append_to(folder / SOURCES_NAME) as sources:
                for outcome in _bar(_outcomes(todo, settings, workers, engine), len(todo) + before, before, progress):
                    number = numbers[outcome.id]
                    if outcome.sample is None:
                        assert outcome.problem is not None
                        problems[number] = outcome.problem
                        continue
                    sources.write(json_line(source_row(utterances[number], outcome.facts, root)))
                    if writer.completes_shard:  # a clip in a shard always has its line, after a power cut, too
                        _sync(sources)
                    sample = outcome.sample
                    if count_tokens is not None and count_tokens(sample.text) > TOKEN_LIMIT:
                        sample = replace(sample, quality=(*sample.quality, "text_cut"))
                    writer.add(sample)
                _sync(sources)
        finally:
            _write_quarantine(folder, utterances, problems, root)
        report = _close(writer, utterances, problems, before)
    if not report.stored:
        hint = incomplete_hint(report.quarantined)
        raise DataError(
            f"nothing of {source} could be stored; see why in {folder / QUARANTINE_NAME}{hint and f'; {hint}'}"
        )
    return report


def _sync(file: TextIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _outcomes(todo: Sequence[Utterance], settings: Settings, workers: int, engine: str) -> Iterator[Outcome]:
    chunks = [todo[i : i + CHUNK] for i in range(0, len(todo), CHUNK)]
    if not chunks:
        return
    if engine == "ray":
        from mesm.data.importers.ray_engine import run_ray

        yield from run_ray(chunks, settings, workers)
    elif workers < 1:
        yield from run_here(chunks, settings)
    else:
        yield from run_local(chunks, settings, workers)


def _bar(outcomes: Iterable[Outcome], total: int, done: int, progress: bool) -> Iterable[Outcome]:
    return tqdm(outcomes, desc="utterances", total=total, initial=done, unit="clip", disable=not progress)


def _write_quarantine(folder: Path, utterances: Sequence[Utterance], problems: dict[int, Problem], root: Path) -> None:
    prefix = f"{root}{os.sep}"
    rows = [
        QuarantineRow(
            id=utterances[n].id,
            reason=problem.reason,
            detail=problem.detail.replace(prefix, ""),
            video="" if (video := utterances[n].video) is None else relative(video.path, root),
            text=utterances[n].text,
        )
        for n, problem in sorted(problems.items())
    ]
    write_atomic(folder / QUARANTINE_NAME, json_lines(rows))


def _close(
    writer: CorpusWriter, utterances: Sequence[Utterance], problems: dict[int, Problem], before: int
) -> ImportReport:
    """Close the shards, sort `sources.jsonl`, and count."""
    from mesm.data.store import Corpus

    writer.flush()
    corpus, rows = Corpus(writer.folder), read_sources(writer.folder)
    write_atomic(
        writer.folder / SOURCES_NAME, json_lines(rows[row.clip_id] for row in corpus.index if row.clip_id in rows)
    )
    index = corpus.index
    known = [rows[row.clip_id] for row in index if row.clip_id in rows]
    report = ImportReport(
        name=corpus.name,
        utterances=len(utterances),
        stored=len(index),
        stored_before=before,
        quarantined=dict(Counter(problem.reason for problem in problems.values()).most_common()),
        clips=dict(corpus.manifest.splits),
        present={label: sum(label in row.present for row in index) for label in corpus.labels},
        flags=dict(Counter(flag for row in index for flag in row.quality).most_common()),
        sample_rates_hz=dict(Counter(str(row.sample_rate_hz) for row in known).most_common()),
        fps=dict(Counter(str(row.fps) for row in known).most_common()),
    )
    if report.stored + sum(report.quarantined.values()) != report.utterances:
        raise DataError(
            f"{writer.folder} holds {report.stored} clips and {sum(report.quarantined.values())} are quarantined, but the "
            f"release names {report.utterances} utterances; was it changed since the import began? Import into an empty folder"
        )
    writer.close({key: to_json(value) for key, value in vars(report).items() if key not in ("name", "stored_before")})
    return report
