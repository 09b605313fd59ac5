"""Extract the features of a corpus, modality by modality: the built-in ones, or those of another program."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mesm.batch import Sample
from mesm.data.features.acoustic import egemaps, egemaps_set, mel_features, mel_set
from mesm.data.features.action_units import read_action_units, rendered_action_units, rendered_set
from mesm.data.features.store import FeatureStore, feature_folder, write_features
from mesm.data.features.words import WordVectors, split_words, word_features, word_set
from mesm.data.store import Corpus
from mesm.errors import DataError
from mesm.runtime import Progress
from mesm.vocabulary import EMOTIONS


def write_words(
    corpus: Corpus, folder: str | os.PathLike[str], vectors: WordVectors, source: str, progress: Progress
) -> Path:
    """Write a vector per word of every transcript."""
    texts = {row.clip_id: row.text for row in corpus.index}
    words = sorted({word for text in texts.values() for word in split_words(text)} | set(EMOTIONS))
    known = vectors(words)
    kind = word_set(known, source)
    notes = {"words": 0, "unknown": 0}

    def rows() -> Iterator[tuple[str, np.ndarray]]:
        for number, (clip_id, text) in enumerate(texts.items(), 1):
            values, unknown = word_features(text, known, len(kind.columns))
            notes["words"] += len(values)
            notes["unknown"] += unknown
            yield clip_id, values
            progress(number, len(texts))

    return write_features(folder, kind, rows(), notes)


def write_acoustic(corpus: Corpus, folder: str | os.PathLike[str], progress: Progress, *, smile: bool = False) -> Path:
    """Write the built-in set from the stored spectrogram, or eGeMAPS from the clips' own sound.

    Raises:
        DataError: eGeMAPS is chosen and a clip with sound has no media file in the corpus.
    """
    kind = egemaps_set() if smile else mel_set()
    compute = _egemaps_of(corpus, len(kind.columns)) if smile else mel_features
    return write_features(folder, kind, _each(corpus, compute, progress, full=False))


def write_action_units(
    corpus: Corpus, folder: str | os.PathLike[str], progress: Progress, csv_folder: str | os.PathLike[str] = ""
) -> Path:
    """Write action units per frame: from `<csv_folder>/<clip id>.csv`, else the known ones of rendered clips.

    A clip without a CSV has no frame with action units, and the notes count them; so do frames without a face, and rows
    of other faces than the one with the most frames.

    Raises:
        DataError: the folder has a CSV for no clip, files from two programs are mixed, or there is no folder and the
            clips are not rendered.
    """
    if not csv_folder:
        return write_features(folder, rendered_set(), _each(corpus, rendered_action_units, progress, full=True))
    place = Path(csv_folder)
    first = next((p for row in corpus.index if (p := place / f"{row.clip_id}.csv").is_file()), None)
    if first is None:
        raise DataError(f"{place} has no <clip id>.csv for any clip of corpus {corpus.name!r}; name the files so")
    kind = read_action_units(first).kind
    notes = {"clips_without_csv": 0, "frames_without_face": 0, "rows_of_other_faces": 0}

    def rows() -> Iterator[tuple[str, np.ndarray]]:
        for number, row in enumerate(corpus.index, 1):
            path = place / f"{row.clip_id}.csv"
            values = np.zeros((0, len(kind.columns)), np.float32)
            if path.is_file():
                units = read_action_units(path)
                if units.kind != kind:
                    raise DataError(f"{path} is by {units.kind.source}, {first} by {kind.source}; use one of them")
                values = units.values
                notes["frames_without_face"] += units.without_face
                notes["rows_of_other_faces"] += units.other_faces
            else:
                notes["clips_without_csv"] += 1
            yield row.clip_id, values
            progress(number, len(corpus))

    return write_features(folder, kind, rows(), notes)


def open_features(corpus: Corpus, modalities: Sequence[str], sources: Sequence[str] = ()) -> FeatureStore:
    """Open a corpus's features; with `sources`, check that they are those of a checkpoint's training.

    Raises:
        DataError: they are missing, or computed by something else.
    """
    store = FeatureStore(feature_folder(corpus), modalities)
    for modality, expected in zip(modalities, sources, strict=False):
        if (source := store.kinds[modality].source) != expected:
            raise DataError(
                f"the {modality} features of corpus {corpus.name!r} come from {source}, the checkpoint was trained with "
                f"{expected}; make the same with mesm corpus features"
            )
    return store


def sample_features(
    sample: Sample, kinds: Mapping[str, tuple[str, int]], vectors: WordVectors
) -> dict[str, np.ndarray]:
    """Compute a clip's features without a store, where the built-in extractors make the same columns.

    Args:
        sample: the whole clip, ground truth included.
        kinds: modality -> source and number of columns that the checkpoint was trained with.
        vectors: the bundled encoder's static word vectors.

    Raises:
        DataError: a modality's features came from elsewhere.
    """
    features = {}
    for modality, (source, width) in kinds.items():
        if modality == "acoustic" and source == mel_set().source:
            features[modality] = mel_features(sample)
        elif modality == "visual" and source == rendered_set().source:
            features[modality] = rendered_action_units(sample)
        elif modality == "text" and source.startswith("static"):
            features[modality] = word_features(sample.text, vectors(split_words(sample.text)), width)[0]
        else:
            raise DataError(
                f"the {modality} features of this checkpoint come from {source}; put the clip in a corpus, add its "
                "features with mesm corpus features, and evaluate there"
            )
    return features


def _each(
    corpus: Corpus, compute: Callable[[Sample], np.ndarray], progress: Progress, *, full: bool
) -> Iterator[tuple[str, np.ndarray]]:
    for number, sample in enumerate(corpus.iterate(full=full), 1):
        yield sample.clip_id, compute(sample)
        progress(number, len(corpus))


def _egemaps_of(corpus: Corpus, width: int) -> Callable[[Sample], np.ndarray]:
    from mesm.data.ingest.audio import read_waveform

    def compute(sample: Sample) -> np.ndarray:
        if not len(sample.mel):
            return np.zeros((0, width), np.float32)
        path = corpus.media_path(sample.clip_id)
        waveform: Any = read_waveform(path) if path is not None else None
        if waveform is None:
            raise DataError(
                f"clip {sample.clip_id!r} has no sound file in corpus {corpus.name!r}; use the built-in acoustic features"
            )
        return egemaps(waveform)

    return compute
