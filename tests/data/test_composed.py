"""Composed corpora: every modality from a bank's own split, displays as designed, the same bytes again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mesm.batch import Sample
from mesm.data.composed import Bank, Recipe, compose
from mesm.data.marionette.problem import LABELS
from mesm.data.store import CorpusWriter
from mesm.errors import ConfigError, DataError
from tests.training.corpora import LABELS as MOSEI
from tests.training.corpora import text_truth, tinted_sample

NAMES = (*LABELS, "neutral")


def bank(folder: Path, modality: str, splits: Sequence[str] = ("train", "valid", "test"), frames: int = 1) -> str:
    """Write three clips of each emotion and split; the content of a clip tells emotion and split."""
    rng = np.random.default_rng(0)
    with CorpusWriter(folder, folder.name, NAMES, {"licence": f"of {modality}"}) as writer:
        for split in splits:
            for label in NAMES:
                for number in range(3):
                    name = f"{split}-{label}-{number}"
                    visual, acoustic = modality == "visual", modality == "acoustic"
                    face = np.full((frames, 48, 48, 3), 30 * NAMES.index(label), np.uint8)
                    face[:, 20:24, 20:24] = rng.integers(0, 255, (frames, 4, 4, 3))
                    count = frames * visual
                    writer.add(
                        Sample(
                            name,
                            name if modality == "text" else "",
                            face if visual else face[:0],
                            np.full((4, 128, 32), -NAMES.index(label), np.float16)[: 4 * acoustic],
                            1.6 * acoustic,
                            face_boxes=np.zeros((count, 4), np.float32),
                            face_points=np.full((count, 5, 2), np.nan, np.float32),
                            face_times_s=np.arange(count, dtype=np.float32) / 2,
                            face_found=np.ones(count, bool),
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


def test_clips_join_alone_with_their_banks_modality_only(tmp_path: Path) -> None:
    faces = Bank(bank(tmp_path / "faces", "visual", frames=5), "visual", alone=10, frames=3)
    voices = Bank(bank(tmp_path / "voices", "acoustic"), "acoustic", alone=-1)
    corpus = compose(Recipe("alone", 0, (faces, voices)), tmp_path / "out", progress=False)
    assert [row.modalities for row in corpus.index] == [("visual",)] * 10 + [("acoustic",)] * 63
    for sample in corpus.iterate():
        modality = "visual" if len(sample.faces) else "acoustic"
        emotion = shown(sample, modality)
        assert sample.labels == {label: float(label == emotion) for label in LABELS}
        assert sample.truth is not None
        assert sample.truth.displays == {modality: {} if emotion == "neutral" else {emotion: 1.0}}
        assert sample.split in sample.clip_id
        if modality == "visual":
            assert sample.face_times_s.tolist() == [0, 1, 2], "three of five, evenly spaced"
    sources = corpus.manifest.meta["sources"]
    assert [(s["corpus"], s["alone"], s["licence"]) for s in sources] == [  # type: ignore[index,union-attr,call-overload]
        ("faces", 10, "of visual"), ("voices", -1, "of acoustic"),
    ]  # fmt: skip
    again = compose(Recipe("alone", 0, (faces, voices)), tmp_path / "again", progress=False)
    assert again.ids() == corpus.ids() and again.digest == corpus.digest


def test_a_face_that_joins_alone_keeps_the_frames_that_move_most(tmp_path: Path) -> None:
    labels = np.eye(6, dtype=int)[0]
    moving = replace(text_truth(labels), au_emotion_intensity=np.array([[0.0, 0.1], [0.8, 0.1]], np.float32))
    with CorpusWriter(tmp_path / "faces", "faces", MOSEI) as writer:
        writer.add(replace(tinted_sample("a", labels, "train", np.random.default_rng(0)), truth=moving))
    recipe = Recipe("alone", 0, (Bank(str(tmp_path / "faces"), "visual", alone=-1, frames=1),))
    (sample,) = compose(recipe, tmp_path / "out", progress=False).iterate()
    assert sample.face_times_s.tolist() == [0.5] and sample.text == "" and not len(sample.mel)
    assert (
        sample.truth is not None
        and sample.truth.au_emotion_intensity.tolist() == moving.au_emotion_intensity[1:].tolist()
    )


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
