"""A corpus is the same however it was built: by how many processes, or in how many attempts."""

import hashlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba")
pytest.importorskip("espeakng_loader")
pytest.importorskip("facenet_pytorch")
if importlib.util.find_spec("anny") is None:
    pytest.skip("needs mesm[marionette]", allow_module_level=True)

from mesm.cli import main
from mesm.data.known_truth import read_neutral_faces
from mesm.data.manifest import NEUTRAL_FACES_NAME
from mesm.data.marionette import build as build_module
from mesm.data.marionette.action_units import AU_NUMBERS
from mesm.data.marionette.build import build, make_numbered
from mesm.data.marionette.export import choose_clips, export
from mesm.data.store import Corpus, CorpusWriter, IndexRow
from mesm.errors import ConfigError, DataError
from mesm.vocabulary import CAPABILITIES

CLIPS = 5


def files(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.*"))}


@pytest.fixture(scope="module", autouse=True)
def in_this_process() -> None:
    """Processes start slowly; one thread of this one makes the same clips. The slow test below starts real ones."""
    import torch

    threads = torch.get_num_threads()
    patch = pytest.MonkeyPatch()
    patch.setattr(build_module, "_pool", lambda workers: ThreadPool(1, build_module._use_one_thread))
    patch.setattr(build_module, "_SHARD_CLIPS", 2)
    patch.setattr(build_module, "NEUTRAL_PER_SPEAKER", 2)
    yield
    patch.undo()
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("marionette") / "whole"
    build(folder, CLIPS, seed=3, progress=False)
    return folder


def test_clips_hold_what_they_should(folder: Path) -> None:
    corpus = Corpus(folder)
    assert corpus.ids() == tuple(f"m3-{n:05d}" for n in range(CLIPS)) and corpus.manifest.complete
    for sample in corpus.iterate():
        assert sample.face_found.mean() > 0.7 and 2 <= sample.duration_s <= 6
        assert np.allclose(np.diff(sample.face_times_s), 0.5)
        assert sample.words and sample.words[-1].end_s <= sample.duration_s + 1e-6
        assert [word.text for word in sample.words] == sample.text.split()
        assert sample.labels is not None and set(sample.labels.values()) <= {0.0, 1.0, 2.0, 3.0}
        assert "clipping" not in sample.quality and "silence" not in sample.quality
        truth, count = sample.truth, len(sample.faces)
        assert truth is not None and set(truth.displays) == {"text", "visual", "acoustic"} and len(truth.prosody) == 8
        assert truth is not None and truth.au_numbers == AU_NUMBERS
        assert truth.au_region.shape == (count, len(AU_NUMBERS), 48, 48)
        assert (truth.au_region <= truth.head[:, None]).all()
        assert (truth.au_intensity >= truth.au_emotion_intensity - 0.6).all()


def test_truth_lies_where_mtcnn_saw_the_face(folder: Path) -> None:
    """Eyes, nose and mouth corners: the detector's points against the rendered landmarks, in pixels of the crop."""
    for sample in Corpus(folder).iterate():
        assert sample.truth is not None
        marks = sample.truth.landmarks
        eyes = np.stack([marks[:, 36:42].mean(axis=1), marks[:, 42:48].mean(axis=1)], axis=1)
        known = np.concatenate([eyes, marks[:, [30, 48, 54]]], axis=1)
        assert np.abs(known - sample.face_points)[sample.face_found].mean() < 2.5


def test_a_clip_depends_on_nothing_but_its_number(folder: Path) -> None:
    build_module._use_one_thread()
    alone = make_numbered(seed=3, number=4, speakers=20)
    stored = Corpus(folder)["m3-00004"]
    assert np.array_equal(alone.faces, stored.faces) and np.array_equal(alone.mel, stored.mel)
    assert alone.text == stored.text and alone.words == stored.words


@pytest.mark.slow
def test_an_interrupted_build_is_completed(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(writer: CorpusWriter, sample: object, add=CorpusWriter.add) -> None:  # type: ignore[no-untyped-def]
        if len(writer.stored) == 3:
            raise KeyboardInterrupt
        add(writer, sample)

    with monkeypatch.context() as patch:
        patch.setattr(CorpusWriter, "add", interrupted)
        with pytest.raises(KeyboardInterrupt):
            build(tmp_path, CLIPS, seed=3, progress=False)
    assert len(Corpus(tmp_path)) == 2 and not Corpus(tmp_path).manifest.complete
    build(tmp_path, CLIPS, seed=3, progress=False)
    assert files(tmp_path) == files(folder)


def test_another_seed_does_not_go_into_the_same_folder(folder: Path) -> None:
    with pytest.raises(DataError, match="another meta"):
        build(folder, CLIPS, seed=4, progress=False)
    with pytest.raises(ConfigError, match="at least 1"):
        build(folder, 0, progress=False)


def test_neutral_faces_belong_to_training_speakers(folder: Path) -> None:
    neutral = read_neutral_faces(Corpus(folder))
    assert neutral is not None
    count = len(neutral.image)
    assert neutral.image.shape == (count, 48, 48, 3) and neutral.region.shape == (count, 6, 48, 48)
    assert set(neutral.speaker) == {"s000", "s001", "s002", "s004"}
    assert (neutral.region <= neutral.head[:, None]).all()
    shares = (neutral.region / 255).mean(axis=(0, 2, 3))
    assert (shares > 0.02).all() and (shares < 0.6).all()


def test_export_takes_short_clips_of_every_emotion() -> None:
    rows = [
        IndexRow(
            clip_id=f"c{n}", split="test", speaker="s", text="", duration_s=2.0 + n / 20, quality=(), media="",
            labels={name: float(k == n % 7) for k, name in enumerate(build_module.LABELS)}, n_frames=1, n_chunks=1,
        )
        for n in range(42)
    ]  # fmt: skip
    chosen = choose_clips(rows, 20, per_emotion=2)
    assert len(set(chosen)) == 20
    for name in build_module.LABELS:
        assert sum(row.labels[name] > 0 for row in rows if row.clip_id in chosen) >= 2
    with pytest.raises(DataError, match="build a larger corpus"):
        choose_clips(rows, 20, per_emotion=7)


def test_exported_clips_play(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import av

    part = export(folder, tmp_path / "part", split="train", clips=2, per_emotion=0, progress=False)
    assert len(part) == 2
    assert (part.name, part.digest) == (Corpus(folder).name, Corpus(folder).digest), "a part is the same corpus"
    assert set(CAPABILITIES) - set(part.capabilities) == {"neutral_faces"} and read_neutral_faces(part) is None
    for clip_id in part.ids():
        sample, path = part[clip_id], part.media_path(clip_id)
        assert path is not None and sample.faces_large.size == 0
        with av.open(str(path)) as container:
            assert {stream.type for stream in container.streams} == {"video", "audio"}
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert len(frames) == pytest.approx(12 * sample.duration_s, abs=1)
        assert np.array_equal(sample.mel, Corpus(folder)[clip_id].mel)
    assert main(["corpus", "card", str(folder), "--simulate", "0"]) == 0
    assert "happiness" in capsys.readouterr().out
    assert main(["corpus", "audit", str(folder)]) == 0


@pytest.mark.slow
def test_processes_and_a_kill_change_nothing(tmp_path: Path) -> None:
    """Real processes: one, two, and two that are killed on the way and started again."""
    clips = 70

    def command(out: str, workers: int) -> list[str]:
        arguments = f"corpus build marionette --clips {clips} --seed 3 --workers {workers} --out {tmp_path / out}"
        return [sys.executable, "-m", "mesm", *arguments.split()]

    killed = subprocess.Popen(command("killed", 2), start_new_session=True, stderr=subprocess.DEVNULL)
    while not list(tmp_path.glob("killed/shard-*")):
        time.sleep(0.2)
        assert killed.poll() is None
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    subprocess.run(command("killed", 2), check=True, stderr=subprocess.DEVNULL)
    subprocess.run(command("one", 1), check=True, stderr=subprocess.DEVNULL)
    assert files(tmp_path / "killed") == files(tmp_path / "one")
    assert NEUTRAL_FACES_NAME in files(tmp_path / "one")
