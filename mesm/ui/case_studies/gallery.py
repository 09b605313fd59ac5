"""Show a page of clips to choose from: a face and its label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st

from mesm.batch import Sample
from mesm.data.store import IndexRow
from mesm.figures.png import encode_png
from mesm.studies.case.captions import truth_words
from mesm.ui import layout, state
from mesm.ui.corpora import OpenCorpus
from mesm.ui.layout import plain
from mesm.ui.models import Verdict

COLUMNS, ROWS = 7, 2
_MARKS = {None: "", True: "✓ ", False: "✗ "}
_VERDICT_WORDS = {None: "", True: "; top label right", False: "; top label wrong"}


def choose_clip(
    opened: OpenCorpus, rows: Sequence[IndexRow], emotion: str, verdicts: Mapping[str, Verdict] | None
) -> str:
    """Show a page of the clips; return the one that is open, chosen here or by the link."""
    per_page = COLUMNS * ROWS
    pages = max(1, -(-len(rows) // per_page))
    count, pager = st.columns([1, 2], vertical_alignment="center")
    with pager:
        number = st.pagination(pages, key="page", bind="query-params") if pages > 1 else 1
    first = (min(number, pages) - 1) * per_page
    shown = rows[first : first + per_page]
    with count:
        st.markdown(f"{first + 1}–{first + len(shown)} of {len(rows)} clips")
    linked = state.recall("clip")
    current = linked if linked in opened.corpus else shown[0].clip_id
    if linked and linked != current:
        st.warning(
            f"{opened.key} has no clip {layout.plain(linked)}; the first clip is shown.", icon=":material/link_off:"
        )
    if verdicts is not None:
        st.caption(
            f"Under each face: {emotion or 'the strongest true label'}. ✓: the top label of the model is true, ✗: it is not."
        )
    for start in range(0, len(shown), COLUMNS):
        for column, row in zip(st.columns(COLUMNS), shown[start : start + COLUMNS], strict=False):
            with column:
                _card(opened, row, emotion, verdicts, row.clip_id == current)
    return current


def _card(
    opened: OpenCorpus, row: IndexRow, emotion: str, verdicts: Mapping[str, Verdict] | None, is_open: bool
) -> None:
    truth = truth_words(row.labels)
    face = thumbnail(opened.digest, row.clip_id, opened.hides_faces, opened)
    st.image(face, width="stretch", output_format="PNG", alt=f"Face of clip {row.clip_id}: {truth}")
    verdict = (verdicts or {}).get(row.clip_id)
    right = verdict.right if verdict is not None else None
    st.button(
        card_label(row, emotion, right),
        key=f"open-{row.clip_id}",
        type="primary" if is_open else "secondary",
        width="stretch",
        help=f"{plain(row.text)} ({truth}{_VERDICT_WORDS[right]})",
        on_click=state.remember,
        args=("clip", row.clip_id),
    )


def card_label(row: IndexRow, emotion: str, right: bool | None) -> str:
    """Return the chosen emotion, or else the strongest true one, after a mark if the verdict is known."""
    strongest = max(row.present, key=lambda name: (row.labels or {})[name], default="")
    label = emotion if emotion in row.present else strongest or ("none" if row.labels is not None else row.clip_id)
    return f":small[{_MARKS[right]}{plain(label)}]"


@st.cache_data(max_entries=400, show_spinner=False)
def thumbnail(digest: str, clip_id: str, is_hidden: bool, _shelf: OpenCorpus) -> bytes:
    """Return the face of a clip as PNG: at the apex if it is known, else in the middle; blurred where it is hidden."""
    return encode_png(best_face(_shelf.case(clip_id).shown))


def best_face(sample: Sample) -> np.ndarray:
    """Return a (L, L, 3) uint8 face: a detected one, at the apex if it is known; grey for a clip without a picture."""
    faces = sample.faces_large if len(sample.faces_large) == len(sample.faces) else sample.faces
    if not len(faces):
        return np.full((96, 96, 3), 128, np.uint8)
    detected = np.flatnonzero(sample.face_found) if len(sample.face_found) == len(faces) else np.arange(len(faces))
    if not len(detected):
        detected = np.arange(len(faces))
    if sample.truth is not None and len(sample.truth.au_emotion_intensity) == len(faces):
        strength = sample.truth.au_emotion_intensity[detected].sum(axis=1)
        return faces[detected[int(strength.argmax())]]
    return faces[detected[len(detected) // 2]]
