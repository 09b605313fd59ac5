"""Read one vector per word, from a GloVe file or any text file of vectors."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from mesm.data.features.store import FeatureSet
from mesm.errors import DataError
from mesm.vocabulary import EMOTIONS

#: Words -> their vectors, those that are known.
WordVectors = Callable[[Sequence[str]], Mapping[str, np.ndarray]]


def split_words(text: str) -> list[str]:
    """Return words as they were written, without punctuation: letters and digits, with apostrophes and hyphens inside."""
    return re.findall(r"\w+(?:['’-]\w+)*", text)


def file_vectors(path: str | os.PathLike[str]) -> tuple[WordVectors, str]:
    """Return a reader of one text file of vectors (a word and its numbers to a line; GloVe, fastText, word2vec's text form).

    Returns:
        The reader, which goes through the file once for all requested words, keeping those alone; and the source's
        name with the digest of the file's first megabyte.

    Raises:
        DataError: the file cannot be read, or its lines do not agree in length.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            digest = hashlib.sha256(file.read(1 << 20)).hexdigest()[:12]
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); give a text file of word vectors") from error

    def read(words: Sequence[str]) -> dict[str, np.ndarray]:
        return _read(path, set(words))

    return read, f"{path.name} ({digest})"


def _read(path: Path, words: set[str]) -> dict[str, np.ndarray]:
    candidates = words | {word.lower() for word in words}
    vectors: dict[str, np.ndarray] = {}
    width = 0
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file):
            cells = line.rstrip().split(" ")
            if number == 0 and len(cells) == 2:
                continue  # "words numbers", the header of fastText and word2vec
            width = width or len(cells) - 1
            # A few words of GloVe 840B hold spaces: the numbers are counted from the end.
            word = " ".join(cells[:-width])
            if word not in candidates or word in vectors:
                continue
            try:
                vectors[word] = np.array(cells[-width:], np.float32)
            except ValueError:
                raise DataError(
                    f"{path}, line {number + 1}: {width} numbers were expected; give a text file with one word and its "
                    "numbers to a line"
                ) from None
    if width < 2:
        raise DataError(f"{path} has no vectors; give a text file with one word and its numbers to a line")
    lower = {word: vectors[word.lower()] for word in words if word not in vectors and word.lower() in vectors}
    return {word: vector for word, vector in (vectors | lower).items() if word in words}


def word_set(vectors: Mapping[str, np.ndarray], source: str) -> FeatureSet:
    """Return the columns of a text set, with the emotions' own vectors.

    Raises:
        DataError: no word is known.
    """
    if not vectors:
        raise DataError(f"none of the corpus's words is in {source}; give vectors of its language")
    width = len(next(iter(vectors.values())))
    emotions = {name: vectors[name].astype(float).tolist() for name in EMOTIONS if name in vectors}
    return FeatureSet("text", tuple(f"v{i:03d}" for i in range(width)), ("",) * width, source, emotions=emotions)


def word_features(text: str, vectors: Mapping[str, np.ndarray], width: int) -> tuple[np.ndarray, int]:
    """Return (words, width) float32, zeros for an unknown word so that the others keep their place; and how many those are."""
    words = split_words(text)
    unknown = np.zeros(width, np.float32)
    rows = [vectors.get(word, unknown) for word in words]
    return np.array(rows, np.float32).reshape(len(words), width), sum(word not in vectors for word in words)
