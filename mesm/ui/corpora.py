"""Open corpora once for all visitors, and hand out their clips."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from mesm.batch import Sample
from mesm.data.corpora import find_corpora
from mesm.data.ingest.closeups import with_closeups
from mesm.data.manifest import MANIFEST_NAME
from mesm.data.store import Corpus
from mesm.errors import DataError


@dataclass(frozen=True)
class Case:
    """One clip as the pages handle it.

    Attributes:
        key: stands for the clip's arrays and its transcript.
        name: shown on the page.
        preview: a file or its bytes, playable in a browser; None if there is none.
        corpus: name of the corpus that it is from; "" for a visitor's own.
        licence: of that corpus; "" if not known.
    """

    key: str
    name: str
    sample: Sample
    preview: Path | bytes | None = None
    corpus: str = ""
    licence: str = ""


@dataclass(frozen=True)
class OpenCorpus:
    """An open corpus and the digest that stands for its content."""

    corpus: Corpus
    digest: str

    def case(self, clip_id: str) -> Case:
        """Return one of its clips, with close-ups of the faces where its preview allows them."""
        preview = self.corpus.media_path(clip_id)
        sample = with_closeups(self.corpus[clip_id], preview)
        licence = str(self.corpus.manifest.meta.get("licence", ""))
        return Case(f"{self.digest}/{clip_id}", f"clip {clip_id}", sample, preview, self.corpus.name, licence)


def list_corpora() -> dict[str, Path]:
    """Return the folders of all corpora by their keys: the bundled ones, then the workspace's."""
    return find_corpora()


def open_corpus_cached(folder: Path) -> OpenCorpus:
    """Open the corpus of a folder; again when its manifest changes.

    Raises:
        DataError: it cannot be read.
    """
    try:
        digest = hashlib.sha256((folder / MANIFEST_NAME).read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise DataError(f"corpus {folder.name} is gone ({error.strerror}); choose another") from error
    return _open(str(folder), digest)


@st.cache_resource(max_entries=4, show_spinner="Opening the corpus …")
def _open(folder: str, digest: str) -> OpenCorpus:
    corpus = Corpus(folder)
    len(corpus.index)  # read now, under the spinner
    return OpenCorpus(corpus, digest)
