"""Utterances per second in training, and the share of the time spent waiting for data.

    python -m benchmarks.training [--json out.json] [--width 0.25] [--frame-px 480] [--clock cpu --threads 1]

Three loops take the same training steps (forward, loss, backward, AdamW) on the same clips at the same width and
precision: faces cut once, at ingestion (ours); MTCNN run inside every forward on the clips' frames, which lie decoded in
memory, as the authors' code does; and, for the waiting, batches that lie ready in memory. The bundled clips' frames are
small (176 px), which favours MTCNN; --frame-px enlarges them to what recorded corpora have.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.timing import CLOCKS, conditions, interleaved_ms
from mesm.batch import Batch
from mesm.config import LabelLossConfig, RunConfig
from mesm.data.corpora import open_corpus
from mesm.data.ingest.faces import MtcnnDetector, track_faces
from mesm.data.ingest.video import FrameSampler
from mesm.data.loading import SplitLoader
from mesm.data.store import Corpus
from mesm.layers.text import TextEncoder
from mesm.models import build_model
from mesm.presets import preset
from mesm.training.objectives import StepBatch
from mesm.training.objectives.branch_loss import BranchLoss
from mesm.training.objectives.label_loss import LabelLoss
from mesm.training.optim import build_optimizer, clip_gradients
from mesm.training.scoring import text_vectors

MODELS = ("fe2e", "mesm")


def trainer_step(run: RunConfig, device: str) -> Callable[[Batch], None]:
    """Return a function that takes one optimiser step on a batch."""
    torch.manual_seed(0)
    model = build_model(run.model).to(device).train()
    optimizer = build_optimizer(model, run.train)
    label_loss = LabelLoss(LabelLossConfig("none"), torch.zeros(1, len(run.model.labels)), device)
    branch_loss = BranchLoss(run.train.branch, label_loss)
    half = run.train.precision == "bfloat16"

    def step(batch: Batch) -> None:
        with torch.autocast(device, torch.bfloat16) if half else nullcontext():
            taken = StepBatch(batch, len(batch), torch.arange(len(batch))).to(device)
            output = model(taken.batch, run.model.top_p)
            loss = label_loss.loss(taken, output) + branch_loss.weight * branch_loss.loss(taken, output)
        loss.backward()
        clip_gradients(optimizer, run.train.clip_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def decoded_frames(corpus: Corpus, clip_id: str, size_px: int) -> list[tuple[float, np.ndarray]]:
    """A clip's frames, one every 500 ms, as MTCNN gets them; enlarged to `size_px` in height if that is not 0."""
    frames = list(FrameSampler(corpus.folder / corpus[clip_id].media))
    if not size_px:
        return frames
    side = [(round(f.shape[1] * size_px / f.shape[0]), size_px) for _, f in frames]
    return [(t, np.asarray(Image.fromarray(f).resize(s))) for (t, f), s in zip(frames, side, strict=True)]


def with_faces(batch: Batch, frames: list[list[tuple[float, np.ndarray]]], detector: MtcnnDetector) -> Batch:
    """The batch with its faces cut now, clip by clip, as in the authors' forward."""
    tracks = [track_faces(iter(clip), large_px=0, detector=detector) for clip in frames]
    faces = torch.from_numpy(np.concatenate([t.faces for t in tracks])).permute(0, 3, 1, 2).contiguous()
    return replace(batch, faces=faces, face_counts=torch.tensor([len(t.faces) for t in tracks]))


def against_mtcnn(
    run: RunConfig, corpus: Corpus, batches: list[Batch], options: argparse.Namespace
) -> dict[str, float]:
    """Utterances per second with faces cut at ingestion and in the forward, batch by batch in turn."""
    step, detector = trainer_step(run, options.device), MtcnnDetector(options.device)
    frames = {c: decoded_frames(corpus, c, options.frame_px) for batch in batches for c in batch.clip_ids}
    place = {"ours": 0, "in_forward": 0}

    def following(name: str) -> Batch:
        place[name] += 1
        return batches[place[name] % len(batches)]

    def authors() -> None:
        batch = following("in_forward")
        step(with_faces(batch, [frames[c] for c in batch.clip_ids], detector))

    times = interleaved_ms(
        {"ours": lambda: step(following("ours")), "in_forward": authors}, options.turns, 1, options.clock
    )
    size = len(batches[0])
    speed = {name: round(1000 * size / statistics.median(ms), 2) for name, ms in times.items()}
    return {
        "utterances_per_s": speed["ours"],
        "utterances_per_s_mtcnn_in_forward": speed["in_forward"],
        "times_as_fast": round(speed["ours"] / speed["in_forward"], 2),
    }


def waiting(run: RunConfig, loaders: dict[str, Callable[[], Iterator[Batch]]], options: argparse.Namespace) -> dict:
    """Share of the time spent waiting for the next batch, and speed relative to batches that lie in memory."""
    step, found, now = trainer_step(run, options.device), {}, CLOCKS[options.clock]
    spent: dict[str, list[float]] = {name: [] for name in loaders}
    waited: dict[str, list[float]] = {name: [] for name in loaders}
    for turn in range(options.epochs + 1):
        for name, batches in loaders.items():
            wait, start, started, source = 0.0, time.perf_counter(), now(), iter(batches())
            while True:
                asked = time.perf_counter()
                batch = next(source, None)
                wait += time.perf_counter() - asked
                if batch is None:
                    break
                step(batch)
            if turn:  # the first epoch warms up, and fills the cache
                spent[name].append(now() - started)
                waited[name].append(wait / (time.perf_counter() - start))
    memory = statistics.median(spent["memory"])
    for name in loaders:
        if name != "memory":
            found[f"data_wait_share_{name}"] = round(statistics.median(waited[name]), 4)
            found[f"speed_of_memory_{name}"] = round(memory / statistics.median(spent[name]), 4)
    return found


def measure(options: argparse.Namespace) -> list[dict[str, Any]]:
    """One row per model."""
    corpus, rows = open_corpus(options.corpus), []
    encoder = TextEncoder(preset("marionette-fe2e").model)
    vectors = text_vectors(corpus, encoder, (options.split,))
    clips = [row.clip_id for row in corpus.index if row.split == options.split and row.media]

    def loader(cache_bytes: int) -> SplitLoader:
        return SplitLoader(
            corpus, options.split, corpus.labels, batch_size=options.batch_size, text_vectors=vectors,
            cache_bytes=cache_bytes, limit=options.clips,
        )  # fmt: skip

    stored, cached = loader(0), loader(2**30)
    batches = [batch for batch in cached.epoch(0) if set(batch.clip_ids) <= set(clips)]
    full = [batch for batch in batches if len(batch) == options.batch_size] or batches
    for name in MODELS:
        given = preset(f"marionette-{name}")
        model = replace(given.model, labels=corpus.labels, width=options.width, gate=options.gate)
        run = RunConfig(model, replace(given.train, precision=options.precision))
        row: dict[str, Any] = {"model": name, **against_mtcnn(run, corpus, full, options)}
        sources: dict[str, Callable[[], Iterator[Batch]]] = {
            "memory": lambda: iter(batches),
            "from_disk": lambda: stored.epoch(0),
            "cached": lambda: cached.epoch(0),
        }
        row |= waiting(run, sources, options)
        print(row)
        rows.append(row)
    return rows


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--corpus", default="marionette", help="with previews, such as the bundled one (default)")
    parser.add_argument("--split", default="test")
    parser.add_argument("--clips", type=int, default=96)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--gate", default="soft_straight_through")
    parser.add_argument("--precision", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument(
        "--frame-px", type=int, default=0, help="height of the frames that MTCNN searches; 0: as stored"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--turns", type=int, default=6, help="batches of each loop")
    parser.add_argument("--epochs", type=int, default=3, help="passes for the waiting, after one to warm up")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--clock", default="wall", choices=list(CLOCKS), help="cpu: for a busy machine, with --threads 1"
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = measure(options)
    if options.json:
        keys = ("corpus", "clips", "batch_size", "width", "gate", "precision", "frame_px", "device", "clock")
        settings = {k: getattr(options, k) for k in keys}
        options.json.write_text(json.dumps({"conditions": conditions() | settings, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
