"""The same content through a Ray cluster of two workers, one of which is killed half-way."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import trees
from made_samples import assert_same, make_sample

from mesm.data.importers import engine, find_release
from mesm.data.importers.headers import Facts
from mesm.data.importers.making import Outcome
from mesm.data.importers.plan import Problem
from mesm.data.importers.ray_engine import pack, unpack
from mesm.data.store import Corpus

LABELS = ("anger", "fear")


def test_outcomes_travel_unchanged() -> None:
    sample = make_sample("a", labels={"anger": 1.0, "fear": 0.0})
    sent = [
        Outcome("a", Facts(1.5, 25.0, 640, 360, 44_100, 2), sample),
        Outcome("b", Facts(), problem=Problem("no_frames", "ü")),
    ]
    first, second = unpack(pack(sent, LABELS))
    assert second == sent[1] and first.facts == sent[0].facts and first.sample is not None
    assert_same(first.sample, sample)
    assert unpack(pack(sent[1:], ())) == sent[1:]


def kill_a_worker(out: Path, killed: list[int]) -> None:
    """End one of this process's own Ray workers, once the first clips have arrived."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and not killed:
        sources = out / "sources.jsonl"
        if sources.is_file() and sources.stat().st_size:
            for process in psutil.Process().children(recursive=True):
                if "ray::Map" in " ".join(process.cmdline()):  # at work: the rest of Ray has other names
                    process.kill()
                    killed.append(process.pid)
                    break
        time.sleep(0.05)


@pytest.mark.slow
def test_a_cluster_that_loses_a_worker(left_half: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # no token in the home folder
    monkeypatch.setattr(engine, "CHUNK", 2)
    trees.face_video(tmp_path / "clip.mp4", left_half, 1.2)
    rows = "clip.mp4,hello,1,train\nclip.mp4,there,1,train\nnone.mp4,hello,1,train\n" * 12
    (tmp_path / "m.csv").write_text("path,text,fear,split\n" + rows)
    release = find_release("manifest", tmp_path / "m.csv")
    local = engine.import_release(release, tmp_path, tmp_path / "local", workers=0, progress=False)
    here = Path(__file__).resolve().parents
    path = os.pathsep.join(filter(None, [str(here[3]), os.environ.get("PYTHONPATH")]))
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": path}})
    killed: list[int] = []
    watcher = threading.Thread(target=kill_a_worker, args=(tmp_path / "ray", killed), daemon=True)
    watcher.start()
    try:
        spread = engine.import_release(release, tmp_path, tmp_path / "ray", engine="ray", progress=False)
    finally:
        ray.shutdown()
    assert killed, "no worker was busy when it was to be killed"
    assert spread == local and spread.stored == 24 and spread.quarantined == {"missing_video": 12}
    one, other = Corpus(tmp_path / "local"), Corpus(tmp_path / "ray")
    assert [s.sha256 for s in one.manifest.shards] == [s.sha256 for s in other.manifest.shards]
