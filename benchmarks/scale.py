"""Import thousands of stand-in clips by each engine, and start a training from storage: `python -m benchmarks.scale`.

The stand-ins are sounds of half a second, each of its own pitch, made here; they are decoded, checked and stored like any
voice, and cost what an import costs beside its face search (`benchmarks.ingest` measures that). The engines run one after
the other in processes of their own; memory is the largest resident set of a process of the import, summed over those that
run at one time.

    --clips 20000 --engines local ray   both engines on two workers
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import conditions, write_measured
from mesm.config import FE2EConfig, RunConfig, TrainConfig
from mesm.data.store import Corpus
from mesm.training.trainer import Trainer

LABELS = ("anger", "fear", "happiness", "sadness")
_MESM = "from mesm.cli import main; raise SystemExit(main())"
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20


def write_release(root: Path, clips: int) -> None:
    """Write `train/anger/00000.wav`, ...: of ten clips seven train, one validates, two test."""
    for number in range(clips):
        split = "train" if number % 10 < 7 else "valid" if number % 10 == 7 else "test"
        path = root / split / LABELS[number // 10 % len(LABELS)] / f"{number:05d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        pitch = 2 * np.pi * (120 + number % 400) / 16_000
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes((8000 * np.sin(np.arange(8000) * pitch)).astype("<i2").tobytes())


def run_import(release: Path, out: Path, engine: str, workers: int) -> dict[str, Any]:
    """Run one import in a process of its own, and watch its memory."""
    words = f"corpus import voices {release} {out} --engine {engine} --workers {workers}".split()
    environment = {**os.environ, "RAY_AUTH_MODE": "disabled"}
    start = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([sys.executable, "-c", _MESM, *words], stdout=log, stderr=log, env=environment)
        peaks = {"driver": 0.0, "worker": 0.0, "together": 0.0}
        watcher = threading.Thread(target=_watch, args=(process, peaks), daemon=True)
        watcher.start()
        if process.wait():
            log.seek(0)
            raise SystemExit(log.read().decode()[-2000:])
        watcher.join()
    seconds = time.perf_counter() - start
    corpus = Corpus(out)
    return {
        "clips": len(corpus),
        "seconds": round(seconds, 1),
        "ms_per_clip": round(1000 * seconds / len(corpus), 2),
        "peak_mb": {name: round(value) for name, value in peaks.items()},
        "digest": corpus.manifest.clips_digest,
    }


def _watch(process: subprocess.Popen[bytes], peaks: dict[str, float]) -> None:
    """Keep the largest private memory of the import's process, of a worker of it, and of all of them at one time."""
    while process.poll() is None:
        sizes = {pid: _private_mb(pid) for pid in _family(process.pid)}
        workers = [size for pid, size in sizes.items() if pid != process.pid]
        now = {
            "driver": sizes.get(process.pid, 0.0),
            "worker": max(workers, default=0.0),
            "together": sum(sizes.values()),
        }
        for name, value in now.items():
            peaks[name] = max(peaks[name], value)
        time.sleep(0.5)


def _private_mb(pid: int) -> float:
    """Return the resident memory of a process without what it shares, in MB; 0 for one that has ended."""
    try:
        resident, shared = (int(word) for word in Path(f"/proc/{pid}/statm").read_text().split()[1:3])
    except (OSError, ValueError):
        return 0.0
    return (resident - shared) * _PAGE_MB


def _family(root: int) -> set[int]:
    """Return a process and all that it started."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, ValueError):
                continue
    family = {root}
    while new := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= new
    return family


def start_training(corpus: Path, out: Path) -> dict[str, Any]:
    """Train 64 clips from the corpus's URL, as from any object storage, and time it up to the first batches."""
    model = FE2EConfig(
        labels=LABELS, width=0.125, head_dim=16, transformer_dim=16, transformer_layers=1, transformer_feedforward=16
    )
    train = TrainConfig(corpus=corpus.resolve().as_uri(), batch_size=16, epochs=1, max_clips=64)
    start = time.perf_counter()
    trainer = Trainer(RunConfig(model, train), out)
    next(trainer.train_loader.epoch(0))
    first = time.perf_counter() - start
    losses: list[float] = []
    for number, batch in enumerate(trainer.train_loader.epoch(0)):
        losses.append(float(trainer.step(batch, number)))
    return {"url": "file://", "first_batch_s": round(first, 2), "steps": len(losses), "loss": round(losses[-1], 3)}


def on_a_cluster(clips: int, measured: dict[str, Any], machines: int, cores: int) -> dict[str, float]:
    """Estimate the minutes of `clips` on a cluster, by the time per clip of two workers; the driver's writing is a floor."""
    per_worker_s = 2 * measured["seconds"] / measured["clips"]
    return {"machines": machines, "cores": cores, "minutes": round(clips * per_worker_s / (machines * cores) / 60, 2)}


def main(words: Sequence[str] | None = None) -> None:
    """Print the figures, and write them to a file if one is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=20_000)
    parser.add_argument("--engines", nargs="+", choices=["local", "ray"], default=["local", "ray"])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args(words)
    measured: dict[str, Any] = {"conditions": conditions()}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_release(root / "release", arguments.clips)
        for engine in arguments.engines:
            measured[engine] = run_import(root / "release", root / engine, engine, arguments.workers)
            measured[engine]["cluster"] = on_a_cluster(20_000, measured[engine], 8, 2)
            print(engine, json.dumps(measured[engine]), flush=True)
        digests = {measured[engine].pop("digest") for engine in arguments.engines}
        measured["same_content"] = len(digests) == 1
        measured["digest"] = sorted(digests)[0][:16]
        measured["training"] = start_training(root / arguments.engines[0], root / "run")
    write_measured(measured, arguments.json)


if __name__ == "__main__":
    main()
