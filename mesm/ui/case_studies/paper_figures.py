"""Show the paper's Figures 3 and 4 on the corpus and the checkpoint at the side, ready for export."""

from __future__ import annotations

import streamlit as st

from mesm.access import computing
from mesm.analysis.provenance import clip_origin
from mesm.figures.export import FigureExport, render
from mesm.figures.privacy import default_privacy
from mesm.studies.case.paper_exports import SixChoice, export_mel, export_six
from mesm.studies.case.six import CASE_TOP_P, FRAMES, ShownFace, choose_six
from mesm.ui import export_menu, layout, models
from mesm.ui.corpora import OpenCorpus
from mesm.ui.models import Model

_SEED, _PINS = "six-seed", "six-pins"


@st.fragment
def show_paper_figures(opened: OpenCorpus, model: Model | None, clip_id: str) -> None:
    """Show the sections, each behind a switch; `clip_id` is the open clip, which Figure 4 shows and Figure 3 can pin."""
    if model is None or not model.facts.has_attention:
        return
    with st.container(horizontal=True, gap="medium"):
        three = st.toggle("Paper's Figure 3", key="figure-3", bind="query-params", help="A face of each emotion with the "
                          "sites that each layer keeps. Scores some clips: a few seconds.")  # fmt: skip
        four = st.toggle("Paper's Figure 4", key="figure-4", bind="query-params", help="The spectrogram of the open clip "
                         "with the sites that each layer keeps.")  # fmt: skip
    if three:
        with layout.one_sentence_errors():
            _show_six(opened, model, clip_id)
    if four:
        with layout.one_sentence_errors():
            case = opened.case(clip_id)
            prediction = models.predict(model, case, _pick_top_p("mel"))
            _show(export_mel(case.sample, prediction, case.origin(model.facts)), "mel")


def _show_six(opened: OpenCorpus, model: Model, clip_id: str) -> None:
    pins: dict[str, tuple[str, float | None]] = st.session_state.setdefault(_PINS, {}).setdefault(
        opened.corpus.id.key, {}
    )
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        top_p = _pick_top_p("six")
        frame = st.selectbox("Frame", list(FRAMES), format_func=FRAMES.__getitem__, key="six-frame", width=220)
        if st.button("Other clips", icon=":material/shuffle:", key="six-other"):
            st.session_state[_SEED] = st.session_state.get(_SEED, 0) + 1
        present = [e for e in opened.corpus.row(clip_id).present if e in model.facts.config.labels]
        if st.button("Pin the open clip", icon=":material/keep:", key="six-pin", disabled=not present):
            pins |= dict.fromkeys(present[:1], (clip_id, None))
        if st.button("Unpin all", key="six-unpin", disabled=not pins):
            pins.clear()
    choice = SixChoice(top_p, st.session_state.get(_SEED, 0), dict(pins), frame)
    faces = _faces(model.facts.sha256, opened.corpus.id.key, choice.options, model, opened, choice)
    licence = opened.licence
    origin = clip_origin(model.facts, opened.corpus.id, licence, opened.corpus.id.key)
    _show(export_six(faces, choice, origin, default_privacy(licence), model.facts.config.labels), "six")


@st.cache_resource(max_entries=4, show_spinner="Looking for clips that are scored right …")
@computing()
def _faces(
    checkpoint: str, corpus: str, options: str, _model: Model, _opened: OpenCorpus, _choice: SixChoice
) -> tuple[ShownFace, ...]:
    predictor = _model.predictor
    with _model.lock:
        return choose_six(
            predictor, _opened.corpus, top_p=_choice.top_p, seed=_choice.seed, pins=_choice.pins, frame=_choice.frame
        )


def _pick_top_p(figure: str) -> float:
    return float(st.number_input("top-p", 0.05, 1.0, CASE_TOP_P, 0.05, key=f"{figure}-p", width=140))


def _show(export: FigureExport, key: str) -> None:
    st.image(_picture(export.command, export), width=720, alt=export.caption)
    export_menu.captioned(export, key)


@st.cache_data(max_entries=8, show_spinner="Drawing …")
def _picture(command: str, _export: FigureExport) -> bytes:
    return render(_export, "png", "acl-text")
