"""Learning curves and the ablation table hold the numbers they were given."""

from __future__ import annotations

from typing import Any

import pytest

from mesm.figures.export import render
from mesm.figures.page import paper_style
from mesm.figures.tables import to_csv, to_latex
from mesm.studies.ablation.exports import COLUMNS, ablation_table
from mesm.studies.learning.exports import learning
from mesm.studies.learning.paper import plot_learning_curves
from mesm.studies.learning.screen import best_epoch, chart_learning_curves

ROWS: list[dict[str, Any]] = [
    {"epoch": i, "loss": loss, "valid_f1": f1, "valid_wacc": 50 + i, "valid_auc": None if i == 1 else 60.0}
    for i, (loss, f1) in enumerate([(0.9, 20.0), (0.7, 45.0), (0.6, 40.0)])
]
RUNS = {"fe2e": ROWS, "mesm": ROWS[:1]}


def test_the_chart_has_every_run_and_leaves_out_what_is_unknown() -> None:
    figure = chart_learning_curves(RUNS)
    found = {trace.name: trace for trace in figure.data}
    assert list(found["fe2e"].y) == [0.9, 0.7, 0.6]
    assert list(found["fe2e"].x) == [1, 2, 3]
    assert list(found["fe2e: AUC"].x) == [1, 3]
    assert list(found["mesm: F1"].y) == [20.0]
    assert list(found["fe2e: F1"].marker.symbol) == ["circle", "circle-open-dot", "circle"]
    assert found["fe2e: F1"].yaxis == "y2"
    assert [t.name for t in figure.data if t.showlegend is not False] == ["fe2e", "mesm", "F1", "WAcc", "AUC"]


def test_the_paper_has_the_same_lines_at_its_width() -> None:
    with paper_style():
        figure = plot_learning_curves(RUNS, 3.03)
        left, right = figure.axes
        assert [list(line.get_ydata()) for line in left.lines] == [[0.9, 0.7, 0.6], [0.9]]
        assert figure.get_size_inches()[0] == pytest.approx(3.03)
        rings = [line for line in right.lines if line.get_fillstyle() == "none"]
        assert [(float(r.get_xdata()[0]), float(r.get_ydata()[0])) for r in rings] == [(2, 45.0), (1, 20.0)]


def test_before_the_first_epoch_there_is_an_empty_chart() -> None:
    assert best_epoch([]) is None
    assert [len(trace.x) for trace in chart_learning_curves({"new": []}).data][:4] == [0, 0, 0, 0]
    with paper_style():
        assert plot_learning_curves({"new": []}, 3.03).axes[1].lines


def test_an_ablation_as_a_table() -> None:
    row = {
        "row": "mesm-TAV", "group": "MESM, modalities", "what": "MESM on TAV", "wacc": 70.0, "f1": 50.0, "auc": 75.0,
        "macs_ratio": 0.4, "interval": {"wacc": (66.0, 73.0)}, "spread": {"wacc": 1.5}, "runs": [{}, {}],
        "against": "fe2e-TAV", "difference": {"wacc": {"difference": -1.0, "low": -2.0, "high": 0.5}},
        "shuffled_text": {"visual": {"auc": {"cost": 6.0}}},
    }  # fmt: skip
    plain = {k: v for k, v in row.items() if k not in ("against", "difference", "shuffled_text")}
    dense = plain | {"what": "FE2E on TAV", "group": "FE2E, modalities", "runs": [{}], "macs_ratio": None}
    table = ablation_table({"data": {"rows": [dense, row]}})
    assert [len(r.cells) for r in table.rows] == [len(COLUMNS)] * 2
    assert table.rows[1].cells[:3] == ("MESM on TAV", 70.0, "66.0 to 73.0") and table.rows[1].cells[-1] == 6.0
    assert table.rows[1].cells[7:9] == (-1.0, "-2.0 to +0.5") and table.rows[0].cells[5] is None
    assert table.rows[1].spread[1] == 1.5 and table.rows[0].spread == ()
    assert "MESM on TAV" in to_latex(table) and "fe2e-TAV" in str(to_csv(table))


def test_learning_curves_can_be_taken_along() -> None:
    exhibit = learning(RUNS)
    assert exhibit.table is not None and exhibit.table.rows[1].cells == ("fe2e", 2, 0.7, 45.0, 51, None)
    assert render(exhibit, "pdf", "acl-column").startswith(b"%PDF")
    assert exhibit.command == "mesm figure learning fe2e mesm"
