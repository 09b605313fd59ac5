"""One clip, seen through a model: the same view for a case of a corpus and for a visitor's own clip."""

from __future__ import annotations

import streamlit as st

from mesm.figures.charts import PLOTLY_CONFIG, chart_scores, chart_work
from mesm.records.prediction import LayerTrace, Prediction
from mesm.studies.case import captions
from mesm.studies.case.mosaic import SPANS_S, Look, Strip, fit_strip
from mesm.ui import clip_pictures, controls, layout, models, state
from mesm.ui.case_studies import action_units as facs_case
from mesm.ui.case_studies import case_export, compare, notebook_view, over_p, player
from mesm.ui.corpora import Case
from mesm.ui.models import Model
from mesm.vocabulary import MODALITIES


@st.fragment
def show(case: Case, model: Model | None) -> None:
    """The whole view. A fragment: moving top-p runs nothing else of the page."""
    prediction = None
    left, right = st.columns([1, 2.6], gap="medium")
    with left:
        _player(case)
    with right:
        _about(case)
        if model is not None:
            with layout.one_sentence_errors():
                prediction = models.predict(model, case, controls.top_p_slider(model))
        if model is not None and prediction is not None:
            _headline(prediction, case)
            notebook_view.star(case, model, prediction.trace.top_p if prediction.trace is not None else 1.0)
    look = controls.pick_look(attentive=model is not None and model.facts.has_attention)
    strip = _strip(case)
    _pictures(case, model, prediction, strip, look)
    if model is not None and prediction is not None:
        case_export.offer_pictures(case, model, prediction, strip, look)
        scores, work = st.columns([1.3, 1], gap="medium")
        with scores:
            _scores(prediction, case)
            case_export.offer_scores(case, model, prediction)
        with work:
            _work(prediction)
            case_export.offer_work(case, model, prediction)
        over_p.show(case, model)
        compare.show(case, model, prediction, strip, look)
        facs_case.show(case, model, prediction)
        _units(case, model)


def _player(case: Case) -> None:
    if case.preview is None:
        st.caption("This clip has no preview to play.")
        return
    st.video(case.preview, alt=f"The clip: {case.sample.text or 'no transcript'}")


def _about(case: Case) -> None:
    sample = case.sample
    st.markdown(f"#### “{layout.plain(sample.text)}”" if sample.text else "#### no transcript")
    about = [case.name, f"{sample.duration_s:.1f} s"]
    if sample.labels is not None:
        about.insert(0, f"truth: **{captions.truth_words(sample.labels)}**")
    if sample.speaker:
        about.append(f"speaker {sample.speaker}")
    if sample.truth is not None:
        carried = [captions.MODALITY_WORDS[m] for m in MODALITIES if sample.truth.informative.get(m)]
        about.append(f"shows in: {', '.join(carried) or 'nothing'}")
    st.markdown(" · ".join(about))
    quality = captions.quality_words(sample.quality)
    if quality:
        st.caption(f":material/info: {quality}")


def _headline(prediction: Prediction, case: Case) -> None:
    work, strongest = st.columns([1, 1.6])
    dense = prediction.macs.get("fe2e_conv_stack", 0)
    with work:
        ratio = f"{prediction.macs['conv_stack'] / dense:.2f} of FE2E" if dense else "none"
        st.metric("Work", ratio, help="Multiply-adds of convolutions and attention, beside FE2E's on this clip.")
    with strongest:
        top = int(prediction.scores.argmax())
        st.metric("Strongest score", f"{prediction.labels[top]} {prediction.scores[top]:.2f}")
    st.markdown(f"At or above their thresholds: **{', '.join(prediction.decided) or 'none'}**")
    for flag in prediction.flags:
        st.caption(f":material/info: {flag[:1].upper()}{flag[1:]}.")
    unknown = [n for n, v in (case.sample.labels or {}).items() if v > 0 and n not in prediction.labels]
    if unknown:
        st.caption(f":material/info: This checkpoint does not score {', '.join(unknown)}.")


def _strip(case: Case) -> Strip:
    """The part of the clip on the time axis; a clip longer than the axis can be moved along it."""
    longest = max(SPANS_S)
    if case.sample.duration_s <= longest:
        return fit_strip(case.sample.duration_s)
    start = st.slider(
        f"Seconds shown: {longest:g} from",
        0.0,
        float(max(0.5, int(2 * (case.sample.duration_s - longest) + 1) / 2)),
        0.0,
        0.5,
        key="from",
        bind="query-params",
    )
    return fit_strip(case.sample.duration_s, start)


def _pictures(case: Case, model: Model | None, prediction: Prediction | None, strip: Strip, look: Look) -> None:
    sample = case.sample
    layers: dict[str, tuple[LayerTrace, ...]] = dict(prediction.trace.layers) if prediction and prediction.trace else {}
    source = model.facts.sha256 if model is not None and prediction is not None else ""
    faces_png, mel_png = clip_pictures.draw_clip(case, prediction, source, strip, look)
    faces, sounds = layers.get("visual", ()), layers.get("acoustic", ())
    if prediction is None:
        described = ("Faces as the model gets them.", "Mel spectrogram, low notes at the bottom.")
    else:
        described = (f"Face: {captions.mosaic_caption(faces, look)}", f"Voice: {captions.mosaic_caption(sounds, look)}")
    layout.picture(faces_png, captions.face_alt(sample.text, len(sample.faces), faces, strip, look), described[0])
    layout.picture(mel_png, captions.mel_alt(len(sample.mel), sounds, look), described[1])
    if case.preview is not None:
        player.cursor(strip)


def _scores(prediction: Prediction, case: Case) -> None:
    st.markdown("##### What the model scores")
    st.plotly_chart(
        chart_scores(prediction, case.sample.labels, state.dark()),
        theme=None,
        config=PLOTLY_CONFIG,
        key="scores",
        alt=captions.scores_alt(prediction),
    )
    weights = ", ".join(f"{captions.MODALITY_WORDS[m]} {w:.2f}" for m, w in prediction.fusion_weights.items())
    st.caption(
        f"Bars: all together, with the weights {weights}. Hollow signs: one alone. "
        "Ticks: the score from which the model decides for an emotion. ✓: true of the clip."
    )


def _work(prediction: Prediction) -> None:
    st.markdown("##### What it costs")
    if not prediction.macs.get("fe2e_conv_stack"):
        st.caption("Neither faces nor sound: there is nothing to convolve.")
        return
    ratio = prediction.macs["conv_stack"] / prediction.macs["fe2e_conv_stack"]
    st.plotly_chart(
        chart_work(prediction.macs, state.dark()),
        theme=None,
        config=PLOTLY_CONFIG,
        key="work",
        alt=f"Bar chart: the convolutions of this clip take {ratio:.2f} of FE2E's multiply-adds.",
    )
    total = prediction.macs.get("total", 0) / 1e9
    st.caption(
        f"Convolutions and attention: {prediction.macs['conv_stack'] / 1e9:.3f} GMAC, {ratio:.2f} of what FE2E of the "
        f"same width needs for these faces and sounds. With the text encoder and the rest {total:.3f} GMAC."
    )


def _units(case: Case, model: Model) -> None:
    """What a rendered face was told to do."""
    if case.sample.truth is None or not len(case.sample.truth.au_intensity):
        return
    section = layout.folded("Action units that this rendered face shows", "units-shown")
    if section is not None:
        with section:
            case_export.show_units(case, model)
