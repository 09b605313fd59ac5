"""The detector of action units: it learns, its files are OpenFace's, and none reads the speakers that it was trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mesm.data.action_unit_files import units_of_clips
from mesm.data.atlas import COLUMN
from mesm.data.features.action_units import read_action_units
from mesm.data.store import Corpus, CorpusWriter
from mesm.errors import DataError
from mesm.training import unit_detector
from mesm.training.unit_detector import train_unit_detector, unit_csv, write_units
from tests.training.corpora import LABELS, text_truth, tinted_corpus, tinted_sample


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Faces whose unit 12 is a bright mouth; unit 1 never moves. Four speakers, the last one for the test."""
    folder, rng = tmp_path_factory.mktemp("rendered"), np.random.default_rng(0)
    with CorpusWriter(folder, "rendered", LABELS, capabilities=("action_units",)) as writer:
        for i in range(64):
            sample = tinted_sample(f"clip{i:02d}", np.zeros(6, int), "test" if i % 4 == 3 else "train", rng)
            faces = rng.integers(0, 80, (2, 48, 48, 3), dtype=np.uint8)
            smile = rng.random(2) < 0.5
            faces[smile, 32:42, 14:34] += np.uint8(150)
            moved = np.stack([np.zeros(2), smile], 1).astype(np.float32)
            truth = replace(text_truth(np.zeros(6, int)), au_intensity=moved)
            writer.add(replace(sample, faces=faces, truth=truth, speaker=f"s{i % 4}"))
    return folder


def test_it_learns_and_its_files_are_openfaces(rendered: Path, tmp_path: Path) -> None:
    corpus = Corpus(rendered)
    detector = train_unit_detector(corpus, corpus.ids("train"), epochs=20)
    for clip_id in corpus.ids("test"):
        (tmp_path / f"{clip_id}.csv").write_text(unit_csv(detector, corpus.read(clip_id)))
    units = units_of_clips(tmp_path, corpus, list(corpus.ids("test")))
    read = np.concatenate([units[clip_id] for clip_id in corpus.ids("test")])
    true = np.concatenate([corpus.read(clip_id).truth.au_intensity for clip_id in corpus.ids("test")])  # type: ignore[union-attr]
    assert np.corrcoef(read[:, COLUMN[12]], true[:, 1])[0, 1] > 0.7
    assert np.nanmax(read[:, COLUMN[1]]) < 0.3
    assert read_action_units(tmp_path / f"{corpus.ids('test')[0]}.csv").values.shape == (2, 35)


def test_clips_that_it_was_trained_on_are_read_by_another(
    rendered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, seen = Corpus(rendered), dict[int, set[str]]()
    readers: dict[str, int] = {}

    def train(corpus: Corpus, clip_ids: list[str], seed: int, progress: object) -> unit_detector.UnitDetector:
        detector = unit_detector.UnitDetector((1, 12)).eval()
        seen[id(detector)] = {corpus.row(clip_id).speaker for clip_id in clip_ids}
        kept.append(detector)
        return detector

    def note(detector: unit_detector.UnitDetector, sample: object) -> str:
        readers[sample.clip_id] = id(detector)  # type: ignore[attr-defined]
        return ""

    kept: list[torch.nn.Module] = []
    monkeypatch.setattr(unit_detector, "train_unit_detector", train)
    monkeypatch.setattr(unit_detector, "unit_csv", note)
    assert write_units(corpus, corpus, tmp_path).files == len(corpus) == len(readers)
    for clip_id, reader in readers.items():
        assert corpus.row(clip_id).speaker not in seen[reader], clip_id
        assert seen[reader]
    assert {len(speakers) for speakers in seen.values()} == {1, 2, 3}


def test_a_corpus_without_units_trains_no_detector(rendered: Path, tmp_path: Path) -> None:
    recorded = Corpus(tinted_corpus(tmp_path / "recorded", train=2, valid=1, test=1))
    with pytest.raises(DataError, match="no known action units"):
        write_units(recorded, recorded, tmp_path / "units")
