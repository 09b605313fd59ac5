"""The door to truth beyond the labels opens by capability, not by a corpus's name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mesm.data.known_truth import (
    NeutralFaceSet,
    emotion_prototypes,
    observer_scores,
    read_neutral_faces,
    render_neutral_faces,
)
from mesm.data.manifest import NEUTRAL_FACES_NAME
from mesm.data.store import Corpus, CorpusWriter
from mesm.vocabulary import CAPABILITIES, CORPUS_LABELS
from tests.data.made_samples import make_sample

LABELS = CORPUS_LABELS["mosei"]


def corpus(folder: Path, capabilities: tuple[str, ...], name: str = "mine") -> Corpus:
    with CorpusWriter(folder, name, LABELS, capabilities=capabilities) as writer:
        writer.add(make_sample())
    return Corpus(folder)


def faces(count: int) -> NeutralFaceSet:
    rng = np.random.default_rng(count)
    sizes = {"image": (48, 48, 3), "region": (6, 48, 48), "head": (48, 48)}
    pixels = {name: rng.integers(0, 256, (count, *size), dtype=np.uint8) for name, size in sizes.items()}
    return NeutralFaceSet(**pixels, speaker=np.array(["s"] * count))


def test_a_corpus_named_marionette_knows_nothing_by_its_name(tmp_path: Path) -> None:
    recorded = corpus(tmp_path, (), "marionette")
    assert emotion_prototypes(recorded) == {}
    assert observer_scores(recorded, 10) is None
    assert render_neutral_faces(recorded, 2, 1) is None


def test_prototypes_come_with_the_action_units(tmp_path: Path) -> None:
    prototypes = emotion_prototypes(corpus(tmp_path, ("action_units",)))
    assert set(prototypes) == set(LABELS)
    assert {6, 12} <= set(prototypes["happiness"]) and 4 in prototypes["anger"]


def test_scores_of_an_unknown_generator_are_not_computed(tmp_path: Path) -> None:
    with CorpusWriter(tmp_path, "made", LABELS, {"generator": "other"}, capabilities=CAPABILITIES) as writer:
        writer.add(make_sample())
    assert observer_scores(Corpus(tmp_path), 10) is None


def test_neutral_faces_are_a_file_and_a_capability(tmp_path: Path) -> None:
    written = NeutralFaceSet.concatenate([faces(2), faces(3)])
    for name, capabilities in (("with", ("neutral_faces",)), ("without", ())):
        known = corpus(tmp_path / name, capabilities)
        assert read_neutral_faces(known) is None, "no file yet"
        np.savez(tmp_path / name / NEUTRAL_FACES_NAME, **vars(written))
    stored = read_neutral_faces(Corpus(tmp_path / "with"))
    assert stored is not None and read_neutral_faces(Corpus(tmp_path / "without")) is None
    for name, array in vars(written).items():
        np.testing.assert_array_equal(vars(stored)[name], array)


@pytest.mark.parametrize("package", ["training", "analysis", "studies", "models", "ui"])
def test_no_other_package_imports_the_generator(package: str) -> None:
    import mesm

    folder = Path(mesm.__file__).parent / package
    importers = [path for path in folder.rglob("*.py") if "mesm.data.marionette" in path.read_text()]
    assert not importers, "use mesm.data.known_truth"
