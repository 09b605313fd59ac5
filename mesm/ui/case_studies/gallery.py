"""Show a strip of clips to choose from: a face and its label each, the open one marked."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import streamlit as st
from PIL import Image

from mesm.batch import Sample
from mesm.data.store import IndexRow
from mesm.estimate import counted
from mesm.studies.case.captions import truth_words
from mesm.ui import state
from mesm.ui.case_studies.filters import Filters, words_of
from mesm.ui.corpora import OpenCorpus
from mesm.ui.layout import plain
from mesm.ui.models import Verdict

#: Clips on the strip at once.
PER_PAGE = 24
#: Side of a face on the strip, and of its file: screens have up to two pixels for one.
FACE_PX, FILE_PX = 72, 112
_MARKS = {None: "", True: "✓ ", False: "✗ "}
_VERDICT_WORDS = {None: "", True: "; top label right", False: "; top label wrong"}
_SEEN = "filters-seen"
_CSS = f"""<style>
.st-key-strip {{ overflow-x: auto; scrollbar-width: thin; padding: 2px 2px 6px; }}
.st-key-strip > * {{ flex: 0 0 auto; }}
.st-key-strip [class*="st-key-open-"] button {{ padding: 2px; min-height: 0; width: {FACE_PX + 8}px; border-width: 2px; }}
.st-key-strip [class*="st-key-open-"] p {{ display: flex; flex-direction: column; align-items: center; gap: 1px; }}
.st-key-strip [class*="st-key-open-"] img {{
  width: {FACE_PX}px; height: {FACE_PX}px; max-height: none; margin: 0; border-radius: 3px;
}}
</style>"""
_scroll = st.components.v2.component(
    "mesm_strip",
    js="""
export default function ({ data }) {
  const open = document.querySelector(`[class*="st-key-open-"] [kind=primary]`);
  const strip = open && open.closest(".st-key-strip");
  if (!strip) return;
  const [box, all] = [open.getBoundingClientRect(), strip.getBoundingClientRect()];
  if (box.left < all.left || box.right > all.right) strip.scrollLeft += box.left - all.left - (all.width - box.width) / 2;
}
""",
)


def current_clip(opened: OpenCorpus, rows: Sequence[IndexRow], filters: Filters) -> str:
    """Return the clip that is open, and keep it in the URL.

    A clip that a link opens stays although the filters exclude it; a filter that is chosen afterwards and excludes it
    opens its own first clip. A link to a clip that the corpus lacks is answered with a sentence.
    """
    linked = state.recall("clip")
    known = linked in opened.corpus
    if linked and not known and linked != state.remembered("clip"):
        st.warning(
            f"{plain(opened.key)} has no clip {plain(linked)}; the first clip is shown.", icon=":material/link_off:"
        )
    choice = (opened.key, filters)
    is_changed = st.session_state.get(_SEEN, choice) != choice
    st.session_state[_SEEN] = choice
    passes = any(row.clip_id == linked for row in rows)
    clip_id = linked if passes or (known and not is_changed) else rows[0].clip_id
    state.remember("clip", clip_id)
    return clip_id


def show_strip(
    opened: OpenCorpus, rows: Sequence[IndexRow], emotion: str, verdicts: Mapping[str, Verdict] | None, current: str
) -> None:
    """Show the part of the clips that holds the open one, each a button with its face; the strip scrolls sideways."""
    st.html(_CSS)
    first = first_shown([row.clip_id for row in rows], current)
    shown = rows[first : first + PER_PAGE]
    with st.container(key="strip", horizontal=True, wrap=False, gap="xsmall", vertical_alignment="center"):
        if first:
            _turn("before", ":material/chevron_left:", rows[first - PER_PAGE].clip_id)
        for row in shown:
            _card(opened, row, emotion, verdicts, row.clip_id == current)
        if first + PER_PAGE < len(rows):
            _turn("after", ":material/chevron_right:", rows[first + PER_PAGE].clip_id)
    _scroll(data=current, key="strip-scroll", height=0)


def first_shown(clip_ids: Sequence[str], current: str) -> int:
    """Return the number of the first clip on the strip that holds the open one; 0 where no strip holds it."""
    return clip_ids.index(current) // PER_PAGE * PER_PAGE if current in clip_ids else 0


def shown_words(clip_ids: Sequence[str], current: str, filters: Filters) -> str:
    """Return the numbers of the clips on the strip and the filters, such as "1–24 of 40 clips: wrong"."""
    first = first_shown(clip_ids, current)
    words = f"{first + 1}–{min(first + PER_PAGE, len(clip_ids))} of {counted(len(clip_ids), 'clip')}"
    if chosen := words_of(filters):
        words += f": {plain(chosen)}"
    return words if current in clip_ids else f"{words}; the open clip is not among them"


def _turn(key: str, icon: str, clip_id: str) -> None:
    st.button(
        "",
        key=f"turn-{key}",
        icon=icon,
        type="tertiary",
        help=f"The {PER_PAGE} clips {key}; opens the first of them.",
        on_click=state.remember,
        args=("clip", clip_id),
    )


def _card(
    opened: OpenCorpus, row: IndexRow, emotion: str, verdicts: Mapping[str, Verdict] | None, is_open: bool
) -> None:
    truth = truth_words(row.labels)
    verdict = (verdicts or {}).get(row.clip_id)
    right = verdict.right if verdict is not None else None
    face = thumbnail(opened.digest, row.clip_id, opened.hides_faces, opened)
    alt = f"{'Open' if is_open else 'Face of'} clip {row.clip_id}"
    st.button(
        f"![{plain(alt)}]({face}) {card_label(row, emotion, right)}",
        key=f"open-{row.clip_id}",
        type="primary" if is_open else "tertiary",
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
def thumbnail(digest: str, clip_id: str, is_hidden: bool, _shelf: OpenCorpus) -> str:
    """Return the face of a clip as a data URL: at the apex if it is known, else in the middle; blurred where it is hidden."""
    out = io.BytesIO()
    face = Image.fromarray(best_face(_shelf.case(clip_id, only_best_face).shown)).resize(
        (FILE_PX, FILE_PX), Image.Resampling.BILINEAR
    )
    face.save(out, "JPEG", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"


def best_face(sample: Sample) -> np.ndarray:
    """Return a (L, L, 3) uint8 face: a detected one, at the apex if it is known; grey for a clip without a picture."""
    one = only_best_face(sample)
    faces = one.faces_large if len(one.faces_large) else one.faces
    return faces[0] if len(faces) else np.full((96, 96, 3), 128, np.uint8)


def only_best_face(sample: Sample) -> Sample:
    """Return the sample with one face, see `best_face`: of the others no close-up needs to be cut."""
    if len(sample.faces) < 2:
        return sample
    at = _best(sample)
    parts = {
        name: getattr(sample, name)[at : at + 1]
        for name in ("faces", "faces_large", "face_times_s", "face_boxes", "face_found")
        if len(getattr(sample, name)) == len(sample.faces)
    }
    return replace(sample, truth=None, **parts)


def _best(sample: Sample) -> int:
    detected = np.flatnonzero(sample.face_found) if len(sample.face_found) == len(sample.faces) else np.arange(0)
    if not len(detected):
        detected = np.arange(len(sample.faces))
    if sample.truth is not None and len(sample.truth.au_emotion_intensity) == len(sample.faces):
        strength = sample.truth.au_emotion_intensity[detected].sum(axis=1)
        return int(detected[int(strength.argmax())])
    return int(detected[len(detected) // 2])
