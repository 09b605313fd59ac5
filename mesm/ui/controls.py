"""What a visitor can set: checkpoint and corpus at the side, the filter of a gallery, top-p, the look of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from mesm import runtime
from mesm.analysis.checkpoints import find_checkpoints
from mesm.studies.case.mosaic import OVERLAYS, Look
from mesm.ui import layout, models, state
from mesm.ui.corpora import OpenCorpus, list_corpora, open_corpus_cached
from mesm.ui.models import Model
from mesm.vocabulary import EMOTIONS

#: Preferred where they exist: what the project ships.
FIRST_CHECKPOINT, FIRST_CORPUS = "marionette-mesm", "marionette"
LAYERS: dict[str, tuple[int, ...]] = {"all": (0, 1, 2), "L1": (0,), "L2": (1,), "L3": (2,)}
TOP_P_STEP = 0.01


def pick_model() -> Model | None:
    """The checkpoint chosen at the side, loaded; None, with a sentence on the page, if there is none to use."""
    found = find_checkpoints()
    chosen = _pick("Checkpoint", "checkpoint", found, FIRST_CHECKPOINT)
    if chosen is None:
        layout.empty("There is no checkpoint.", f"Put one under {runtime.workspace() / 'checkpoints'}, or train one.")
        return None
    with layout.one_sentence_errors():
        shared = models.open_model(chosen)
        sentence = layout.sentence_for(shared.facts.trained_on)
        if sentence:
            st.sidebar.caption(sentence)
        return shared
    return None


def pick_corpus(needed: bool = True) -> OpenCorpus | None:
    """The corpus chosen at the side, open; None, with a sentence on the page, if there is none to use.

    Args:
        needed: False on a page that shows the choice because every page does, and opens nothing.
    """
    chosen = _pick("Corpus", "corpus", list_corpora(), FIRST_CORPUS)
    if not needed:
        return None
    if chosen is None:
        layout.empty(
            "There is no corpus.",
            "This renders one of 240 clips: "
            f"`mesm corpus build marionette --preset small --out {runtime.workspace() / 'corpora' / 'small'}`",
        )
        return None
    with layout.one_sentence_errors():
        return open_corpus_cached(chosen)
    return None


def _pick(label: str, key: str, found: dict[str, Path], first: str) -> Path | None:
    if not found:
        st.sidebar.selectbox(label, ["none"], disabled=True)
        return None
    names = sorted(found, key=lambda name: (name != first, name))
    return found[st.sidebar.selectbox(label, names, key=key, bind="query-params", filter_mode=None)]


def pick_emotion(labels: Sequence[str]) -> str:
    """One of the corpus's emotions, in the order and colours that every page uses; "" for all."""
    options = [emotion for emotion in EMOTIONS if emotion in labels]
    before = state.recall("emotion")
    dark = state.dark()
    chosen = st.segmented_control(
        "Emotion",
        options,
        default=before if before in options else None,
        format_func=lambda name: f"{layout.swatch(name, dark)} {name}",
        key="emotion-choice",
        help="Clips that show this emotion; choose it again for all.",
    )
    state.remember("emotion", chosen or "")
    return chosen or ""


def top_p_slider(model: Model) -> float:
    """Top-p; it stands still for a model without attention, which computes every site."""
    reference = model.facts.config.top_p
    if not model.facts.has_attention:
        st.slider("top-p", TOP_P_STEP, 1.0, 1.0, TOP_P_STEP, disabled=True, help="FE2E computes every site.")
        return 1.0
    return st.slider(
        "top-p",
        0.05,
        1.0,
        reference,
        TOP_P_STEP,
        key="p",
        bind="query-params",
        help="How much of its attention mass each layer keeps. 1 keeps every site.",
    )


def pick_look(attentive: bool = True) -> Look:
    """Which layers, and how they are drawn.

    Args:
        attentive: False where there is no mask to draw: what would do nothing stands still.
    """
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        chosen = st.segmented_control(
            "Layers",
            list(LAYERS),
            default="all",
            required=True,
            key="layers",
            bind="query-params",
            disabled=not attentive,
        )
        overlay = st.segmented_control(
            "What is kept, as",
            OVERLAYS,
            default=OVERLAYS[0],
            required=True,
            key="look",
            bind="query-params",
            disabled=not attentive,
        )
        strength = st.slider(
            "Opacity", 0.1, 1.0, 0.8, 0.1, key="opacity", bind="query-params", width=110, disabled=not attentive
        )
        loudest = st.toggle(
            "Loudest 10 %",
            key="loud",
            bind="query-params",
            help="Draw only the highest tenth of the mel values, as the paper's Figure 4 does.",
        )
    return Look(overlay or OVERLAYS[0], strength, LAYERS[chosen or "all"], loudest, state.dark())
