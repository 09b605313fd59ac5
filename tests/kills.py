"""Kill a job at random moments and finish it, again and again: `python -m tests.kills JOB FOLDER KILLS SEED`.

Each try is a fork of this process, which has imported everything, so that every kill hits the work and not the start.
What takes long and writes nothing (rendering, voices) is replaced by made-up samples; every file is written by the real
code. Prints how many kills hit a living job, and exits with an error if a finished job differs from an unbroken one.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from mesm.batch import Sample
from mesm.cli import main
from mesm.config import FE2EConfig, RunConfig, TrainConfig
from mesm.data.known_truth import NeutralFaceSet
from mesm.data.marionette import build, export
from mesm.data.store import CorpusWriter
from mesm.files import write_atomic
from mesm.models import build_model, save_checkpoint
from mesm.records.checkpoint import CheckpointMetrics
from mesm.records.training_log import read_log
from mesm.training.run_folder import RunFolder
from tests.data.made_clips import grey, tone, write_clip
from tests.data.made_samples import make_sample
from tests.training.corpora import LABELS, tinted_corpus

WORDS = FE2EConfig(
    labels=LABELS, modalities=("text",), width=0.125, head_dim=16, transformer_dim=16,
    transformer_layers=1, transformer_feedforward=16, dropout=0.1,
)  # fmt: skip


def train(home: Path) -> Callable[[Path], list[str]]:
    corpus = tinted_corpus(home / "tinted", train=16, valid=8, test=8)
    run = RunConfig(WORDS, TrainConfig(corpus=str(corpus), batch_size=4, epochs=4, lr=3e-3))

    def command(out: Path) -> list[str]:
        if not (out / "config.json").exists():
            out.mkdir(parents=True, exist_ok=True)
            RunFolder(out).open(run)
        return ["train", "--resume", str(out)]

    return command


def import_(home: Path) -> Callable[[Path], list[str]]:
    clip = write_clip(home / "clip.mp4", [grey(90)] * 6, waveform=tone(0.6), fps=10)
    rows = "".join(f"{clip.name},c{n:02d},words {n},s{n % 4},1\n" for n in range(10))
    (home / "clips.csv").write_text("path,id,text,speaker,fear\n" + rows)
    options = ["--workers", "0", "--splits", "speaker", "--large-px", "0", "--keep-incomplete"]
    return lambda out: ["corpus", "import", "manifest", str(home / "clips.csv"), str(out), *options]


def build_(home: Path) -> Callable[[Path], list[str]]:
    return lambda out: ["corpus", "build", "marionette", "--clips", "24", "--out", str(out)]


def export_(home: Path) -> Callable[[Path], list[str]]:
    build.build(home / "corpus", 24, progress=False)
    options = ["--split", "train", "--clips", "9", "--per-emotion", "0"]
    return lambda out: ["corpus", "export", str(home / "corpus"), "--out", str(out), *options]


def predict(home: Path) -> Callable[[Path], list[str]]:
    (home / "clips").mkdir()
    for n in range(3):
        write_clip(home / "clips" / f"c{n}.mp4", [grey(90 + n)] * 6, waveform=tone(0.6), fps=10)
        (home / "clips" / f"c{n}.txt").write_text(f"words {n}")
    torch.manual_seed(0)
    save_checkpoint(home / "model", build_model(WORDS), CheckpointMetrics(thresholds=(0.5,) * 6), "")
    return lambda out: ["predict", str(home / "clips"), "--checkpoint", str(home / "model"), "--out", f"{out}/s.csv"]


JOBS = {"train": train, "import": import_, "build": build_, "export": export_, "predict": predict}


def fill_in() -> None:
    """Replace what renders, and let a shard hold few clips, so that there are many."""

    class InProcess:
        def __enter__(self) -> InProcess:
            return self

        def __exit__(self, *_: object) -> None: ...

        def imap(self, make: Callable[..., object], jobs: Iterable[object], chunksize: int = 1) -> Iterator[object]:
            return map(make, jobs)

    def sample(seed: int, number: int, speakers: int) -> Sample:
        labels = dict.fromkeys(build.LABELS, float(number % 2))
        made = make_sample(build.clip_name(seed, number), seed=number, labels=labels, units=2, speaker=f"s{number % 3}")
        return replace(made, split="train")

    def neutral(_: object) -> NeutralFaceSet:
        rng = np.random.default_rng(0)
        image, head = rng.integers(0, 9, (8, 48, 48, 3), np.uint8), np.full((8, 48, 48), 255, np.uint8)
        return NeutralFaceSet(image, rng.integers(0, 9, (8, 6, 48, 48), np.uint8), head, np.array(["s"] * 8))

    def preview(seed: int, number: int, speakers: int, path: Path) -> None:
        write_atomic(path, np.random.default_rng(number).bytes(10**6))

    build._pool = lambda workers: InProcess()  # type: ignore[assignment, return-value]
    build.make_numbered, build._neutral, export.write_preview = sample, neutral, preview
    build._SHARD_CLIPS = export._SHARD_CLIPS = 4
    assert CorpusWriter.__init__.__kwdefaults__ is not None
    CorpusWriter.__init__.__kwdefaults__["shard_clips"] = 4


def start(command: list[str]) -> int:
    pid = os.fork()
    if pid == 0:
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        os._exit(main(command))
    return pid


def finish(command: list[str]) -> None:
    _, status = os.waitpid(start(command), 0)
    assert status == 0, f"{command} ended with {status}"


def content(out: Path) -> dict[str, object]:
    """What has to be equal: every byte, except that a run keeps its seconds in three files."""
    assert not list(out.rglob(".*")), f"left behind: {sorted(out.rglob('.*'))}"
    files = [path for path in sorted(out.rglob("*")) if path.is_file()]
    if (out / "state.pt").exists():
        files = [path for path in files if path.name == "model.safetensors"]
    digests = {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    return {**digests, "log": [replace(report, seconds=None) for report in read_log(out)]}


def run(job: str, home: Path, kills: int, seed: int) -> dict[str, int]:
    torch.set_num_threads(1)
    fill_in()
    chance, hits, compared = random.Random(seed), 0, 0
    home.mkdir(parents=True, exist_ok=True)
    command = JOBS[job](home)
    # An export keeps the name of its folder, so both have one name.
    whole, again = (home / name / "out" for name in ("unbroken", "again"))
    finish(command(whole))
    started = time.monotonic()
    finish(command(again))  # the second one is timed: files are in the system's cache
    length = time.monotonic() - started
    expected = content(whole)
    assert content(again) == expected
    shutil.rmtree(again)
    while hits < kills:
        pid = start(command(again))
        time.sleep(chance.uniform(0, length))
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        hits += os.WIFSIGNALED(status)
        if os.WIFSIGNALED(status) and chance.random() < 0.3:
            continue  # killed again before it is finished
        finish(command(again))
        assert content(again) == expected, f"after kill {hits} of seed {seed}"
        compared += 1
        print(f"{hits} kills, {compared} times finished and equal", file=sys.stderr, flush=True)
        shutil.rmtree(again)
    return {"kills": hits, "compared": compared, "milliseconds": round(1000 * length)}


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))))
