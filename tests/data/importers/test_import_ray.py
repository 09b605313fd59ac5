"""The same content through a Ray cluster of two workers, one of which is killed half-way."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mesm.data.importers import engine, find_release
from mesm.data.importers.decode import Outcome
from mesm.data.importers.plan import MediaSpan, Problem
from mesm.data.importers.ray_engine import pack, unpack
from mesm.data.sources import SourceFacts
from mesm.data.store import Corpus
from tests.data.importers import trees
from tests.data.importers.made_deadly import DeadlyPath
from tests.data.made_samples import assert_same, make_sample

LABELS = ("anger", "fear")


def test_outcomes_travel_unchanged() -> None:
    sample = make_sample("a", labels={"anger": 1.0, "fear": 0.0})
    sent = [
        Outcome("a", SourceFacts(1.5, 25.0, 640, 360, 44_100, 2), sample),
        Outcome("b", SourceFacts(), problem=Problem("no_frames", "ü")),
    ]
    first, second = unpack(pack(sent, LABELS))
    assert second == sent[1] and first.facts == sent[0].facts and first.sample is not None
    assert_same(first.sample, sample)
    assert unpack(pack(sent[1:], ())) == sent[1:]


@pytest.mark.slow  # a cluster takes most of a minute to start
def test_a_cluster_that_loses_a_worker(left_half: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray", reason='needs ray: pip install "mesm[ray]"')
    here = Path(__file__).resolve().parent
    path = os.pathsep.join(filter(None, [str(here.parents[2]), str(here), os.environ.get("PYTHONPATH")]))
    monkeypatch.setenv("PYTHONPATH", path)  # of the workers
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # no token in the home folder
    monkeypatch.setattr(engine, "CHUNK", 2)
    clip = trees.face_video(tmp_path / "clip.mp4", left_half, 1.2)
    rows = "clip.mp4,hello,1,train\nclip.mp4,there,1,train\nnone.mp4,hello,1,train\n" * 4
    (tmp_path / "m.csv").write_text("path,text,fear,split\n" + rows)
    release = find_release("manifest", tmp_path / "m.csv")
    local = engine.import_release(release, tmp_path, tmp_path / "local", workers=0, progress=False)
    utterances = list(release.utterances)
    utterances[6] = replace(utterances[6], video=MediaSpan(DeadlyPath(clip)))
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        spread = engine.import_release(
            replace(release, utterances=tuple(utterances)), tmp_path, tmp_path / "ray", engine="ray", progress=False
        )
    finally:
        ray.shutdown()
    assert int(Path(f"{clip}.killed").read_text()) != os.getpid(), "a worker died of it"
    assert spread == local and spread.stored == 8 and spread.quarantined == {"missing_video": 4}
    one, other = Corpus(tmp_path / "local"), Corpus(tmp_path / "ray")
    assert [s.sha256 for s in one.manifest.shards] == [s.sha256 for s in other.manifest.shards]
