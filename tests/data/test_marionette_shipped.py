"""The clips that ship: enough of each emotion, small enough, whole, and playable without the optional packages."""

import numpy as np
import pytest

from mesm.data.store import Corpus
from mesm.runtime import assets
from mesm.vocabulary import CORPUS_LABELS

FOLDER = assets() / "marionette"
if not (FOLDER / "manifest.json").is_file():
    pytest.skip("the demo clips are not in this checkout", allow_module_level=True)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return Corpus(FOLDER)


def test_there_are_enough_test_clips_of_every_emotion(corpus: Corpus) -> None:
    corpus.verify()
    assert corpus.labels == CORPUS_LABELS["marionette"] and corpus.manifest.complete
    assert len(corpus) == 96 and {row.split for row in corpus.index} == {"test"}
    for name in corpus.labels:
        assert sum((row.labels or {})[name] > 0 for row in corpus.index) >= 16


def test_they_take_at_most_15_megabytes() -> None:
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) <= 15_000_000


def test_every_clip_has_a_preview_faces_sound_and_truth(corpus: Corpus) -> None:
    for sample in corpus.iterate():
        path = corpus.media_path(sample.clip_id)
        assert path is not None and path.stat().st_size > 5_000
        assert sample.face_found.any() and len(sample.mel) >= 5 and sample.words
        truth = sample.truth
        assert truth is not None and set(truth.informative) == {"text", "visual", "acoustic"}
        assert truth.au_region.shape[:2] == (len(sample.faces), len(truth.au_numbers))


def test_the_regions_lie_on_the_detected_faces(corpus: Corpus) -> None:
    """Where MTCNN put the corners of the mouth, the lip corner puller's region is near."""
    near = []
    for clip_id in corpus.ids()[:24]:
        sample = corpus[clip_id]
        assert sample.truth is not None
        region = sample.truth.au_region[:, sample.truth.au_numbers.index(12)]
        for frame in np.flatnonzero(sample.face_found):
            for x, y in sample.face_points[frame, 3:].round().astype(int).clip(2, 45):
                near.append(region[frame, y - 2 : y + 3, x - 2 : x + 3].max() > 127)
    assert np.mean(near) > 0.95
