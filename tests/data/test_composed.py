"""Composed corpora: every modality from a bank's own split, displays as designed, the same bytes again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from mesm.batch import Sample
from mesm.data.composed import Bank, Recipe, compose
from mesm.data.marionette.problem import LABELS
from mesm.data.store import CorpusWriter
from mesm.errors import ConfigError, DataError

NAMES = (*LABELS, "neutral")


def bank(folder: Path, modality: str, splits: Sequence[str] = ("train", "valid", "test")) -> str:
    """Write three clips of each emotion and split; the content of a clip tells emotion and split."""
    rng = np.random.default_rng(0)
    with CorpusWriter(folder, folder.name, NAMES, {"licence": f"of {modality}"}) as writer:
        for split in splits:
            for label in NAMES:
                for number in range(3):
                    name = f"{split}-{label}-{number}"
                    visual, acoustic = modality == "visual", modality == "acoustic"
                    face = np.full((1, 48, 48, 3), 30 * NAMES.index(label), np.uint8)
                    face[:, 20:24, 20:24] = rng.integers(0, 255, (1, 4, 4, 3))
                    writer.add(
                        Sample(
                            name,
                            name if modality == "text" else "",
                            face if visual else face[:0],
                            np.full((4, 128, 32), -NAMES.index(label), np.float16)[: 4 * acoustic],
                            1.6 * acoustic,
                            face_boxes=np.zeros((int(visual), 4), np.float32),
                            face_points=np.full((int(visual), 5, 2), np.nan, np.float32),
                            face_times_s=np.zeros(int(visual), np.float32),
                            face_found=np.ones(int(visual), bool),
                            labels={other: float(other == label) for other in NAMES},
                            speaker=f"{split}-speaker" if acoustic else "",
                            split=split,
                        )
                    )
    return str(folder)


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    names = {"visual": "faces", "acoustic": "voices", "text": "sentences"}
    banks = tuple(Bank(bank(tmp_path / name, modality), modality) for modality, name in names.items())
    return Recipe("mixed", 60, banks, seed=3)


def shown(sample: Sample, modality: str) -> str:
    """Read the emotion back from the content."""
    if modality == "text":
        return sample.text.split("-")[1]
    value = np.median(sample.faces[0]) / 30 if modality == "visual" else -float(sample.mel[0, 0, 0])
    return NAMES[round(float(value))]


def test_each_modality_shows_what_the_design_displays(recipe: Recipe, tmp_path: Path) -> None:
    corpus = compose(recipe, tmp_path / "out", progress=False)
    assert len(corpus) == 60 and corpus.labels == LABELS and corpus.capabilities == ("displays",)
    agreeing = 0
    for sample in corpus.iterate():
        assert sample.truth is not None and sample.labels is not None
        for modality in ("text", "visual", "acoustic"):
            names = list(sample.truth.displays.get(modality, {}))
            assert shown(sample, modality) == (names[0] if names else "neutral")
            if sample.truth.informative[modality] and names:
                assert sample.labels[names[0]] > 0
                agreeing += 1
        assert sample.text.startswith(sample.split) and sample.speaker == f"{sample.split}-speaker"
        assert sample.truth.extra["sources"]["visual"].startswith(sample.split)  # type: ignore[index,call-overload]
    assert agreeing > 40
    assert {source["licence"] for source in corpus.manifest.meta["sources"]} == {"of visual", "of acoustic", "of text"}  # type: ignore[index,union-attr,call-overload]


def test_a_picture_moves_a_little(recipe: Recipe, tmp_path: Path) -> None:
    corpus = compose(recipe, tmp_path / "out", progress=False)
    for sample in corpus.iterate():
        assert len(sample.faces) == 4 == len(sample.face_times_s), "one every half second of the voice"
        steps = np.abs(np.diff(sample.faces.astype(int), axis=0)).mean((1, 2, 3))
        assert steps.max() > 0 and steps.max() < 20


def test_the_same_bytes_again_also_after_an_interruption(recipe: Recipe, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("mesm.data.store.SHARD_CLIPS", 16)
    whole = compose(recipe, tmp_path / "whole", progress=False)
    real, calls = CorpusWriter.add, []

    def failing(self: CorpusWriter, sample: Sample) -> None:
        calls.append(1)
        if len(calls) == 41:
            raise KeyboardInterrupt
        real(self, sample)

    monkeypatch.setattr(CorpusWriter, "add", failing)
    with pytest.raises(KeyboardInterrupt):
        compose(recipe, tmp_path / "again", progress=False)
    monkeypatch.setattr(CorpusWriter, "add", real)
    again = compose(recipe, tmp_path / "again", progress=False)
    assert again.digest == whole.digest and again.ids() == whole.ids()


def test_a_bank_without_a_split_is_one_sentence(recipe: Recipe, tmp_path: Path) -> None:
    short = Bank(bank(tmp_path / "short", "visual", ("train", "valid")), "visual")
    with pytest.raises(DataError, match=r"no visual bank has a test clip of \w+.*add a bank"):
        compose(Recipe("mixed", 60, (short, *recipe.banks[1:])), tmp_path / "out", progress=False)


def test_recipes_are_read_with_folders_beside_them(recipe: Recipe, tmp_path: Path) -> None:
    path = tmp_path / "mixed.toml"
    tables = "".join(f'[[bank]]\ncorpus = "{Path(b.corpus).name}"\nmodality = "{b.modality}"\n' for b in recipe.banks)
    path.write_text(f'name = "mixed"\nclips = 60\nseed = 3\n{tables}')
    assert Recipe.read(path) == recipe
    path.write_text('name = "mixed"\nclips = 60\n')
    with pytest.raises(ConfigError, match="no bank with modality = 'text'"):
        Recipe.read(path)
    path.write_text('name = "mixed"\nclipps = 60\n')
    with pytest.raises(ConfigError, match=r"is no recipe .*clipps"):
        Recipe.read(path)
