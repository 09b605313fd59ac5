"""How much of the attention is enough for one clip: its flip point, its smallest sufficient p."""

from __future__ import annotations

import streamlit as st

from mesm.figures.charts import PLOTLY_CONFIG
from mesm.studies.case.clip_exports import over_p_marks
from mesm.studies.case.screen import chart_scores_over_p
from mesm.ui import layout, models, state
from mesm.ui.case_studies import case_export
from mesm.ui.corpora import Case
from mesm.ui.models import Model


def show(case: Case, model: Model) -> None:
    """Asked for by a switch: it runs the model some thirty times."""
    if not model.facts.has_attention:
        return
    wanted = st.toggle(
        "Scores at every p",
        key="over-p",
        bind="query-params",
        help="When does the answer change, and how much of the attention is enough for it? Takes a second or two.",
    )
    if not wanted:
        return
    with layout.one_sentence_errors():
        report = models.find_label_flip(model, case)
        flips = f"p = {report.flip_p:.2f}" if report.flip_p is not None else "never"
        facts = st.columns(3, gap="medium")
        facts[0].metric("Label flips at", flips, help="Going down from 1, the first p with another strongest score.")
        facts[1].metric(
            "Smallest sufficient p",
            f"{report.sufficient_p:.2f}",
            help="The smallest p whose strongest score is that of p = 1. It may lie below a flip: answers come back.",
        )
        work = report.work[int(abs(report.top_ps - report.sufficient_p).argmin())]
        facts[2].metric("Work at that p", f"{work:.2f} of FE2E" if work == work else "none")
        marks = over_p_marks(report)
        st.plotly_chart(
            chart_scores_over_p(report.labels, report.top_ps, report.scores, marks, case.sample.labels, state.dark()),
            theme=None,
            config=PLOTLY_CONFIG,
            key="scores-over-p",
            alt=f"Line chart of the scores over top-p. The strongest at p = 1 is {report.answer}; it flips: {flips}.",
        )
        st.caption(
            f"At p = 1 the strongest score is {report.answer}. The points are exact to 0.01; a change back and forth "
            "between two neighbours of a grid of 0.05 is not seen."
        )
        case_export.offer_over_p(case, model, report)
