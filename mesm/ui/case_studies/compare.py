"""Compare two predictions for one clip: another p, another checkpoint, or a random attention."""

from __future__ import annotations

import streamlit as st

from mesm.analysis.checkpoints import find_checkpoints
from mesm.estimate import decimal_text
from mesm.figures.style import MODALITY_WORDS
from mesm.records.prediction import Prediction
from mesm.studies.case import exports
from mesm.studies.case.captions import padding_note
from mesm.studies.case.chart_data import PairChart, pair_chart
from mesm.studies.case.difference import difference_caption, overlaps
from mesm.studies.case.exports import Pair, pair_names
from mesm.studies.case.mosaic import MosaicStyle, TimeWindow
from mesm.studies.case.screen import chart_pair
from mesm.ui import clip_pictures, export_menu, layout, models, state
from mesm.ui.controls import TOP_P_STEP
from mesm.ui.corpora import Case
from mesm.ui.models import Model

NOTHING, OTHER_P, OTHER_MODEL, RANDOM = "nothing", "another p", "another checkpoint", "random attention"
_SEEDS = 5


def show_comparison(case: Case, model: Model, prediction: Prediction, window: TimeWindow, style: MosaicStyle) -> None:
    """Show the choice of the second prediction, and the differences: masks, scores, cost."""
    has_mask = model.facts.has_attention
    others = [name for name in find_checkpoints() if name != model.facts.name]
    options = [NOTHING, *([OTHER_P, RANDOM] if has_mask else []), *([OTHER_MODEL] if others else [])]
    help_ = "Random attention: its weights are drawn again with the mean and standard deviation of the trained ones."
    kind = layout.choose("Compare with", options, "versus", help=help_)
    if kind == NOTHING:
        return
    with layout.one_sentence_errors():
        names, option, second = _predict_second(kind, case, model, prediction, others)
        show_pair(case, model, (prediction, second), names, option, window, style)


def show_pair(
    case: Case,
    model: Model,
    pair: Pair,
    names: tuple[str, str],
    option: str,
    window: TimeWindow,
    style: MosaicStyle,
    key: str = "",
) -> None:
    """Show the differences of two predictions: facts, masks, scores.

    Args:
        names: of the two.
        option: of `mesm figure pair` that makes the second.
        key: keeps its widgets apart from those of another pair on the page.
    """
    origin, chart = case.origin(model.facts), pair_chart(pair, names, case.sample.labels)
    _show_facts(chart, pair[1])
    if _show_masks(case, names, pair, window, style):
        view = (window, style)
        export = exports.export_difference(case.shown, pair, names, view, origin, option, case.privacy)
        export_menu.offer(export, f"difference{key}")
    alt = f"Bar chart: the scores of {names[0]} beside those of {names[1]}."
    layout.chart(chart_pair(chart, state.dark()), f"two-answers{key}", alt)
    export_menu.offer(exports.export_pair(case.sample, pair, names, origin, option), f"pair{key}")


def _predict_second(
    kind: str, case: Case, model: Model, prediction: Prediction, others: list[str]
) -> tuple[tuple[str, str], str, Prediction]:
    """Return the names of both predictions, the command's option that makes the second, and the second."""
    name = model.facts.name
    top_p = prediction.top_p or 1.0
    if kind == OTHER_P:
        second = st.slider("The other p", TOP_P_STEP, 1.0, 1.0, TOP_P_STEP, key="versus-p", bind="query-params")
        return *pair_names(name, top_p, other_p=second), models.predict(model, case, second)
    if kind == RANDOM:
        seeds = list(range(1, _SEEDS + 1))
        seed = st.select_slider("Seed of the random attention", seeds, key="versus-seed", bind="query-params")
        return *pair_names(name, top_p, draw=seed), models.predict(model, case, top_p, seed)
    chosen = st.selectbox("The other checkpoint", others, key="versus-checkpoint", bind="query-params")
    other = models.open_model(find_checkpoints()[chosen])
    return *pair_names(name, top_p, checkpoint=chosen), models.predict(other, case, top_p)


def _show_facts(chart: PairChart, second: Prediction) -> None:
    names, gmacs, top = chart.names, chart.gmacs, int(second.scores.argmax())
    columns = st.columns(3, gap="medium")
    columns[0].metric(
        f"Work with {names[1]}",
        f"{decimal_text(gmacs[1], 3)} GMAC",
        f"{gmacs[1] / gmacs[0] - 1:+.0%} against {names[0]}" if gmacs[0] else None,
        delta_color="inverse",
        help="Multiply-adds of convolutions and attention.",
    )
    columns[1].metric(f"Top score, {names[1]}", f"{second.labels[top]} {decimal_text(second.scores[top], 2)}")
    columns[2].metric("Largest change of a score", decimal_text(chart.largest_change, 2))


def _show_masks(case: Case, names: tuple[str, str], pair: Pair, window: TimeWindow, style: MosaicStyle) -> bool:
    """Show the differences of the masks; return whether there are any."""
    first, second = pair[0].layers, pair[1].layers
    if not first or not second:
        dense = names[0] if not first else names[1]
        st.caption(f"{layout.plain(dense)} has no attention: it computes every site, so there is no mask to compare.")
        return False
    pictures = clip_pictures.draw_difference(case, first, second, window, style)
    for png, modality in zip(pictures, ("visual", "acoustic"), strict=True):
        shares = overlaps(first.get(modality, ()), second.get(modality, ()), style.layers)
        if not shares:
            continue
        legend, word = difference_caption(shares, names) + padding_note(first[modality]), MODALITY_WORDS[modality]
        layout.picture(
            png, f"Difference of the masks, {word}. {legend}", f"{word.capitalize()}: {layout.plain(legend)}"
        )
    return True
