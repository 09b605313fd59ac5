"""Learning curves and the ablation table hold the numbers they were given."""

from __future__ import annotations

import pytest

from mesm.figures.export import render
from mesm.figures.page import paper_style
from mesm.records.training_log import EpochReport
from mesm.studies.learning.chart_data import Series, TrainingRun, learning_chart
from mesm.studies.learning.exports import learning_export, plot_learning_curves
from mesm.studies.learning.screen import draw_learning_curves

EPOCHS = tuple(
    EpochReport(
        i, loss, f1, 50.0 + i, None if i == 1 else 60.0, lr=1e-4 / (i + 1), valid_loss=None if i == 0 else loss + 0.1
    )
    for i, (loss, f1) in enumerate([(0.9, 20.0), (0.7, 45.0), (0.6, 40.0)])
)
RUNS = [TrainingRun("fe2e", 1, EPOCHS), TrainingRun("mesm", 4, EPOCHS[:1])]


def test_the_chart_leaves_out_unknown_values() -> None:
    fe2e, mesm = learning_chart(RUNS).runs
    assert fe2e.valid_loss == Series((2, 3), (0.7 + 0.1, 0.6 + 0.1)) and fe2e.rate.values == (1e-4, 5e-5, 1e-4 / 3)
    assert fe2e.loss == Series((1, 2, 3), (0.9, 0.7, 0.6))
    assert fe2e.scores["AUC"] == Series((1, 3), (60.0, 60.0)) and fe2e.scores["WAcc"].values == (50, 51, 52)
    assert fe2e.best == (2, 45.0) and mesm.best == (1, 20.0)
    assert learning_chart([TrainingRun("new", 0, ())]).runs[0].best is None


@pytest.mark.parametrize("runs", [RUNS, [TrainingRun("new", 0, ())]])
def test_paper_and_screen_draw_the_same_curves(runs: list[TrainingRun]) -> None:
    chart = learning_chart(runs)
    screen = draw_learning_curves(chart)
    traces = {trace.name: trace for trace in screen.data}
    with paper_style():
        figure = plot_learning_curves(chart, 3.03)
    left, right, rate = figure.axes
    assert figure.get_size_inches()[0] == pytest.approx(3.03)
    printed = iter(right.lines)
    assert rate.get_ylabel() == screen.layout.yaxis3.title.text == "learning rate"
    for number, run in enumerate(chart.runs):
        line, dashed = left.lines[2 * number : 2 * number + 2]
        loss = traces[run.name]
        for drawn, name, axis in (
            (dashed, "validation loss", None), (rate.lines[number], "learning rate", "y3"),
        ):  # fmt: skip
            other = traces[f"{run.name}: {name}"]
            assert list(drawn.get_ydata()) == list(other.y) and other.yaxis == axis
            assert drawn.get_color() == other.line.color == run.style.colour
        assert dashed.get_linestyle() == "--" and traces[f"{run.name}: validation loss"].line.dash == "dash"
        assert list(line.get_xdata()) == list(loss.x) and list(line.get_ydata()) == list(loss.y)
        assert line.get_color() == loss.line.color == run.style.colour
        for name in run.scores:
            one, other = next(printed), traces[f"{run.name}: {name}"]
            assert list(one.get_xdata()) == list(other.x) and list(one.get_ydata()) == list(other.y)
            assert other.yaxis == "y2" and one.get_color() == other.line.color
        if run.best is not None:
            ring, other = next(printed), traces[f"{run.name}: best F1"]
            assert ring.get_fillstyle() == "none"
            assert (*ring.get_xdata(), *ring.get_ydata()) == (*other.x, *other.y) == run.best
    names = [run.name for run in runs]
    assert [t.name for t in screen.data if t.showlegend is not False] == [*names, "F1", "WAcc", "AUC"]
    assert left.get_ylabel() == screen.layout.yaxis.title.text and right.get_ylabel() == screen.layout.yaxis2.title.text


def test_a_colour_is_of_the_run_not_of_its_place_on_the_chart() -> None:
    both, alone = learning_chart(RUNS).runs[1], learning_chart(RUNS[1:]).runs[0]
    assert both.style == alone.style != learning_chart(RUNS).runs[0].style


def test_learning_curves_can_be_exported() -> None:
    export = learning_export(RUNS)
    assert export.table is not None and export.table.rows[1].cells == (
        "fe2e",
        2,
        0.7,
        0.7 + 0.1,
        45.0,
        51.0,
        None,
        "5e-05",
    )
    assert render(export, "pdf", "acl-column").startswith(b"%PDF")
    assert export.command == "mesm figure learning fe2e mesm"
