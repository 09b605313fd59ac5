"""Open corpora once for all visitors, and hand out their clips."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from mesm.access import access
from mesm.analysis.checkpoints import CheckpointFacts
from mesm.analysis.provenance import clip_origin
from mesm.batch import Sample
from mesm.data.corpora import find_corpora, find_damaged_corpora
from mesm.data.ingest.closeups import with_closeups
from mesm.data.manifest import MANIFEST_NAME
from mesm.data.store import Corpus
from mesm.errors import DataError
from mesm.figures.privacy import default_privacy, private_faces
from mesm.json_form import Json
from mesm.records.base import CorpusId

#: Environment variable of a server whose owner may show the faces of every corpus.
SHOW_FACES = "MESM_SHOW_FACES"
_LOCAL = ("localhost", "127.0.0.1", "::1", "")


@dataclass(frozen=True)
class Case:
    """Hold one clip in the form that the pages use.

    Attributes:
        key: identifies the clip's arrays and its transcript.
        name: shown on the page.
        preview: a file or its bytes, playable in a browser; None if there is none.
        corpus: the corpus that it is from; None for an uploaded clip.
        licence: of that corpus; "" if not known.
        corpus_key: opens the corpus in a link and on the command line; of an uploaded clip, after `ingest`.
        ingest: command that makes a corpus of an uploaded clip; "" for a clip of a corpus.
    """

    key: str
    name: str
    sample: Sample
    preview: Path | bytes | None = None
    corpus: CorpusId | None = None
    licence: str = ""
    corpus_key: str = ""
    ingest: str = ""

    @property
    def privacy(self) -> str:
        """Return how its faces are printed: blurred unless the corpus's licence allows publishing them."""
        return default_privacy(self.licence)

    def origin(self, checkpoint: CheckpointFacts) -> dict[str, Json]:
        """Return the sources of a figure of this clip with a checkpoint."""
        origin = clip_origin(checkpoint, self.corpus, self.licence, self.corpus_key)
        return origin | ({"ingest": self.ingest} if self.ingest else {})

    @cached_property
    def shown(self) -> Sample:
        """Return the sample as pages draw it: with its faces blurred where they must not be seen."""
        return private_faces(self.sample, "blur") if hides_faces(self.licence) else self.sample


def hides_faces(licence: str) -> bool:
    """Return whether the faces of a clip are hidden: on a server that others reach, unless its licence is CC0.

    MESM_SHOW_FACES=1 in the server's environment shows them to everybody.
    """
    return default_privacy(licence) != "none" and is_public() and os.environ.get(SHOW_FACES) != "1"


def is_public() -> bool:
    """Return whether other machines reach this server: by its mode, its own address, or that in the visitor's browser."""
    if access().is_public:
        return True
    hosts = {str(st.get_option("server.address") or "").lower()}
    if get_script_run_ctx() is not None and st.context.url:
        hosts.add((urlsplit(st.context.url).hostname or "").lower())
    return not all(host in _LOCAL for host in hosts)


@dataclass(frozen=True)
class OpenCorpus:
    """Hold an open corpus.

    Attributes:
        digest: of its manifest's file, which changes with its content.
        key: opens it in a link and on the command line.
    """

    corpus: Corpus
    digest: str
    key: str

    @property
    def identity(self) -> CorpusId:
        """Name and digest, as records and figures have them."""
        return CorpusId(self.corpus.name, self.corpus.digest)

    @property
    def licence(self) -> str:
        """Return the licence of its faces; "" if not known."""
        return str(self.corpus.manifest.meta.get("licence", ""))

    @property
    def hides_faces(self) -> bool:
        """Return whether its faces are blurred on the pages."""
        return hides_faces(self.licence)

    def case(self, clip_id: str, part: Callable[[Sample], Sample] = lambda sample: sample) -> Case:
        """Return one of its clips, with close-ups of the faces where its preview allows them.

        Args:
            part: returns the part of the clip that is shown.
        """
        preview = self.corpus.media_path(clip_id)
        sample = with_closeups(part(self.corpus[clip_id]), preview)
        shown = None if self.hides_faces else preview
        return Case(f"{self.digest}/{clip_id}", f"clip {clip_id}", sample, shown, self.identity, self.licence, self.key)


def open_corpus_cached(key: str) -> OpenCorpus:
    """Open the corpus of a key of `find_corpora`; again when its manifest changes.

    Raises:
        DataError: there is no such corpus, or it cannot be read.
    """
    folder = find_corpora().get(key)
    if folder is None:
        if key in (damaged := find_damaged_corpora()):
            raise damaged[key]
        raise DataError(f"the corpus {key} is neither bundled nor in this workspace")
    try:
        digest = hashlib.sha256((folder / MANIFEST_NAME).read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise DataError(f"corpus {folder.name} is gone ({error.strerror}); choose another") from error
    return _open(str(folder), digest, key)


@st.cache_resource(max_entries=4, show_spinner="Opening the corpus …")
def _open(folder: str, digest: str, key: str) -> OpenCorpus:
    corpus = Corpus(folder)
    len(corpus.index)  # read now, under the spinner
    return OpenCorpus(corpus, digest, key)
