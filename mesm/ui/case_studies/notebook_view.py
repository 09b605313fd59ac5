"""Show the star and the note of a case, and the notebook under the gallery."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import streamlit as st

from mesm.access import access, computing
from mesm.analysis.checkpoints import find_checkpoints
from mesm.errors import MesmError
from mesm.estimate import decimal_text
from mesm.figures.privacy import default_privacy, private_faces
from mesm.records.prediction import Prediction
from mesm.studies.case.mosaic import MosaicStyle, fit_window
from mesm.ui import clip_pictures, controls, layout, models, state
from mesm.ui.case_studies import gallery, notebook, notebook_export
from mesm.ui.case_studies.notebook import Entry
from mesm.ui.case_studies.notebook_export import NotebookPage
from mesm.ui.corpora import Case, open_corpus_cached
from mesm.ui.models import Model

#: Privacy of the faces in the files; the first follows each corpus's licence.
BY_LICENCE = "by licence"
FACES = {BY_LICENCE: BY_LICENCE, "blurred": "blur", "sketched": "sketch", "unchanged": "none"}


#: Highest scores on a line of the notebook.
SHOWN_SCORES = 2
_CSS = """<style>
.st-key-notebook-lines button[kind="tertiary"] { justify-content: flex-start; text-align: left; }
.st-key-notebook-lines button[kind="tertiary"] p { display: flex; align-items: center; gap: .6rem; flex-wrap: wrap; }
.st-key-notebook-lines button[kind="tertiary"] strong { text-decoration: underline; font-weight: 400; }
.st-key-notebook-lines button[kind="tertiary"] img { width: 48px; height: 48px; max-height: none; margin: 0; }
</style>"""


def show_star(case: Case, model: Model, prediction: Prediction) -> None:
    """Show a star for a case of a corpus, and the note of a starred one; an uploaded clip has none, as it is not kept.

    Raises:
        DataError: the notebook cannot be read or written.
    """
    ranked = sorted(zip(prediction.labels, prediction.scores, strict=True), key=lambda pair: -pair[1])
    scores = {name: round(float(score), 4) for name, score in ranked}
    top_p, words = prediction.top_p or 1.0, case.sample.text
    entry = Entry(case.corpus_key, case.sample.clip_id, model.facts.name, top_p, words=words, scores=scores)
    known = notebook.read().get(entry.key)
    if known is not None:
        with st.popover("Note", icon=":material/edit_note:", key="note-menu"):
            st.text_area(
                "Note",
                known.note,
                height="content",
                max_chars=notebook.NOTE_LETTERS,
                key=_note_key(known),
                placeholder="A note on this case",
                on_change=_write_note,
                args=(known,),
            )
    if st.button(
        "Starred" if known else "Star",
        key="star",
        icon=":material/star:" if known else ":material/star_border:",
        type="primary" if known else "secondary",
        help=f"Keep this case in the notebook of this {'workspace' if access().writes_workspace else 'visit'}.",
    ):
        if known:
            notebook.drop(entry.key)
        else:
            notebook.put(entry)
        st.rerun()


def _note_key(entry: Entry) -> str:
    return f"note-{'/'.join(entry.key)}"


def _write_note(entry: Entry) -> None:
    known = notebook.read().get(entry.key, entry)
    note = str(st.session_state.get(_note_key(entry), ""))
    notebook.put(replace(known, note=note))


def show_notebook() -> None:
    """Show the starred cases, each a button that opens it, and the notebook as files."""
    with layout.one_sentence_errors():
        entries = list(notebook.read().values())
        if not entries:
            return
        with st.expander(f"Notebook: {len(entries)} starred", icon=":material/star:", key="notebook"):
            st.html(_CSS)
            with st.container(key="notebook-lines", gap="xsmall"):
                for number, entry in enumerate(entries):
                    _show_entry(number, entry)
            help_ = "By licence: blurred unless the corpus's licence allows publishing its faces."
            faces = layout.choose("Faces in the files", list(FACES), "notebook-faces", in_url=False, help=help_)
            privacy = FACES[faces]
            with st.container(horizontal=True):
                for label, name, mime, write in (
                    ("HTML", "notebook.html", "text/html", notebook_export.as_html),
                    ("Markdown and pictures", "notebook.zip", "application/zip", notebook_export.as_markdown),
                ):
                    make = partial(file_of, entries, write, privacy)
                    st.download_button(label, make, name, mime, key=name, icon=":material/download:", on_click="ignore")
            st.caption("Each download contains its pictures, transcripts and notes, and loads nothing from elsewhere.")


def _show_entry(number: int, entry: Entry) -> None:
    """Show one line: face, words, highest scores and note, all of it the button that opens the case; a button to remove it."""
    scores = ", ".join(f"{name} {decimal_text(score, 2)}" for name, score in list(entry.scores.items())[:SHOWN_SCORES])
    facts = [scores, entry.clip_id, f"{entry.checkpoint} at p = {entry.top_p:g}", entry.note[:60]]
    title = f"“{' '.join(entry.words[:80].split())}”" if entry.words else entry.clip_id
    words = f"**{layout.plain(title)}** :small[{layout.plain(' · '.join(fact for fact in facts if fact))}]"
    with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="small"):
        st.button(
            f"{_face(entry)} {words}", key=f"case-{number}", type="tertiary", on_click=_open, args=(entry,),
            help="Open this case.", width="stretch",
        )  # fmt: skip
        st.button(
            "", key=f"drop-{number}", icon=":material/delete:", type="tertiary", on_click=_drop, args=(entry.key,),
            help=f"Remove {layout.plain(entry.clip_id)} from the notebook.",
        )  # fmt: skip


def _face(entry: Entry) -> str:
    """Return the face of an entry as Markdown; "" where its corpus or clip is gone."""
    try:
        opened = open_corpus_cached(entry.corpus)
        face = gallery.thumbnail(opened.digest, entry.clip_id, opened.hides_faces, opened)
    except MesmError:
        return ""
    return f"![Face of clip {layout.plain(entry.clip_id)}]({face})"


def _drop(key: tuple[str, str, str]) -> None:
    with layout.one_sentence_errors():
        notebook.drop(key)


def _open(entry: Entry) -> None:
    """Restore the view of an entry; the filters stay as they are, and the clip stays open although they exclude it."""
    st.session_state["checkpoint"], st.session_state["corpus"] = entry.checkpoint, entry.corpus
    st.session_state["p"] = min(1.0, max(controls.TOP_P_STEP, entry.top_p))
    state.remember("clip", entry.clip_id)


@computing()
def file_of(
    entries: Sequence[Entry], write: Callable[[Sequence[NotebookPage], str], bytes], privacy: str = BY_LICENCE
) -> bytes:
    """Return the notebook as one file; see `make_page`."""
    return write([make_page(entry, privacy) for entry in entries], (st.context.url or "").split("?")[0])


def make_page(entry: Entry, privacy: str = BY_LICENCE) -> NotebookPage:
    """Return one entry with its scores and pictures made again.

    Args:
        privacy: of its faces, one of `figures.export.PRIVACY`; `BY_LICENCE` blurs them unless the corpus's licence is CC0.
    """
    checkpoints = find_checkpoints()
    if entry.checkpoint not in checkpoints:
        return NotebookPage(entry, f"The checkpoint {entry.checkpoint} is not in this workspace any more.")
    try:
        case = open_corpus_cached(entry.corpus).case(entry.clip_id)
        model = models.open_model(checkpoints[entry.checkpoint])
        prediction = models.predict(model, case, entry.top_p)
    except MesmError as error:
        return NotebookPage(entry, str(error))
    privacy = default_privacy(case.licence) if privacy == BY_LICENCE else privacy
    # Another key, so that pictures of the unblurred faces do not come out of the cache.
    shown = replace(case, key=f"{case.key}/{privacy}", sample=private_faces(case.sample, privacy))
    pictures = clip_pictures.draw_clip(
        shown, prediction, model.facts.sha256, fit_window(case.sample.duration_s), MosaicStyle()
    )
    return notebook_export.page_of(entry, case, prediction, pictures, privacy)
