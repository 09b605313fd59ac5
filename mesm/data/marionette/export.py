"""Export a small part of a built corpus, with previews that play: the part that ships with the project."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mesm.batch import SAMPLE_RATE_HZ
from mesm.data.ingest import encode_arrays
from mesm.data.marionette.build import GENERATOR, NAME, identity
from mesm.data.marionette.clips import act, film, frame_times, rehearse
from mesm.data.marionette.head import shared_head
from mesm.data.marionette.problem import LABELS, plan_clip
from mesm.data.store import Corpus, CorpusWriter, IndexRow
from mesm.errors import ConfigError, DataError
from mesm.vocabulary import CAPABILITIES

PREVIEW_FPS = 12
_MEDIA = "media"
#: Previews are for looking: smaller files rather than finer pictures.
_PREVIEW_CRF = 28
_SHARD_CLIPS = 32


def choose_clips(rows: list[IndexRow], clips: int, per_emotion: int) -> list[str]:
    """Choose clip ids such that every emotion has at least `per_emotion`, short clips first.

    Raises:
        DataError: the rows have too few clips, or too few of one emotion.
    """
    waiting = sorted(rows, key=lambda row: (row.duration_s, row.clip_id))
    need = dict.fromkeys(LABELS, per_emotion)
    # Clips of no emotion are as interesting as the others.
    calm = [row for row in waiting if not any((row.labels or {}).values())][: clips // 10]
    chosen = [row.clip_id for row in calm]
    waiting = [row for row in waiting if row.clip_id not in chosen]
    while len(chosen) < clips and waiting:

        def gain(row: IndexRow) -> float:
            covered = sum(need[name] > 0 for name in LABELS if (row.labels or {}).get(name, 0) > 0)
            return covered - 0.15 * row.duration_s

        best = max(waiting, key=gain)
        waiting.remove(best)
        chosen.append(best.clip_id)
        for name in LABELS:
            need[name] -= (best.labels or {}).get(name, 0) > 0
    short = [name for name, missing in need.items() if missing > 0]
    if len(chosen) < clips or short:
        raise DataError(
            f"{len(rows)} clips do not hold {clips} with at least {per_emotion} per emotion "
            f"(too few: {', '.join(short) or 'clips'}); build a larger corpus"
        )
    return chosen


def write_preview(seed: int, number: int, speakers: int, path: Path) -> None:
    """Render clip `number` again at `PREVIEW_FPS`, with its sound. The stored frames are among the film's."""
    plan = plan_clip(seed, number, speakers)
    who = identity(seed, plan.speaker)
    take = rehearse(plan, who, seed)
    performance = act(take, frame_times(take.duration_s, 1 / PREVIEW_FPS), seed)
    frames = (frame.image for frame in film(shared_head(), who, performance))
    encode_arrays(frames, PREVIEW_FPS, take.waveform, SAMPLE_RATE_HZ, path, crf=_PREVIEW_CRF)


def export(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    split: str = "test",
    clips: int = 96,
    per_emotion: int = 16,
    progress: bool = True,
) -> Corpus:
    """Copy clips of one split into a corpus of their own, with a preview of each, without the large crops.

    Args:
        source: a corpus made by this version's `build`.
        per_emotion: at least so many clips of each emotion.
    """
    corpus = Corpus(source)
    design = corpus.manifest.design
    if corpus.name != NAME or design is None or design.generator != GENERATOR:
        raise ConfigError(
            f"{source} was not built by this version's generator ({GENERATOR}); build it again with mesm corpus build"
        )
    chosen = choose_clips([row for row in corpus.index if row.split == split], clips, per_emotion)
    folder = Path(out)
    command = f"{design.command}; mesm corpus export DIR --split {split} --clips {clips} --out {folder.name}"
    # The neutral faces are of the training split's people, and stay with the whole.
    kept = [name for name in CAPABILITIES if name != "neutral_faces"]
    meta = {**corpus.manifest.meta, "command": command}
    with CorpusWriter(folder, NAME, LABELS, meta, capabilities=kept, shard_clips=_SHARD_CLIPS) as writer:
        for clip_id in tqdm(sorted(chosen), unit="clip", disable=not progress, desc="previews"):
            if clip_id in writer.stored:
                continue
            media = f"{_MEDIA}/{clip_id}.mp4"
            write_preview(design.seed, int(clip_id.rsplit("-", 1)[1]), design.speakers, folder / media)
            writer.add(replace(corpus[clip_id], faces_large=np.zeros((0, 1, 1, 3), np.uint8), media=media))
    return Corpus(folder)
