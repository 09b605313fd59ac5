"""Lead from a number of another page to its clips: a cell of the confusion, a slice, a point of a sweep.

A part of an evaluation stands in the URL of Case studies as `part=confusion/TRUE/TOP`, `part=slice/GROUP/NAME` or
`part=score/EMOTION/BIN`, with the bins of the calibration from 0 to 9.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from mesm.analysis.checkpoints import find_checkpoints
from mesm.data.corpora import find_corpora
from mesm.data.store import IndexRow
from mesm.errors import ConfigError
from mesm.records.base import Record
from mesm.studies.evaluation import breakdown
from mesm.ui import controls, layout, models, state
from mesm.ui.corpora import OpenCorpus
from mesm.ui.models import Model

PART = "part"
_CONFUSION, _SLICE, _SCORE = "confusion", "slice", "score"
_CHOICES = "followed-choices"


def open_confusion(record: Record[Any], opened: OpenCorpus, true: str, top: str) -> None:
    """Leave for Case studies with the clips of one cell of the confusion."""
    _open(record, opened.key, record.data.top_p, f"{_CONFUSION}/{true}/{top}")


def open_slice(record: Record[Any], opened: OpenCorpus, group: str, name: str) -> None:
    """Leave for Case studies with the clips of one slice; `group` and `name` are those of a `Slice`."""
    _open(record, opened.key, record.data.top_p, f"{_SLICE}/{group}/{name}")


def open_bin(record: Record[Any], opened: OpenCorpus, emotion: str, score: float) -> None:
    """Leave for Case studies with the clips whose scores lie in the calibration's bin of a score; "" for any emotion."""
    _open(record, opened.key, record.data.top_p, f"{_SCORE}/{emotion}/{min(int(10 * score), 9)}")


def open_point(record: Record[Any], opened: OpenCorpus | None, top_p: float) -> None:
    """Leave for Case studies with the clips of a sweep at one top-p."""
    corpus = record.provenance.corpus
    if opened is None or not opened.corpus.id.same(corpus):
        _open(record, corpus.name if corpus.name in find_corpora() else corpus.key, top_p)
    else:
        _open(
            record,
            opened.key,
            top_p,
            split=record.data.split if record.data.split in opened.corpus.manifest.splits else "",
        )


def _open(record: Record[Any], corpus: str, top_p: float | None, part: str = "", split: str = "") -> None:
    """Leave for Case studies; the widgets of that page are set there, as the address of a page on show is bound to its own."""
    checkpoint = record.provenance.checkpoint
    for kind, name, known in (("checkpoint", checkpoint, find_checkpoints()), ("corpus", corpus, find_corpora())):
        if name not in known:
            st.warning(f"The {kind} {layout.plain(name)} is not here, so its clips cannot be shown.")
            return
    state.forget("emotion", "clip")
    choices: dict[str, str | float] = {"checkpoint": checkpoint, "corpus": corpus}
    if top_p is not None:
        choices["p"] = min(max(top_p, controls.TOP_P_STEP), 1.0)
    st.session_state[_CHOICES] = choices | ({"split": split} if split else {})
    st.switch_page("pages/case_studies.py", query_params={PART: part} if part else None)


def follow() -> None:
    """Set the widgets of Case studies as the page that led here chose; before any of them is drawn."""
    for name, value in st.session_state.pop(_CHOICES, {}).items():
        st.session_state[name] = value


def part_rows(opened: OpenCorpus, model: Model | None) -> Sequence[IndexRow]:
    """Return the clips of the part in the URL and show its name and size; return all clips without a part."""
    rows, part = opened.corpus.index, st.query_params.get(PART, "")
    if not part:
        return rows
    evaluation = models.find_evaluation(model, opened) if model is not None else None
    kind, first, second = (*part.split("/", 2), "", "")[:3]
    try:
        if evaluation is None or kind not in (_CONFUSION, _SLICE, _SCORE):
            raise ConfigError("it is of no evaluation of this checkpoint on this corpus")
        clips = breakdown.scored_clips(evaluation)
        if kind == _CONFUSION:
            ids = breakdown.confusion_clips(clips, first, second)
            words = f"true label {first}, top label {second}"
        elif kind == _SCORE:
            number = int(second) if second.isdecimal() and len(second) < 3 else -1
            ids = breakdown.bin_clips(clips, first, number)
            words = f"score for {first or 'any emotion'} from {number / 10:g} to {(number + 1) / 10:g}"
        else:
            ids = breakdown.slice_clips(clips, {row.clip_id: row for row in rows}, first, second)
            words = f"{first}: {second}"
    except ConfigError as error:
        st.warning(
            f"The link's part {layout.plain(part)} does not exist: {layout.plain(str(error))}. All clips are shown.",
            icon=":material/link_off:",
        )
        return rows
    chosen = [row for row in rows if row.clip_id in set(ids)]
    with st.container(horizontal=True, vertical_alignment="center"):
        stored = "" if len(chosen) == len(ids) else f", {len(chosen)} of them in this copy of the corpus"
        st.markdown(
            f":material/filter_alt: **{layout.plain(words)}**: {len(ids)} of the {len(clips.ids)} evaluated clips{stored}.",
            width="content",
        )
        st.button("Show all clips", key="leave-part", on_click=_leave)
    return chosen


def _leave() -> None:
    st.query_params.pop(PART, None)
