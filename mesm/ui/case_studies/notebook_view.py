"""Starring a case, writing beside it, and the notebook under the gallery."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import streamlit as st

from mesm.analysis.checkpoints import find_checkpoints
from mesm.errors import MesmError
from mesm.figures.privacy import default_privacy, private_faces
from mesm.studies.case.mosaic import Look, fit_strip
from mesm.ui import clip_pictures, layout, models, state
from mesm.ui.case_studies import notebook, notebook_export
from mesm.ui.case_studies.notebook import Entry
from mesm.ui.case_studies.notebook_export import Leaf
from mesm.ui.corpora import Case, list_corpora, open_corpus_cached
from mesm.ui.models import Model

#: What may be done to the faces in the files; the first leaves it to each corpus's licence.
BY_LICENCE = "by licence"
FACES = {BY_LICENCE: BY_LICENCE, "blurred": "blur", "sketched": "sketch", "as they are": "none"}


def star(case: Case, model: Model, top_p: float) -> None:
    """A star and a note for a case of a corpus; a visitor's own clip is not kept, so it has none."""
    if not case.corpus:
        return
    entry = Entry(case.corpus, case.sample.clip_id, model.facts.name, top_p)
    with layout.one_sentence_errors():
        known = notebook.read().get(entry.key)
        left, right = st.columns([1, 3.4], vertical_alignment="top")
        with left:
            if st.button(
                "Starred" if known else "Star",
                key="star",
                icon=":material/star:" if known else ":material/star_border:",
                type="primary" if known else "secondary",
                help="Keep this case in the notebook of this workspace.",
            ):
                if known:
                    notebook.drop(entry.key)
                else:
                    notebook.put(entry)
                st.rerun()
        if known is not None:
            with right:
                st.text_area(
                    "Note",
                    known.note,
                    height="content",
                    max_chars=notebook.NOTE_LETTERS,
                    key=_note_key(known),
                    label_visibility="collapsed",
                    placeholder="A note on this case",
                    on_change=_write_note,
                    args=(known,),
                )


def _note_key(entry: Entry) -> str:
    return f"note-{'/'.join(entry.key)}"


def _write_note(entry: Entry) -> None:
    known = notebook.read().get(entry.key, entry)
    note = str(st.session_state.get(_note_key(entry), ""))
    notebook.put(Entry(known.corpus, known.clip_id, known.checkpoint, known.top_p, note))


def show() -> None:
    """The starred cases, each a button that opens it, and the whole as a file."""
    with layout.one_sentence_errors():
        entries = list(notebook.read().values())
        if not entries:
            return
        with st.expander(f"Notebook: {len(entries)} starred", icon=":material/star:", key="notebook"):
            for number, entry in enumerate(entries):
                st.button(
                    f"{layout.plain(entry.clip_id)} · {layout.plain(entry.checkpoint)} · p = {entry.top_p:g}"
                    + (f" · {layout.plain(entry.note[:60])}" if entry.note else ""),
                    key=f"case-{number}",
                    type="tertiary",
                    on_click=_open,
                    args=(entry,),
                )
            faces = st.segmented_control(
                "Faces in the files",
                list(FACES),
                default=BY_LICENCE,
                required=True,
                key="notebook-faces",
                help="By licence: blurred unless the corpus's licence lets its faces be published.",
            )
            privacy = FACES[faces or BY_LICENCE]
            with st.container(horizontal=True):
                for label, name, mime, write in (
                    ("HTML", "notebook.html", "text/html", notebook_export.as_html),
                    ("Markdown", "notebook.md", "text/markdown", notebook_export.as_markdown),
                ):
                    _download(label, name, mime, partial(file_of, entries, write, privacy))
            st.caption("Each file holds everything it shows: pictures, transcripts, your notes.")


def _download(label: str, name: str, mime: str, make: Callable[[], bytes]) -> None:
    st.download_button(label, make, name, mime, key=name, icon=":material/download:", on_click="ignore")


def _open(entry: Entry) -> None:
    """Every choice of the view as it was; the gallery's filters are left alone."""
    st.session_state["checkpoint"], st.session_state["corpus"] = entry.checkpoint, entry.corpus
    st.session_state["p"] = entry.top_p
    state.remember("clip", entry.clip_id)


def file_of(
    entries: Sequence[Entry], write: Callable[[Sequence[Leaf], str], bytes], privacy: str = BY_LICENCE
) -> bytes:
    """The notebook as one file; see `leaf_of`."""
    return write([leaf_of(entry, privacy) for entry in entries], (st.context.url or "").split("?")[0])


def leaf_of(entry: Entry, privacy: str = BY_LICENCE) -> Leaf:
    """One entry with its scores and pictures made again.

    Args:
        privacy: of its faces, one of `bundle.PRIVACY`; `BY_LICENCE` blurs them unless the corpus gives them away.
    """
    corpora, checkpoints = list_corpora(), find_checkpoints()
    for what, name, there in (("corpus", entry.corpus, corpora), ("checkpoint", entry.checkpoint, checkpoints)):
        if name not in there:
            return Leaf(entry, f"The {what} {name} is not in this workspace any more.")
    try:
        case = open_corpus_cached(corpora[entry.corpus]).case(entry.clip_id)
        model = models.open_model(checkpoints[entry.checkpoint])
        prediction = models.predict(model, case, entry.top_p)
    except MesmError as error:
        return Leaf(entry, str(error))
    privacy = default_privacy(case.licence) if privacy == BY_LICENCE else privacy
    # Another key: what was drawn of the true faces must not come out of the cache.
    shown = replace(case, key=f"{case.key}/{privacy}", sample=private_faces(case.sample, privacy))
    pictures = clip_pictures.draw_clip(shown, prediction, model.facts.sha256, fit_strip(case.sample.duration_s), Look())
    return notebook_export.leaf(entry, case, prediction, pictures, privacy)
