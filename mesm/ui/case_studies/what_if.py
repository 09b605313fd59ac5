"""Change a clip and see the change: other words, no voice, no face; and the effect of each word."""

from __future__ import annotations

import streamlit as st

from mesm.records.prediction import Prediction
from mesm.studies.case import exports
from mesm.studies.case.exports import pair_names
from mesm.studies.case.mosaic import MosaicStyle, TimeWindow
from mesm.studies.case.screen import chart_words
from mesm.studies.case.words import words_chart, words_sentence
from mesm.ui import export_menu, layout, models, state
from mesm.ui.case_studies import compare
from mesm.ui.corpora import Case
from mesm.ui.models import Model
from mesm.vocabulary import NEUTRAL_QUERY


def show_what_if(case: Case, model: Model, prediction: Prediction, window: TimeWindow, style: MosaicStyle) -> None:
    """Show the section; closed at first, because the effect of each word takes a run of the model per word."""
    section = layout.folded("What if: other words, no voice, no face", "what-if")
    if section is not None:
        with section:
            _show_change(case, model, prediction, window, style)
            _show_words(case, model, prediction)


@st.fragment
def _show_change(case: Case, model: Model, prediction: Prediction, window: TimeWindow, style: MosaicStyle) -> None:
    """Show the fields and the differences. A fragment: an edit draws nothing else of the page again."""
    change = _pick_change(case, model)
    with layout.one_sentence_errors():
        if change is None:
            st.caption("Edit the words or leave out a modality: scores and masks of both are compared here.")
            return
        text, without = change
        second = models.predict_changed(model, case, prediction.top_p or 1.0, text, without)
        names, option = pair_names(model.facts.name, prediction.top_p or 1.0, text=text, without=without)
        if without:
            st.caption(exports.ABSENT_NOTE)
        if text is not None and not text.strip():
            st.caption(f"Without words, the text branch is dropped and the query is “{NEUTRAL_QUERY}”.")
        compare.show_pair(case, model, (prediction, second), names, option, window, style, key="what-if")


def _pick_change(case: Case, model: Model) -> tuple[str | None, tuple[str, ...]] | None:
    """Return the new transcript, None for the clip's own, and the modalities left out; None without a change."""
    sample, keys = case.sample, {part: f"what-if-{part}-{case.key}" for part in ("text", "acoustic", "visual")}
    modalities = model.facts.config.modalities
    has = {"acoustic": len(sample.mel) > 0, "visual": len(sample.faces) > 0}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        text = st.text_input("Words", sample.text, key=keys["text"], placeholder="no words", width="stretch")
        words = {"acoustic": "Mute the voice", "visual": "Blank the face"}
        without = tuple(
            modality
            for modality, word in words.items()
            if st.toggle(word, key=keys[modality], disabled=modality not in modalities or not has[modality])
        )
        is_changed = text != sample.text or bool(without)
        st.button(
            "Undo", key="what-if-undo", icon=":material/undo:", disabled=not is_changed, on_click=_undo,
            args=(keys, sample.text),
        )  # fmt: skip
    return (text if text != sample.text else None, without) if is_changed else None


def _undo(keys: dict[str, str], text: str) -> None:
    st.session_state[keys["text"]] = text
    st.session_state[keys["acoustic"]] = st.session_state[keys["visual"]] = False


@st.fragment
def _show_words(case: Case, model: Model, prediction: Prediction) -> None:
    """Show the effect of leaving out each word of the clip."""
    st.markdown("##### Each word left out")
    if not case.sample.text.strip():
        st.caption("This clip has no words.")
        return
    with layout.one_sentence_errors():
        effects = models.find_word_effects(model, case, prediction.top_p or 1.0)
        top = effects.labels[int(effects.before.scores.argmax())]
        emotion = layout.choose("Score of", effects.labels, f"what-if-emotion-{case.key}", default=top, in_url=False)
        chart, has_query = words_chart(effects, emotion), model.facts.config.has_text_query
        st.markdown(layout.plain(words_sentence(effects, emotion, has_query)))
        layout.chart(chart_words(chart, state.dark()), "words-effects", chart.alt)
        masks = " Right: sites that only one of the two masks keeps, mean of the layers." if chart.masks else ""
        st.caption(f"Left: score without the word minus score with all words.{masks}")
        of_top = "" if emotion == top else emotion
        export = exports.export_words(case.sample, effects, case.origin(model.facts), has_query, of_top)
        export_menu.offer(export, "words")
