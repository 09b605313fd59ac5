"""One clip, two answers: another p, another checkpoint, or an attention that was never trained."""

from __future__ import annotations

import streamlit as st

from mesm.analysis.checkpoints import find_checkpoints
from mesm.figures.charts import PLOTLY_CONFIG
from mesm.records.prediction import Prediction
from mesm.studies.case.clip_exports import layers_of, versus
from mesm.studies.case.difference import difference_caption
from mesm.studies.case.mosaic import Look, Strip
from mesm.studies.case.screen import chart_two_answers
from mesm.ui import clip_pictures, layout, models, state
from mesm.ui.case_studies import case_export
from mesm.ui.corpora import Case
from mesm.ui.models import Model

NOTHING, OTHER_P, OTHER_MODEL, RANDOM = "nothing", "another p", "another checkpoint", "random attention"
_SEEDS = 5


def show(case: Case, model: Model, prediction: Prediction, strip: Strip, look: Look) -> None:
    """The choice, and the difference that it makes: masks, scores, work."""
    attentive = model.facts.has_attention
    others = [name for name in find_checkpoints() if name != model.facts.name]
    options = [NOTHING, *([OTHER_P, RANDOM] if attentive else []), *([OTHER_MODEL] if others else [])]
    kind = st.segmented_control(
        "Compare with", options, default=NOTHING, required=True, key="versus", bind="query-params"
    )
    if kind == NOTHING or kind is None:
        return
    with layout.one_sentence_errors():
        names, option, other = _other(kind, case, model, prediction, others)
        _facts(names, prediction, other)
        if _masks(case, names, prediction, other, strip, look):
            case_export.offer_difference(case, model, (prediction, other), names, option, (strip, look))
        st.plotly_chart(
            chart_two_answers(prediction, other, names, case.sample.labels, state.dark()),
            theme=None,
            config=PLOTLY_CONFIG,
            key="two-answers",
            alt=f"Bar chart: the scores of {names[0]} beside those of {names[1]}.",
        )
        case_export.offer_pair(case, model, (prediction, other), names, option)


def _other(
    kind: str, case: Case, model: Model, prediction: Prediction, others: list[str]
) -> tuple[tuple[str, str], str, Prediction]:
    """What the two are called, the option of the command that makes the second, and the second answer."""
    name = model.facts.name
    top_p = prediction.trace.top_p if prediction.trace is not None else 1.0
    if kind == OTHER_P:
        second = st.slider("The other p", 0.05, 1.0, 1.0, 0.01, key="versus-p", bind="query-params")
        return *versus(name, top_p, other_p=second), models.predict(model, case, second)
    if kind == RANDOM:
        seed = st.select_slider(
            "Draw", list(range(1, _SEEDS + 1)), key="versus-seed", bind="query-params", help="Each draw has a new seed."
        )
        return *versus(name, top_p, draw=seed), models.predict(model, case, top_p, seed)
    chosen = st.selectbox("The other checkpoint", others, key="versus-checkpoint", bind="query-params")
    shared = models.open_model(find_checkpoints()[chosen])
    return *versus(name, top_p, checkpoint=chosen), models.predict(shared, case, top_p)


def _facts(names: tuple[str, str], first: Prediction, second: Prediction) -> None:
    strongest = [f"{p.labels[int(p.scores.argmax())]} {p.scores.max():.2f}" for p in (first, second)]
    gmacs = [p.macs.get("conv_stack", 0) / 1e9 for p in (first, second)]
    shared = [label for label in first.labels if label in second.labels]
    moved = max(
        (abs(first.scores[first.labels.index(n)] - second.scores[second.labels.index(n)]) for n in shared), default=0.0
    )
    columns = st.columns(3, gap="medium")
    columns[0].metric(
        f"Work with {names[1]}",
        f"{gmacs[1]:.3f} GMAC",
        f"{gmacs[1] / gmacs[0] - 1:+.0%} against {names[0]}" if gmacs[0] else None,
        delta_color="inverse",
        help="Multiply-adds of convolutions and attention.",
    )
    columns[1].metric(f"Strongest score, {names[1]}", strongest[1])
    columns[2].metric("Largest change of a score", f"{moved:.2f}")


def _masks(case: Case, names: tuple[str, str], first: Prediction, second: Prediction, strip: Strip, look: Look) -> bool:
    """The pictures of the difference; whether there are any."""
    ours, theirs = layers_of(first), layers_of(second)
    if not ours or not theirs:
        dense = names[0] if not ours else names[1]
        st.caption(f"{layout.plain(dense)} has no attention: it computes every site, so there is no mask to compare.")
        return False
    pictures = clip_pictures.draw_difference(case, ours, theirs, strip, look)
    for png, modality, what in zip(pictures, ("visual", "acoustic"), ("Face", "Voice"), strict=True):
        said = difference_caption(ours.get(modality, ()), theirs.get(modality, ()), look.layers, names)
        layout.picture(png, f"Difference of the masks, {what.lower()}. {said}", f"{what}: {layout.plain(said)}")
    return True
