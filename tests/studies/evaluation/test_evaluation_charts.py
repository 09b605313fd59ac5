"""Matrices and reliability: paper and screen draw the numbers of one chart value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesm.errors import ConfigError
from mesm.figures.page import paper_style
from mesm.studies.evaluation.breakdown import Slice
from mesm.studies.evaluation.chart_data import confusion_chart, cooccurrence_chart, reliability_chart
from mesm.studies.evaluation.exports import matrix_export, slices_export
from mesm.studies.evaluation.paper import plot_matrix, plot_reliability
from mesm.studies.evaluation.screen import chart_matrix, chart_reliability
from mesm.studies.evaluation.tables import classes_table, matrix_table, reliability_table, summary_lines
from tests.figures.exhibit_records import LABELS, evaluation_record, made_evaluation


def test_shares_are_of_the_row_or_of_its_emotion() -> None:
    (confusion,) = confusion_chart(made_evaluation()).panels
    assert np.allclose(confusion.shares.sum(axis=1)[confusion.counts.sum(axis=1) > 0], 1)
    for panel in cooccurrence_chart(made_evaluation()).panels:
        assert np.allclose(np.diag(panel.shares)[np.diag(panel.counts) > 0], 1)
        assert panel.shares[0, 1] == pytest.approx(panel.counts[0, 1] / panel.counts[0, 0])


def test_a_symmetric_confusion_is_still_of_the_row() -> None:
    one = made_evaluation()
    truth = np.array([[1, 0], [0, 1], [1, 0], [0, 1]])
    scores = np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9]])[[0, 1, 2, 3]]
    clips = replace(one.per_clip, ids=("a", "b", "c", "d"), speakers=("s",) * 4, scores=scores, truth=truth)
    data = replace(one, labels=("anger", "fear"), thresholds=(0.5, 0.5), per_clip=clips)
    (panel,) = confusion_chart(data).panels
    assert panel.counts[:2, :2].tolist() == [[1, 1], [1, 1]] and panel.shares[0].tolist() == [0.5, 0.5, 0]


def test_paper_and_screen_draw_the_same_matrix() -> None:
    chart = confusion_chart(made_evaluation())
    (panel,) = chart.panels
    with paper_style():
        axes = plot_matrix(chart, 3.03).axes[0]
        both = plot_matrix(cooccurrence_chart(made_evaluation()), 3.03)
    assert [t.get_text() for t in axes.texts] == [str(v) for v in panel.counts.ravel()]
    assert np.allclose(np.asarray(axes.images[0].get_array()), panel.shares)
    assert axes.images[0].get_cmap().name == "cividis" and len([a for a in both.axes if a.images]) == 2
    heatmap = chart_matrix(chart, panel).data[0]
    assert np.allclose(heatmap.z, panel.shares) and heatmap.text[0][0] == str(panel.counts[0, 0])
    assert axes.get_ylabel() == chart.row_title == "true", "rows are the truth"
    assert [row.cells[2] for row in matrix_table(chart).rows] == panel.counts[:, 0].tolist()
    assert matrix_export(evaluation_record(), chart).command == "mesm figure confusion made@toy"


def test_paper_and_screen_draw_the_same_reliability() -> None:
    chart = reliability_chart(made_evaluation(), "fear")
    with paper_style():
        axes = plot_reliability(chart, 3.03).axes[0]
    line = axes.get_lines()[1]
    assert np.allclose(line.get_xdata(), chart.x) and np.allclose(line.get_ydata(), chart.y)
    assert axes.get_ylim() == (0, 1)
    curve = chart_reliability(chart).data[2]
    assert np.allclose(curve.x, chart.x) and np.allclose(curve.error_y.array, chart.above)
    assert [row.cells[2] for row in reliability_table(chart).rows] == chart.x.tolist()
    with pytest.raises(ConfigError, match="must be one of"):
        reliability_chart(made_evaluation(), "joy")


def test_the_table_of_the_emotions_ends_in_the_average() -> None:
    table = classes_table(made_evaluation())
    assert [row.cells[0] for row in table.rows] == [*LABELS, "average"]
    assert table.rows[2].cells == ("fear", 5, 72.0, 50.0, 80.0, 75.0, 77.0, "0.50") and not table.rows[-1].ranked
    lines = summary_lines(replace(made_evaluation(), left_out=("joy",)))
    assert "68.0 to 72.0 over 5 speakers; 30 clips" in lines[0] and "never: Acc 70.0, WAcc 50.0, F1 0.0" in lines[1]
    assert "0.400 of FE2E's multiply-adds at top-p 0.5" in lines[2] and "joy" in lines[3]


def test_the_slices_say_how_many_clips_they_are_of() -> None:
    few = slices_export(evaluation_record(), (Slice("all", "all", 12, 3),))
    assert few.caption.startswith("Slices of the 12 clips that this copy") and "toy, 12 of 30 clips" in few.caption
    assert slices_export(evaluation_record(), (Slice("all", "all", 30, 5),)).caption.startswith("Averages")
