"""Build a corpus: plans to clips on several processes, in order, so that the same seed gives the same bytes."""

from __future__ import annotations

import io
import multiprocessing
import os
from collections.abc import Callable
from functools import lru_cache
from multiprocessing.pool import Pool
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mesm.batch import Sample
from mesm.data.known_truth import NeutralFaceSet
from mesm.data.manifest import NEUTRAL_FACES_NAME
from mesm.data.marionette.clips import clip_name, make_clip
from mesm.data.marionette.head import data_folder, shared_head
from mesm.data.marionette.identities import Identity, make_identity
from mesm.data.marionette.neutral import neutral_faces_of
from mesm.data.marionette.problem import AT_ODDS, INFORMATIVE, LABELS, plan_clip, speaker_count, speaker_split
from mesm.data.store import Corpus, CorpusWriter
from mesm.errors import ConfigError
from mesm.files import write_atomic
from mesm.json_form import Json, to_json
from mesm.vocabulary import CAPABILITIES

PRESETS: dict[str, int] = {"small": 240, "default": 3000, "large": 12000}
NAME = "marionette"
GENERATOR = 4
#: Neutral faces of each training speaker.
NEUTRAL_PER_SPEAKER = 8
_SHARD_CLIPS = 64


@lru_cache(maxsize=512)
def identity(seed: int, speaker: int) -> Identity:
    """Return the person of a number, cached for the next clip."""
    return make_identity(shared_head(), seed, speaker)


def make_numbered(seed: int, number: int, speakers: int) -> Sample:
    """Make clip `number` of a corpus with this seed and number of speakers."""
    plan = plan_clip(seed, number, speakers)
    return make_clip(shared_head(), identity(seed, plan.speaker), plan, seed)


def _use_one_thread() -> None:
    """Set one thread for this worker, so that neither bytes nor speed depend on the load of the machine."""
    import torch

    torch.set_num_threads(1)


def _pool(workers: int) -> Pool:
    return multiprocessing.get_context("spawn").Pool(workers, _use_one_thread)


def _make(job: tuple[int, int, int]) -> Sample:
    return make_numbered(*job)


def _neutral(job: tuple[int, int]) -> NeutralFaceSet:
    seed, speaker = job
    return neutral_faces_of(shared_head(), identity(seed, speaker), seed, speaker, NEUTRAL_PER_SPEAKER)


def corpus_meta(clips: int, seed: int) -> dict[str, Json]:
    """Return the manifest's facts of the build."""
    return {
        "source": "rendered heads (MakeHuman, CC0), espeak-ng voices, written sentences; no recorded person",
        "licence": "CC0-1.0",
        "generator": GENERATOR,
        "clips": clips,
        "seed": seed,
        "speakers": speaker_count(clips),
        "informative": to_json(INFORMATIVE),
        "at_odds": to_json(AT_ODDS),
        "command": f"mesm corpus build marionette --clips {clips} --seed {seed} --out DIR",
    }


def build(
    folder: str | os.PathLike[str],
    clips: int,
    seed: int = 0,
    workers: int = 1,
    *,
    progress: bool = True,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Corpus:
    """Build a corpus, or go on with one that was interrupted.

    Args:
        folder: where the shards go; an unfinished corpus of the same seed and size is completed.
        workers: processes; they change the speed and nothing else.
        report: called with the clips and the speakers' neutral faces that are made, and with their number.

    Raises:
        BackendUnavailable: a package of the extra `mesm[marionette]` is missing.
    """
    if clips < 1 or workers < 1:
        raise ConfigError(f"clips is {clips} and workers is {workers}; both must be at least 1")
    data_folder()  # say what is missing before any process starts
    speakers = speaker_count(clips)
    meta = corpus_meta(clips, seed)
    with CorpusWriter(folder, NAME, LABELS, meta, capabilities=CAPABILITIES, shard_clips=_SHARD_CLIPS) as writer:
        missing = [n for n in range(clips) if clip_name(seed, n) not in writer.stored]
        with _pool(workers) as pool:
            made = pool.imap(_make, ((seed, n, speakers) for n in missing), chunksize=2)
            jobs = [(seed, s) for s in range(min(speakers, clips)) if speaker_split(s) == "train"]
            done, total = clips - len(missing), clips + len(jobs)
            shown = tqdm(made, desc="clips", total=clips, initial=done, unit="clip", disable=not progress)
            for number, sample in enumerate(shown, done + 1):
                writer.add(sample)
                report(number, total)
            if not (Path(folder) / NEUTRAL_FACES_NAME).exists():
                parts = pool.imap(_neutral, jobs)
                speakers_shown = tqdm(
                    parts, desc="neutral faces", total=len(jobs), unit="speaker", disable=not progress
                )
                neutral = []
                for part in speakers_shown:
                    neutral.append(part)
                    report(clips + len(neutral), total)
                _write_neutral(Path(folder), neutral)
    return Corpus(folder)


def _write_neutral(folder: Path, parts: list[NeutralFaceSet]) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **vars(NeutralFaceSet.concatenate(parts)))
    write_atomic(folder / NEUTRAL_FACES_NAME, buffer.getvalue())
