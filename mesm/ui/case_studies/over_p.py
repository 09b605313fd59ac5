"""Show one clip's scores over top-p, with its label flip and its sufficient p."""

from __future__ import annotations

import streamlit as st

from mesm.estimate import decimal_text
from mesm.studies.case.chart_data import scores_over_p_chart
from mesm.studies.case.exports import export_scores_over_p
from mesm.studies.case.screen import chart_scores_over_p
from mesm.ui import export_menu, layout, models, state
from mesm.ui.corpora import Case
from mesm.ui.models import Model


def show_scores_over_p(case: Case, model: Model) -> None:
    """Show the section; behind a switch, as it runs the model some thirty times."""
    if not model.facts.has_attention:
        return
    is_on = st.toggle(
        "Scores over top-p",
        key="over-p",
        bind="query-params",
        help="Scores the clip at some thirty values of p. Shows where the top label changes. Takes one to two seconds.",
    )
    if not is_on:
        return
    with layout.one_sentence_errors():
        report = models.find_label_flip(model, case)
        flip = f"p = {decimal_text(report.flip_p, 2)}" if report.flip_p is not None else "never"
        facts = st.columns(3, gap="medium")
        facts[0].metric(
            "Label flips at", flip, help="Lowering p from 1, the first value at which the top label changes."
        )
        facts[1].metric(
            "Sufficient p",
            decimal_text(report.sufficient_p, 2),
            help="The smallest p from which on the top label is that at p = 1.",
        )
        work = report.work[int(abs(report.top_ps - report.sufficient_p).argmin())]
        facts[2].metric("Work at that p", f"{decimal_text(work, 2)} of FE2E" if work == work else "none")
        figure = chart_scores_over_p(scores_over_p_chart(report, case.sample.labels), state.dark())
        alt = f"Line chart of the scores over top-p. The top label at p = 1 is {report.answer}; it flips: {flip}."
        layout.chart(figure, "scores-over-p", alt)
        st.caption(
            f"The top label at p = 1 is {report.answer}. Scanned in steps of 0.05, refined to 0.01; reversals within a "
            "step are missed."
        )
        export = export_scores_over_p(case.sample, report, case.origin(model.facts))
        export_menu.offer(export, "over-p")
