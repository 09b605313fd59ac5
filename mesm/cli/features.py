"""`mesm corpus features`: extract the hand-crafted features of a corpus, for the two-phase baselines."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `mesm corpus features`."""
    parser.description = (
        "Word vectors, action units and acoustic features of every clip, with named columns, beside the corpus. Without "
        "options: static word vectors of the bundled text encoder, the known action units of rendered clips with a "
        "detector's noise, and Bark energies and cepstra of the stored spectrogram."
    )
    parser.add_argument("folder", metavar="CORPUS", help="name or folder of a corpus")
    parser.add_argument("--vectors", metavar="FILE", help="text file of word vectors, such as glove.840B.300d.txt")
    parser.add_argument("--action-units", metavar="DIR", default="", help="<clip id>.csv of OpenFace or py-feat")
    parser.add_argument("--acoustic", choices=["mel", "egemaps"], default="mel", help="default: mel")
    parser.add_argument("--authors", metavar="DIR", help="take all from IEMOCAP_HCF_FEATURES or MOSEI_HCF_FEATURES")
    parser.add_argument(
        "--only", choices=["text", "visual", "acoustic"], help="compute one modality; keep the others as stored"
    )
    parser.add_argument("--out", metavar="DIR", help="folder of the features; default: beside the corpus")


def run(arguments: argparse.Namespace) -> int:
    """Extract the features and print what was written."""
    from mesm.data.corpora import open_corpus
    from mesm.data.features.authors import import_features
    from mesm.data.features.store import FeatureStore, feature_folder

    corpus = open_corpus(arguments.folder)
    folder = Path(arguments.out) if arguments.out else feature_folder(corpus)
    if arguments.authors:
        modalities = [path.name for path in import_features(corpus, arguments.authors, folder)]
    else:
        modalities = [arguments.only] if arguments.only else ["text", "visual", "acoustic"]
        extract(
            corpus,
            folder,
            modalities,
            vectors=arguments.vectors or "",
            action_units=arguments.action_units,
            smile=arguments.acoustic == "egemaps",
        )
    store = FeatureStore(folder, modalities)
    for modality, kind in store.kinds.items():
        notes = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in store.notes[modality].items())
        print(f"{modality:9} {len(kind.columns):4} columns  {kind.source}{f'; {notes}' if notes else ''}")
    print(folder)
    return 0


def extract(
    corpus: Any, folder: Path, modalities: list[str], *, vectors: str = "", action_units: str = "", smile: bool = False
) -> None:
    """Write the features of some modalities, with a bar for each."""
    from tqdm import tqdm

    from mesm.config import ModelConfig
    from mesm.data.features.extract import write_acoustic, write_action_units, write_words
    from mesm.data.features.words import file_vectors
    from mesm.layers.text import TextEncoder

    for modality in modalities:
        with tqdm(total=len(corpus), desc=modality, unit="clip", leave=False) as bar:

            def update_bar(done: int, _: int, bar: Any = bar) -> None:
                bar.update(done - bar.n)

            if modality == "text":
                encoder = None if vectors else TextEncoder(ModelConfig())
                reader, source = (
                    file_vectors(vectors) if encoder is None else (encoder.word_vectors, encoder.word_source)
                )
                write_words(corpus, folder, reader, source, update_bar)
            elif modality == "visual":
                write_action_units(corpus, folder, update_bar, action_units)
            else:
                write_acoustic(corpus, folder, update_bar, smile=smile)
