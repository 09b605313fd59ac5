"""Show one clip with a model's prediction: a case of a corpus or an uploaded clip."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from mesm.estimate import decimal_text
from mesm.records.prediction import Prediction
from mesm.studies.case import captions, exports
from mesm.studies.case.chart_data import scores_chart
from mesm.studies.case.mosaic import SPANS_S, MosaicStyle, TimeWindow, fit_window
from mesm.studies.case.screen import chart_scores, chart_work
from mesm.ui import clip_pictures, controls, copy_link, export_menu, layout, models, state
from mesm.ui.case_studies import action_units, cell_values, compare, notebook_view, over_p, player, what_if
from mesm.ui.corpora import Case, hides_faces
from mesm.ui.models import Model

_CSS = """<style>
.st-key-cursor, .st-key-cell-values, .st-key-strip-scroll { position: absolute; }
.st-key-case-words h4, .st-key-case-words h6 { padding: 0; }
@media (max-width: 1199px) {
  .st-key-case-columns > div > [data-testid="stHorizontalBlock"] { flex-direction: column-reverse; }
  .st-key-case-columns > div > [data-testid="stHorizontalBlock"] > [data-testid="stColumn"] { width: 100%; flex: none; }
}
@media (min-width: 1200px) { .st-key-case-beside { position: sticky; top: 4rem; } }
</style>"""
#: A longer transcript gets smaller letters, so that the masks stay in view.
LONG_LETTERS = 90
VIDEO_PX = 260


@st.fragment
def show_case(case: Case, model: Model | None) -> None:
    """Show the whole view. A fragment: moving top-p runs nothing else of the page."""
    st.html(_CSS)
    prediction = None
    star = _show_words(case)
    has_mask = model is not None and model.facts.has_attention
    slider, headline, pictures, scores = _places(controls.shows_one_layer())
    if model is not None:
        with slider, layout.one_sentence_errors():
            prediction = models.predict(model, case, controls.top_p_slider(model))
    with pictures:
        style = controls.pick_style(has_mask)
        window = _pick_window(case)
        _show_mosaics(case, model, prediction, window, style)
    work, video = st.columns([1.6, 1], gap="medium")
    with video:
        _show_video(case)
    if model is not None and prediction is not None:
        origin = case.origin(model.facts)
        with headline:
            _show_headline(prediction, case)
        with pictures:
            export_menu.offer(exports.export_case(case.shown, prediction, window, style, origin, case.privacy), "case")
        with scores:
            _show_scores(prediction, case)
            export_menu.offer(exports.export_scores(case.sample, prediction, origin), "scores")
        if case.corpus is not None:
            with star, layout.one_sentence_errors():
                notebook_view.show_star(case, model, prediction)
        with work:
            _show_work(prediction)
            export_menu.offer(exports.export_work(case.sample, prediction, origin), "work")
        what_if.show_what_if(case, model, prediction, window, style)
        over_p.show_scores_over_p(case, model)
        compare.show_comparison(case, model, prediction, window, style)
        action_units.show_action_units(case, model, prediction)
        _show_rendered_units(case, model)


def _places(one_layer: bool) -> tuple[DeltaGenerator, ...]:
    """Return the places of slider, headline, pictures and scores.

    The scores stand beside the masks; one layer alone takes the whole width, and they stand below it.
    """
    if one_layer:
        slider, headline = st.columns([1.4, 1], gap="medium", vertical_alignment="bottom")
        return slider, headline, st.container(), st.container()
    with st.container(key="case-columns"):
        pictures, beside = st.columns([1.6, 1], gap="medium")
    with beside, st.container(key="case-beside", gap="small"):
        slider, headline, scores = (st.container(gap="small") for _ in range(3))
    return slider, headline, pictures, scores


def _show_words(case: Case) -> DeltaGenerator:
    """Show the transcript and the facts of the clip; return the place beside them."""
    sample = case.sample
    with st.container(key="case-words", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            words = f"“{layout.plain(sample.text)}”" if sample.text else "no transcript"
            st.markdown(f"{'####' if len(words) < LONG_LETTERS else '######'} {words}", width="stretch")
            star = st.container(horizontal=True, vertical_alignment="center", width="content", gap="small")
            if case.corpus is not None:
                copy_link.show_button()
        facts = [layout.plain(case.name), f"{decimal_text(sample.duration_s, 1)} s"]
        if sample.labels is not None:
            facts.insert(0, f"truth: **{captions.truth_words(sample.labels)}**")
        if sample.speaker:
            facts.append(f"speaker {layout.plain(sample.speaker)}")
        if sample.truth is not None:
            facts.append(captions.carrier_words(sample.truth.informative))
        st.markdown(" · ".join(facts))
        quality = captions.quality_words(sample.quality)
        if quality:
            st.caption(f":material/info: {quality}")
    return star


def _show_video(case: Case) -> None:
    if hides_faces(case.licence):
        st.caption("Faces are blurred and the video is left out, because other machines reach this server.")
    elif case.preview is None:
        st.caption("This clip has no video preview.")
    else:
        st.video(case.preview, alt=f"The clip: {case.sample.text or 'no transcript'}", width=VIDEO_PX)


def _show_headline(prediction: Prediction, case: Case) -> None:
    work, top_score = st.columns([1, 1.3], gap="small", wrap=False)
    dense = prediction.macs.get("fe2e_conv_stack", 0)
    ratio = decimal_text(prediction.macs["conv_stack"] / dense, 2) if dense else "none"
    work.metric("Work, FE2E = 1", ratio, help="Multiply-adds of convolutions and attention on this clip, FE2E's = 1.")
    top = int(prediction.scores.argmax())
    top_score.metric("Top score", f"{prediction.labels[top]} {decimal_text(prediction.scores[top], 2)}")
    st.markdown(f"At or above threshold: **{', '.join(prediction.decided) or 'none'}**")
    if more := captions.quality_words([flag for flag in prediction.flags if flag not in case.sample.quality]):
        st.caption(f":material/info: {more}")
    unscored = [n for n, v in (case.sample.labels or {}).items() if v > 0 and n not in prediction.labels]
    if unscored:
        st.caption(f":material/info: This checkpoint does not score {', '.join(unscored)}.")


def _pick_window(case: Case) -> TimeWindow:
    """Return the part of the clip on the time axis; a clip longer than the axis can be moved along it."""
    longest = max(SPANS_S)
    if case.sample.duration_s <= longest:
        return fit_window(case.sample.duration_s)
    last = float(max(0.5, int(2 * (case.sample.duration_s - longest) + 1) / 2))
    words = f"First second of the {longest:g} s shown"
    return fit_window(case.sample.duration_s, st.slider(words, 0.0, last, 0.0, 0.5, key="from", bind="query-params"))


def _show_mosaics(
    case: Case, model: Model | None, prediction: Prediction | None, window: TimeWindow, style: MosaicStyle
) -> None:
    sample = case.sample
    layers = prediction.layers if prediction is not None else {}
    source = model.facts.sha256 if model is not None and prediction is not None else ""
    faces_png, mel_png = clip_pictures.draw_clip(case, prediction, source, window, style)
    if prediction is None:
        face_caption, mel_caption = (
            "Face crops as the model reads them.",
            "Mel spectrogram, low frequencies at the bottom.",
        )
    else:
        face_caption, mel_caption = (
            captions.modality_caption(modality, sample, prediction, style) for modality in ("visual", "acoustic")
        )
    layout.picture(faces_png, captions.face_alt(sample.text, len(sample.faces), window, face_caption), face_caption)
    layout.picture(mel_png, captions.mel_alt(len(sample.mel), mel_caption), mel_caption)
    if case.preview is not None:
        player.show_cursor(window)
    if layers:
        cell_values.show_on_hover(clip_pictures.locate_cells(case, layers, window, style))


def _show_scores(prediction: Prediction, case: Case) -> None:
    figure = chart_scores(scores_chart(prediction, case.sample.labels), state.dark())
    layout.chart(figure, "scores", captions.scores_alt(prediction))
    weights = ", ".join(
        f"{captions.MODALITY_WORDS[m]} {decimal_text(w, 2)}" for m, w in prediction.fusion_weights.items()
    )
    truth = " ✓: true label." if case.sample.labels is not None else ""
    st.caption(
        f"Bars: fused scores (fusion weights: {weights}). ○ words, □ face, ◇ voice: single-modality scores. "
        f"|: decision thresholds (validation split).{truth}"
    )


def _show_work(prediction: Prediction) -> None:
    st.markdown("##### Cost")
    if not prediction.macs.get("fe2e_conv_stack"):
        st.caption("This clip has neither faces nor sound, so no convolution is computed.")
        return
    ratio = prediction.macs["conv_stack"] / prediction.macs["fe2e_conv_stack"]
    alt = f"Bar chart: the convolutions of this clip take {decimal_text(ratio, 2)} of FE2E's multiply-adds."
    layout.chart(chart_work(prediction.macs, state.dark()), "work", alt)
    total = prediction.macs.get("total", 0) / 1e9
    st.caption(
        f"Convolutions and attention: {decimal_text(prediction.macs['conv_stack'] / 1e9, 3)} GMAC, {decimal_text(ratio, 2)} "
        "of FE2E's at the same width for the same segments. All stages with the text encoder: "
        f"{decimal_text(total, 3)} GMAC."
    )


def _show_rendered_units(case: Case, model: Model) -> None:
    if case.sample.truth is None or not len(case.sample.truth.au_intensity):
        return
    section = layout.folded("Action units of this rendered face", "units-shown")
    if section is not None:
        with section:
            export_menu.tabled(exports.export_units(case.sample, case.origin(model.facts)), "units")
