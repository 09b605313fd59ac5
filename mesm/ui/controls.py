"""Show the choices that pages share: checkpoint, corpus, emotion, top-p, style of a mosaic."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from mesm import runtime
from mesm.analysis.checkpoints import find_checkpoints
from mesm.data.corpora import find_corpora, find_damaged_corpora
from mesm.records.limits import training_note
from mesm.studies.case.mosaic import OVERLAYS, MosaicStyle
from mesm.ui import layout, models, state
from mesm.ui.corpora import OpenCorpus, open_corpus_cached
from mesm.ui.models import Model
from mesm.vocabulary import EMOTIONS

#: Preferred where they exist: what the project ships.
FIRST_CHECKPOINT, FIRST_CORPUS = "marionette-mesm", "marionette"
#: Preferred for a visitor's own clip.
PEOPLE_CHECKPOINT = "people-mesm"
LAYERS: dict[str, tuple[int, ...]] = {"all": (0, 1, 2), "L1": (0,), "L2": (1,), "L3": (2,)}
#: Step of the sliders of top-p, which lies in (0, 1], and so their lowest value.
TOP_P_STEP = 0.01


def pick_model(first: str = FIRST_CHECKPOINT, with_note: bool = True) -> Model | None:
    """Return the checkpoint chosen at the side; None, with a sentence on the page, without a usable one.

    Args:
        first: the one chosen at first, where it exists.
        with_note: whether the side names its training corpora.
    """
    checkpoints = find_checkpoints()
    first = first if first in checkpoints else FIRST_CHECKPOINT
    name = _pick("Checkpoint", "checkpoint", list(checkpoints), first)
    if name is None:
        layout.empty("There is no checkpoint.", f"Put one under {runtime.workspace() / 'checkpoints'}, or train one.")
        return None
    with layout.one_sentence_errors():
        model = models.open_model(checkpoints[name])
        if with_note and (note := training_note(model.facts.metrics)):
            st.sidebar.caption(note)
        return model
    return None


def pick_corpus(needed: bool = True) -> OpenCorpus | None:
    """Return the corpus chosen at the side, open; None, with a sentence on the page, without a usable one.

    Args:
        needed: False on a page that only shows the choice.
    """
    names = dict.fromkeys([*find_corpora(), *find_damaged_corpora()])
    key = _pick("Corpus", "corpus", list(names), FIRST_CORPUS)
    if not needed:
        return None
    if key is None:
        layout.empty(
            "There is no corpus.",
            "This command renders a corpus of 240 clips: "
            f"`mesm corpus build marionette --preset small --out {runtime.workspace() / 'corpora' / 'small'}`",
        )
        return None
    with layout.one_sentence_errors():
        return open_corpus_cached(key)
    return None


def _pick(label: str, key: str, names: list[str], first: str) -> str | None:
    if not names:
        st.sidebar.selectbox(label, ["none"], disabled=True)
        return None
    linked = st.query_params.get(key)
    if linked is not None and linked not in names:
        word = label.lower()
        st.warning(
            f"The link's {word} {layout.plain(linked)} does not exist; another is shown.", icon=":material/link_off:"
        )
    names = sorted(names, key=lambda name: (name != first, name))
    return st.sidebar.selectbox(label, names, key=key, bind="query-params", filter_mode=None)


def pick_emotion(labels: Sequence[str]) -> str:
    """Return one of the corpus's emotions; "" for all."""
    options = [emotion for emotion in EMOTIONS if emotion in labels]
    before = state.recall("emotion")
    dark = state.dark()
    chosen = st.segmented_control(
        "Emotion",
        options,
        default=before if before in options else None,
        format_func=lambda name: f"{layout.swatch(name, dark)} {name}",
        key="emotion-choice",
        label_visibility="collapsed",
    )
    state.remember("emotion", chosen or "")
    return chosen or ""


def top_p_slider(model: Model) -> float:
    """Return top-p; disabled at 1 for a model without attention, which computes every site."""
    reference = model.facts.config.top_p
    if not model.facts.has_attention:
        why = "This model has no attention: it computes every site."
        return st.slider("top-p", TOP_P_STEP, 1.0, 1.0, TOP_P_STEP, disabled=True, help=why)
    meaning = "Attention mass that the kept sites of each layer hold. At 1 every site is kept."
    return st.slider("top-p", TOP_P_STEP, 1.0, reference, TOP_P_STEP, key="p", bind="query-params", help=meaning)


def pick_style(has_mask: bool = True) -> MosaicStyle:
    """Return the layers to show and how they are drawn.

    Args:
        has_mask: False disables the choices that only change a mask.
    """
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        chosen = layout.choose("Layers", list(LAYERS), "layers", disabled=not has_mask, label_visibility="collapsed")
        with st.popover("Look", icon=":material/palette:", key="look-menu"):
            overlay = layout.choose("Draw kept sites as", OVERLAYS, "look", disabled=not has_mask)
            strength = st.slider(
                "Opacity", 0.1, 1.0, 0.8, 0.1, key="opacity", bind="query-params", disabled=not has_mask
            )
            loudest = st.toggle(
                "Loudest 10 %",
                key="loud",
                bind="query-params",
                help="Draw only the highest 10 % of the mel values, as in the paper's Figure 4.",
            )
    return MosaicStyle(overlay, strength, LAYERS[chosen], loudest, state.dark())


def shows_one_layer() -> bool:
    """Return whether `pick_style`, which comes later on the page, shows one layer alone."""
    chosen = st.session_state.get("layers") or st.query_params.get("layers") or "all"
    return len(LAYERS.get(chosen, ())) == 1
