"""Show the paper's Figure 5 of a sweep, ready for export."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from mesm.figures.export import render
from mesm.records.base import Record
from mesm.records.evaluation import Evaluation
from mesm.records.sweep import Sweep
from mesm.studies.reproduction.reported import FIGURE_5
from mesm.studies.sweep.figure_5 import figure_5_export
from mesm.ui import export_menu


def show_figure_5(record: Record[Sweep], metric: str, evaluations: Sequence[Record[Evaluation]]) -> None:
    """Show the figure behind a switch: score and cost over top-p, with the reported curves beside."""
    help_ = "Score over top-p above cost over top-p, with the curves reported in the paper beside."
    if not st.toggle("Paper's Figure 5", key="figure-5", bind="query-params", help=help_):
        return
    export = figure_5_export(record, metric, evaluations, FIGURE_5)
    st.image(render(export, "png", "acl-text"), width=720, alt=export.caption)
    export_menu.captioned(export, "figure-5")
