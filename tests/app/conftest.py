"""A workspace with two tiny checkpoints of random weights and a corpus of noise; the bundled assets left out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st

from mesm.batch import Sample, Truth
from mesm.config import MESMConfig
from mesm.data.store import CorpusWriter
from mesm.records.checkpoint import CheckpointMetrics
from mesm.vocabulary import CORPUS_LABELS
from tests.app.browser import launched, served

LABELS = CORPUS_LABELS["marionette"]
CLIPS = 20
TINY = MESMConfig(width=0.125, head_dim=32, transformer_dim=16, transformer_layers=1, transformer_feedforward=32)


def make_sample(number: int) -> Sample:
    """Clip `number`: emotion and speaker follow from it; every fifth has a frame without a face, one is silent."""
    rng = np.random.default_rng(number)
    frames, chunks = 3 + number % 6, 0 if number == 7 else 4 + number % 7
    emotion = LABELS[number % 6]
    found = np.ones(frames, bool)
    found[1] = number % 5 != 0
    return Sample(
        f"clip{number:02d}",
        f"line {number} is said with {emotion} and * no [markup](x)",
        rng.integers(0, 256, (frames, 48, 48, 3), dtype=np.uint8),
        rng.normal(-3, 1, (chunks, 128, 32)).astype(np.float16),
        duration_s=frames / 2,
        face_times_s=np.arange(frames, dtype=np.float32) / 2,
        face_found=found,
        labels={name: 2.0 if name == emotion else 0.0 for name in LABELS},
        speaker=f"speaker{number % 3}",
        split="test",
        quality=("no_audio",) if chunks == 0 else () if found[1] else ("some_faces_missing",),
        truth=make_truth(frames, rng),
    )


def make_truth(frames: int, rng: np.random.Generator) -> Truth:
    """Two action units, one of which the emotion moves."""
    intensity = np.tile(np.array([0.9, 0.4], np.float32), (frames, 1))
    return Truth(
        au_numbers=(12, 26),
        au_intensity=intensity,
        au_emotion_intensity=intensity * np.array([1, 0], np.float32),
        au_region=rng.integers(0, 256, (frames, 2, 48, 48), dtype=np.uint8),
        head=np.full((frames, 48, 48), 255, np.uint8),
        landmarks=np.zeros((frames, 68, 2), np.float32),
        pose=np.zeros((frames, 3), np.float32),
        informative={"text": True, "visual": True, "acoustic": False},
    )


def fill(home: Path) -> Path:
    """Put checkpoints/ and corpora/ into `home`."""
    import torch

    from mesm.models.checkpoint import save_checkpoint
    from mesm.models.registry import build_model

    for name in ("mesm", "fe2e"):
        torch.manual_seed(0)
        config = TINY.as_model(name)
        trained_on, capabilities = ("marionette", ("regions",)) if name == "mesm" else ("mosei", ())
        metrics = CheckpointMetrics(thresholds=(0.5,) * 6, trained_on=trained_on, trained_on_capabilities=capabilities)
        save_checkpoint(
            home / "checkpoints" / f"tiny-{name}", build_model(config), metrics, "random weights, for tests"
        )
    with CorpusWriter(home / "corpora" / "noise", "noise", LABELS, shard_clips=8) as writer:
        for number in range(CLIPS):
            writer.add(make_sample(number))
    return home


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("home"))


@pytest.fixture
def no_assets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only the workspace's checkpoints and corpora are there."""
    empty = tmp_path / "no-assets"
    for module in ("mesm.runtime", "mesm.analysis.checkpoints", "mesm.data.corpora", "mesm.ui.frame"):
        monkeypatch.setattr(f"{module}.assets", lambda: empty)


@pytest.fixture
def home(filled: Path, monkeypatch: pytest.MonkeyPatch, no_assets: None) -> Iterator[Path]:
    monkeypatch.setenv("MESM_HOME", str(filled))
    yield filled
    st.cache_data.clear()


@pytest.fixture
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_assets: None) -> Path:
    monkeypatch.setenv("MESM_HOME", str(tmp_path / "nothing"))
    return tmp_path / "nothing"


@pytest.fixture
def broken_home(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_assets: None) -> Path:
    """A checkpoint whose weights are cut off, a corpus whose shard is gone."""
    home = tmp_path / "broken"
    for name, content in (("model.safetensors", b"cut off"), ("config.json", json.dumps(TINY.to_dict()).encode())):
        path = home / "checkpoints" / "cut" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    corpus = home / "corpora" / "noise"
    corpus.mkdir(parents=True)
    (corpus / "manifest.json").write_bytes((filled / "corpora" / "noise" / "manifest.json").read_bytes())
    monkeypatch.setenv("MESM_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """One headless browser; every test opens its own visit."""
    with launched() as browser:
        yield browser


@pytest.fixture(scope="session")
def address(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server whose workspace is a copy of the tests', beside the bundled assets."""
    place = tmp_path_factory.mktemp("server")
    for folder in ("checkpoints", "corpora"):
        shutil.copytree(filled / folder, place / "home" / folder)
    with served(place / "home", place / "log") as found:
        yield found
