"""What the pages share: models, corpora, scores and pictures, each computed once and kept within bounds.

A model is shared by all visitors and used by one at a time (a lock). Everything else is kept by what it depends on:
the digest of the weights, the digest of the corpus, the clip, top-p, the look.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from mesm import runtime
from mesm.analysis.checkpoints import CheckpointFacts, find_checkpoints, read_facts
from mesm.batch import Sample
from mesm.data.corpora import find_corpora
from mesm.data.ingest.closeups import with_closeups
from mesm.data.manifest import MANIFEST_NAME
from mesm.data.store import Corpus
from mesm.errors import CheckpointError, DataError
from mesm.figures.png import encode_png
from mesm.records.legacy import read_record, record_path
from mesm.records.prediction import LayerTrace, Prediction, Trace
from mesm.studies.case.difference import difference_mosaics
from mesm.studies.case.mosaic import Look, Scene, Strip, draw, face_scene, mel_scene

if TYPE_CHECKING:
    from mesm.analysis.predictor import Predictor, PreparedClip
    from mesm.studies.case.label_flip import FlipReport

#: Clips whose p-independent work is kept, per model: a few MB each at full width.
PREPARED_CLIPS = 8


@dataclass(frozen=True)
class Case:
    """One clip as the pages handle it.

    Attributes:
        key: stands for the clip's arrays and its transcript.
        name: what the page calls it.
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
class Verdict:
    """What a model makes of a clip at its own top-p.

    Attributes:
        right: its strongest score is one of the clip's emotions, or it decides for nothing where nothing is true.
        score: its strongest score.
    """

    right: bool
    score: float


@dataclass(frozen=True)
class Model:
    """A checkpoint that all visitors share; its weights are loaded when something is scored, and torch with them.

    Attributes:
        facts: what is known of it without loading it.
        lock: held while it runs.
    """

    facts: CheckpointFacts
    lock: threading.Lock = field(default_factory=threading.Lock)
    _loading: threading.Lock = field(default_factory=threading.Lock)
    _loaded: list[Predictor] = field(default_factory=list)
    _prepared: OrderedDict[str, PreparedClip] = field(default_factory=OrderedDict)
    _judged: dict[str, dict[str, Verdict]] = field(default_factory=dict)

    @property
    def is_loaded(self) -> bool:
        """Whether its weights are in memory."""
        return bool(self._loaded)

    @property
    def predictor(self) -> Predictor:
        """Ready to run.

        Raises:
            CheckpointError: it cannot be loaded.
        """
        from mesm.analysis.predictor import load  # here: torch takes seconds, and most pages need none

        with self._loading:
            if not self._loaded:
                self._loaded.append(load(self.facts.folder))
            return self._loaded[0]

    def run(self, case: Case, top_p: float, redrawn: int | None = None) -> Prediction:
        """Score a clip with its trace; the work that does not depend on top-p is done once.

        Args:
            redrawn: draw the attention's weights anew with this seed; None leaves them as they were trained.
        """
        with self.lock:
            clip = self._prepared.pop(case.key, None) or self.predictor.prepare(case.sample)
            self._prepared[case.key] = clip
            if len(self._prepared) > PREPARED_CLIPS:
                self._prepared.popitem(last=False)
            if redrawn is None:
                return self.predictor.run(clip, top_p)
            from mesm.studies.faithfulness.interventions import redrawn_attention

            with redrawn_attention(self.predictor.model, redrawn):
                return self.predictor.run(clip, top_p)

    def judge(self, shelf: Shelf, progress: Callable[[int, int], None]) -> dict[str, Verdict]:
        """Score every clip of a corpus, once; `progress` moves widgets, which `cache_data` would not allow."""
        from mesm.studies.evaluation.measure import evaluate

        with self.lock:
            if shelf.digest not in self._judged:
                found: dict[str, Verdict] = {}
                for split in dict.fromkeys(row.split for row in shelf.corpus.index):
                    before = len(found)
                    tell = partial(_tell, progress, before, len(shelf.corpus))
                    found |= _verdicts(evaluate(self.predictor, shelf.corpus, split, draws=1, progress=tell))
                self._judged[shelf.digest] = found
            return self._judged[shelf.digest]


def _tell(progress: Callable[[int, int], None], before: int, all_: int, done: int, _: int) -> None:
    progress(before + done, all_)


@dataclass(frozen=True)
class Shelf:
    """An open corpus and the digest that stands for its content."""

    corpus: Corpus
    digest: str

    def case(self, clip_id: str) -> Case:
        """One of its clips."""
        preview = self.corpus.media_path(clip_id)
        sample = with_closeups(self.corpus[clip_id], preview)
        licence = str(self.corpus.manifest.meta.get("licence", ""))
        return Case(f"{self.digest}/{clip_id}", f"clip {clip_id}", sample, preview, self.corpus.name, licence)


def checkpoints() -> dict[str, Path]:
    """Checkpoint folders by name: the bundled ones, then the workspace's."""
    return find_checkpoints()


def corpora() -> dict[str, Path]:
    """Corpus folders by name: the bundled ones, then the workspace's."""
    return find_corpora((runtime.assets(), runtime.workspace() / "corpora"))


def model(folder: Path) -> Model:
    """The checkpoint of a folder, loaded again when its files change.

    Raises:
        CheckpointError: it cannot be read.
    """
    try:
        stamps = tuple(file.stat().st_mtime_ns for file in sorted(folder.iterdir()) if file.is_file())
    except OSError as error:
        raise CheckpointError(f"checkpoint {folder.name} is gone ({error.strerror}); choose another") from error
    return _model(str(folder), stamps)


@st.cache_resource(max_entries=3, show_spinner=False)
def _model(folder: str, stamps: tuple[int, ...]) -> Model:
    return Model(read_facts(Path(folder)))


def shelf(folder: Path) -> Shelf:
    """The corpus of a folder, opened again when its manifest changes.

    Raises:
        DataError: it cannot be read.
    """
    try:
        digest = hashlib.sha256((folder / MANIFEST_NAME).read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise DataError(f"corpus {folder.name} is gone ({error.strerror}); choose another") from error
    return _shelf(str(folder), digest)


@st.cache_resource(max_entries=4, show_spinner="Opening the corpus …")
def _shelf(folder: str, digest: str) -> Shelf:
    corpus = Corpus(folder)
    len(corpus.index)  # read now, under the spinner
    return Shelf(corpus, digest)


def predict(shared: Model, case: Case, top_p: float, redrawn: int | None = None) -> Prediction:
    """Scores, trace and cost of one clip.

    Args:
        redrawn: with the attention's weights drawn anew from this seed.

    Raises:
        CheckpointError: the weights cannot be loaded.
        DataError: the clip cannot be scored, e.g. MESM without a transcript.
    """
    if not shared.is_loaded:
        with st.spinner("Loading the model …"):
            assert shared.predictor is not None
    return _predict(shared.facts.sha256, case.key, top_p, redrawn, shared, case)


@st.cache_data(max_entries=48, show_spinner=False)
def _predict(checkpoint: str, clip: str, top_p: float, redrawn: int | None, _shared: Model, _case: Case) -> Prediction:
    return _shared.run(_case, top_p, redrawn)


def flips(shared: Model, case: Case) -> FlipReport:
    """The clip's answers over top-p; some thirty runs of the model."""
    return _flips(shared.facts.sha256, case.key, shared, case)


@st.cache_data(max_entries=64, show_spinner="Asking at many p …")
def _flips(checkpoint: str, clip: str, _shared: Model, _case: Case) -> FlipReport:
    from mesm.studies.case.label_flip import flip_report

    return flip_report(lambda top_p: _shared.run(_case, top_p))


def pictures(case: Case, prediction: Prediction | None, source: str, strip: Strip, look: Look) -> tuple[bytes, bytes]:
    """The two mosaics of a clip as PNG: faces, spectrogram.

    Args:
        source: digest of the weights that made the prediction; "" without one.
    """
    trace = prediction.trace if prediction else None
    return _pictures(source, case.key, trace.top_p if trace else 1.0, strip, look, case.sample, trace)


@st.cache_data(max_entries=24, show_spinner=False)
def _pictures(
    source: str, clip: str, top_p: float, strip: Strip, look: Look, _sample: Sample, _trace: Trace | None
) -> tuple[bytes, bytes]:
    layers = _trace.layers if _trace else {}
    faces, sounds = layers.get("visual", ()), layers.get("acoustic", ())
    scenes = _scenes(clip, strip, look, len(faces), len(sounds), _sample)
    with ThreadPoolExecutor(1) as second:  # numpy and zlib let both run at once
        waiting = second.submit(lambda: encode_png(draw(scenes[0], faces)))
        sound_png = encode_png(draw(scenes[1], sounds))
        return waiting.result(), sound_png


@st.cache_resource(max_entries=4, show_spinner=False)
def _scenes(clip: str, strip: Strip, look: Look, faces: int, sounds: int, _sample: Sample) -> tuple[Scene, Scene]:
    return face_scene(_sample, strip, look, faces), mel_scene(_sample, strip, look, sounds)


def difference_pictures(
    case: Case,
    first: dict[str, tuple[LayerTrace, ...]],
    second: dict[str, tuple[LayerTrace, ...]],
    strip: Strip,
    look: Look,
) -> tuple[bytes, bytes]:
    """Two traces of a clip over each other, as PNG: faces, spectrogram."""
    faces, sounds = difference_mosaics(case.sample, first, second, strip, look)
    return encode_png(faces), encode_png(sounds)


def evaluation(shared: Model, shelf: Shelf) -> dict[str, Any] | None:
    """The evaluation of these very weights on this corpus, bundled or in the workspace; None if there is none."""
    for folder in (runtime.workspace() / "records", runtime.assets() / "records"):
        path = record_path(folder, "evaluate", shared.facts.name, shelf.corpus.name)
        if path.is_file():
            record = _record(str(path), path.stat().st_mtime_ns)
            if record["provenance"].get("checkpoint_sha256") == shared.facts.sha256:
                return record["data"]
    return None


@st.cache_data(max_entries=16, show_spinner=False)
def _record(path: str, stamp: int) -> dict[str, Any]:
    return read_record(path)


def verdicts(
    shared: Model, shelf: Shelf, progress: Callable[[int, int], None] | None = None
) -> dict[str, Verdict] | None:
    """Clip id -> what the model makes of it.

    From the evaluation on record if it has every clip, else computed.

    Args:
        progress: None to look into the record only, and return None if it does not know any of the clips.
    """
    data = evaluation(shared, shelf)
    found = {clip: verdict for clip, verdict in _verdicts(data).items() if clip in shelf.corpus} if data else {}
    if progress is None or len(found) == len(shelf.corpus):
        return found or None
    return shared.judge(shelf, progress)


def _verdicts(data: dict[str, Any]) -> dict[str, Verdict]:
    """From an evaluation's rows per clip."""
    rows = data["per_clip"]
    found = {}
    for clip, scores, truth in zip(rows["id"], rows["scores"], rows["truth"], strict=True):
        decided = any(score >= threshold for score, threshold in zip(scores, data["thresholds"], strict=True))
        highest = max(scores)
        found[clip] = Verdict(bool(truth[scores.index(highest)]) if any(truth) else not decided, highest)
    return found


def digest_of(*parts: bytes | str | float | None) -> str:
    """A key for content that has no name of its own."""
    return hashlib.sha256(json.dumps([hashlib.sha256(_bytes(p)).hexdigest() for p in parts]).encode()).hexdigest()[:24]


def _bytes(part: bytes | str | float | None) -> bytes:
    return part if isinstance(part, bytes) else repr(part).encode()
