"""Share checkpoints between all visitors, and keep what they predicted within bounds.

A model is used by one visitor at a time (a lock). Predictions are kept by what they depend on: the digest of the
weights, the clip, top-p, the seed of a re-initialised attention.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from mesm.access import access, computing
from mesm.analysis.checkpoints import CheckpointFacts, read_facts
from mesm.errors import CheckpointError, DataError
from mesm.estimate import counted, decimal_text
from mesm.records.base import Record
from mesm.records.evaluation import Evaluation
from mesm.records.prediction import Prediction
from mesm.sparse import compilation
from mesm.ui.clip_cache import clip_cache
from mesm.ui.corpora import Case, OpenCorpus
from mesm.ui.record_cache import records
from mesm.ui.shipped_predictions import find_shipped_prediction

if TYPE_CHECKING:
    from mesm.analysis.predictor import Predictor, PreparedClip
    from mesm.analysis.what_if import WordEffects
    from mesm.studies.case.label_flip import FlipReport

#: Clips whose p-independent work is kept, per model: a few MB each at full width.
PREPARED_CLIPS = 8
_PENDING = "score-later"
#: Points of WAcc below the whole split from which clips count as harder.
HARDER = 1.0
#: New transcript, None for the clip's own, and the modalities left out.
Change = tuple[str | None, tuple[str, ...]]


@dataclass(frozen=True)
class Verdict:
    """Hold the correctness of a model's decision on a clip, at its own top-p.

    Attributes:
        right: its highest score is one of the clip's emotions, or it decides for nothing where nothing is true.
        score: its highest score.
    """

    right: bool
    score: float


@dataclass(frozen=True)
class Model:
    """Hold a checkpoint that all visitors share; its weights are loaded when something is scored, and torch with them.

    Attributes:
        facts: the content of its small files.
        lock: held while it runs.
    """

    facts: CheckpointFacts
    lock: threading.Lock = field(default_factory=threading.Lock)
    _loading: threading.Lock = field(default_factory=threading.Lock)
    _loaded: list[Predictor] = field(default_factory=list)
    _prepared: OrderedDict[str, PreparedClip] = field(default_factory=OrderedDict)
    _verdicts: dict[str, dict[str, Verdict]] = field(default_factory=dict)

    @property
    def is_loaded(self) -> bool:
        """Return True if the weights are in memory."""
        return bool(self._loaded)

    @property
    def must_compile(self) -> bool:
        """Return True if the next prediction waits for a compilation; only of a model that is loaded."""
        return bool(self._loaded) and self._loaded[0].must_compile

    @property
    def predictor(self) -> Predictor:
        """Return the model with its weights.

        Raises:
            CheckpointError: it cannot be loaded.
        """
        from mesm.analysis.predictor import load  # torch takes seconds to import, and most pages need none

        with self._loading:
            if not self._loaded:
                self._loaded.append(load(self.facts.folder))
            return self._loaded[0]

    def run(self, case: Case, top_p: float, redrawn: int | None = None) -> Prediction:
        """Score a clip with its trace; the work that does not depend on top-p is done once.

        Args:
            redrawn: seed with which the attention's weights are drawn again; None leaves them as they were trained.
        """
        with self.lock:
            clip = self._prepare(case)
            if redrawn is None:
                return self.predictor.run(clip, top_p)
            from mesm.analysis.attention_controls import control_attention

            with control_attention(self.predictor.attention_model, redrawn, "moment_matched"):
                return self.predictor.run(clip, top_p)

    def run_changed(self, case: Case, top_p: float, changes: Sequence[Change]) -> list[Prediction]:
        """Score a clip with each of several changes; its maps are kept."""
        from mesm.analysis.what_if import change_clip

        with self.lock:
            variants = [change_clip(case.sample, *change) for change in changes]
            return self.predictor.run_variants(self._prepare(case), variants, top_p)

    def _prepare(self, case: Case) -> PreparedClip:
        """Return the part of the work that does not depend on top-p; of an own clip it is kept for the visit only."""
        if case.corpus is None:
            return _prepare_own(case, self.facts.sha256, self.predictor)
        clip = self._prepared.pop(case.key, None) or self.predictor.prepare(case.sample)
        self._prepared[case.key] = clip
        if len(self._prepared) > PREPARED_CLIPS:
            self._prepared.popitem(last=False)
        return clip

    def judge(self, opened: OpenCorpus, progress: Callable[[int, int], None]) -> dict[str, Verdict]:
        """Score every clip of a corpus, once; `progress` moves widgets, which `cache_data` would not allow.

        Raises:
            DataError: a public server does not score so many at once.
        """
        from mesm.studies.evaluation.measure import evaluate

        if len(opened.corpus) > access().corpus_clips:
            raise DataError(
                f"{opened.corpus.name} has {counted(len(opened.corpus), 'clip')}, and this public server scores at most "
                f"{access().corpus_clips} at once; choose another filter"
            )
        with computing(), self.lock:
            if opened.digest not in self._verdicts:
                verdicts: dict[str, Verdict] = {}
                clips = len(opened.corpus)
                for split in dict.fromkeys(row.split for row in opened.corpus.index):
                    before = len(verdicts)

                    def advance(done: int, _: int, before: int = before) -> None:
                        progress(before + done, clips)

                    result = evaluate(self.predictor, opened.corpus, split, draws=1, progress=advance)
                    verdicts |= _verdicts_of(result)
                self._verdicts[opened.digest] = verdicts
            return self._verdicts[opened.digest]


@clip_cache(st.cache_resource, max_entries=1)
def _prepare_own(_case: Case, clip: str, checkpoint: str, _predictor: Predictor) -> PreparedClip:
    return _predictor.prepare(_case.sample)


def open_model(folder: Path) -> Model:
    """Return the checkpoint of a folder, read again when its files change.

    Raises:
        CheckpointError: it cannot be read.
    """
    try:
        stamps = tuple(file.stat().st_mtime_ns for file in sorted(folder.iterdir()) if file.is_file())
    except OSError as error:
        raise CheckpointError(f"checkpoint {folder.name} is gone ({error.strerror}); choose another") from error
    return _open_model(str(folder), stamps)


@st.cache_resource(max_entries=3, show_spinner=False)
def _open_model(folder: str, stamps: tuple[int, ...]) -> Model:
    return Model(read_facts(Path(folder)))


def predict(model: Model, case: Case, top_p: float, redrawn: int | None = None) -> Prediction:
    """Return scores, trace and cost of one clip.

    Args:
        redrawn: seed with which the attention's weights are drawn again; None leaves them as they were trained.

    Raises:
        CheckpointError: the weights cannot be loaded.
        DataError: the clip cannot be scored: it has none of the model's modalities.
    """
    if redrawn is None and (shipped := find_shipped_prediction(model.facts, case, top_p)) is not None:
        st.session_state[_PENDING] = (model, case, top_p)
        return shipped
    if not model.is_loaded:
        with st.spinner("Loading the model …"):
            assert model.predictor is not None
    with st.spinner(f"{compilation.SENTENCE} …") if model.must_compile else nullcontext():
        return _predict(case, model.facts.sha256, top_p, redrawn, model)


@clip_cache(st.cache_data, max_entries=48)
@computing()
def _predict(_case: Case, clip: str, checkpoint: str, top_p: float, redrawn: int | None, _model: Model) -> Prediction:
    return _model.run(_case, top_p, redrawn)


def load_later() -> None:
    """Load the weights that this run of a page did not need, and torch with them, now that the page is shown.

    The shipped clip is scored once, so that the first moved slider finds everything in memory.
    """
    pending: tuple[Model, Case, float] | None = st.session_state.pop(_PENDING, None)
    if pending is not None and not pending[0].is_loaded and not pending[0].lock.locked():
        threading.Thread(target=_score_quietly, args=pending, daemon=True).start()


def _score_quietly(model: Model, case: Case, top_p: float) -> None:
    with suppress(CheckpointError, DataError):  # the page that predicts it shows the error
        model.run(case, top_p)


def predict_changed(model: Model, case: Case, top_p: float, text: str | None, without: tuple[str, ...]) -> Prediction:
    """Return the prediction for a clip under another transcript or without modalities; see `change_clip`.

    Raises:
        DataError: nothing is left to score.
    """
    return _predict_changed(case, model.facts.sha256, top_p, text, without, model)


@clip_cache(st.cache_data, max_entries=24, is_own=True)
@computing()
def _predict_changed(
    _case: Case, clip: str, checkpoint: str, top_p: float, text: str | None, without: tuple[str, ...], _model: Model
) -> Prediction:
    return _model.run_changed(_case, top_p, [(text, without)])[0]


def find_word_effects(model: Model, case: Case, top_p: float) -> WordEffects:
    """Return the effect of leaving out each word of a clip; a run of the model per word."""
    return _find_word_effects(case, model.facts.sha256, top_p, model)


@clip_cache(st.cache_data, max_entries=24, show_spinner="Leaving out each word …")
@computing()
def _find_word_effects(_case: Case, clip: str, checkpoint: str, top_p: float, _model: Model) -> WordEffects:
    from mesm.analysis.what_if import leave_one_word_out

    return leave_one_word_out(
        _case.sample.text, lambda texts: _model.run_changed(_case, top_p, [(text, ()) for text in texts])
    )


def find_label_flip(model: Model, case: Case) -> FlipReport:
    """Return the clip's scores over top-p; some thirty runs of the model."""
    return _find_label_flip(case, model.facts.sha256, model)


@clip_cache(st.cache_data, max_entries=64, show_spinner="Scoring the clip at thirty values of p …")
@computing()
def _find_label_flip(_case: Case, clip: str, checkpoint: str, _model: Model) -> FlipReport:
    from mesm.studies.case.label_flip import flip_report

    return flip_report(lambda top_p: _model.run(_case, top_p))


def find_evaluation(model: Model, opened: OpenCorpus) -> Evaluation | None:
    """Return the evaluation of exactly these weights on this corpus, from the workspace or bundled; None without one."""
    record = records().first("evaluate", checkpoint_sha256=model.facts.sha256, corpus=opened.corpus.id)
    return None if record is None else record.data


def note_harder_clips(model: Model, opened: OpenCorpus) -> None:
    """Write a line at the side where an evaluation of more clips than the corpus holds shows that the model does worse on these."""
    data = find_evaluation(model, opened)
    if data is None or data.average.wacc is None or len(opened.corpus) >= data.clips:
        return
    wacc = _wacc_here(model.facts.sha256, opened.digest, data, opened)
    if wacc is not None and wacc < data.average.wacc - HARDER:
        st.sidebar.caption(
            f"These {len(opened.corpus)} clips are harder than the whole {data.split} split: {model.facts.name} reaches "
            f"{decimal_text(wacc, 1)}\u00a0% WAcc on them, {decimal_text(data.average.wacc, 1)}\u00a0% on all {data.clips}."
        )


@st.cache_data(max_entries=32, show_spinner=False)
def _wacc_here(checkpoint: str, corpus: str, _data: Evaluation, _opened: OpenCorpus) -> float | None:
    from mesm.studies.evaluation.breakdown import wacc_of_part

    return wacc_of_part(_data, {row.clip_id for row in _opened.corpus.index})


def find_verdicts(
    model: Model, opened: OpenCorpus, progress: Callable[[int, int], None] | None = None
) -> dict[str, Verdict] | None:
    """Return clip id -> verdict, from the evaluation on record if it has every clip, else computed.

    Args:
        progress: None to read the record only, and return None if it has none of the clips.
    """
    data = find_evaluation(model, opened)
    recorded = {clip: verdict for clip, verdict in _verdicts_of(data).items() if clip in opened.corpus} if data else {}
    if progress is None or len(recorded) == len(opened.corpus):
        return recorded or None
    return model.judge(opened, progress)


def _verdicts_of(evaluation: Evaluation) -> dict[str, Verdict]:
    clips, verdicts = evaluation.per_clip, {}
    for clip, scores, truth in zip(clips.ids, clips.scores, clips.truth, strict=True):
        decided = bool((scores >= evaluation.thresholds).any())
        highest = int(scores.argmax())
        verdicts[clip] = Verdict(bool(truth[highest]) if truth.any() else not decided, float(scores[highest]))
    return verdicts


def note_other_weights(record: Record[Any], model: Model | None) -> None:
    """Write a line where a record was made with other weights than those that now have this name."""
    origin = record.provenance
    if model is None or origin.checkpoint != model.facts.name or not origin.checkpoint_sha256:
        return
    if model.facts.sha256 not in origin.checkpoint_sha256:
        st.caption(
            f":material/info: This record is of other weights of {model.facts.name}; make it again with: "
            f"{origin.command or 'its command'}"
        )
