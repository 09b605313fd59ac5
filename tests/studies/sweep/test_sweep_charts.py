"""Charts of a sweep: the numbers of the record, the same in print and on the screen; the tables; the records to draw."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mesm.errors import ConfigError, DataError
from mesm.figures.charts import broken
from mesm.figures.page import WIDTHS_IN, paper_style
from mesm.figures.style import LINE_STYLES
from mesm.records.base import CorpusId, Record, read_record, write_record
from mesm.records.store import RecordStore
from mesm.records.sweep import Sweep
from mesm.studies.reproduction.reported import figure_5_shares
from mesm.studies.sweep.chart_data import (
    DENSE,
    REPORTED,
    SWEEP,
    SweepView,
    clip_cost_chart,
    find_dense_evaluation,
    layer_costs,
    layers_chart,
    sweep_chart,
    time_ratio,
    time_sentence,
    with_evaluations,
    with_times,
)
from mesm.studies.sweep.exports import clip_cost_export, layers_export, sweep_export
from mesm.studies.sweep.paper import plot_clip_cost, plot_layers, plot_sweep
from mesm.studies.sweep.screen import draw_clip_cost, draw_layers, draw_sweep
from mesm.studies.sweep.tables import chart_table, clip_cost_table, layers_table, points_table
from mesm.ui.efficiency.sweep_records import default_sweep, label_sweeps
from tests.studies.sweep.made_sweeps import TOY, made_evaluation, made_point, made_sweep, made_timing

SHIPPED = next((Path(__file__).parents[3] / "assets" / "records").glob("sweep_marionette-mesm_*.json"))


def with_points(record: Record[Sweep], **changes: object) -> Record[Sweep]:
    points = tuple(replace(point, **changes) for point in record.data.points)
    return replace(record, data=replace(record.data, points=points))


def test_lines_are_the_records_points() -> None:
    record = made_sweep()
    ours, dense = sweep_chart([record], SweepView("f1", "ms")).lines
    assert ours.x == [point.ms_per_clip for point in record.data.points]
    assert [(p.y, p.low, p.high) for p in ours.points] == [(50, 48, 53), (56, 54, 59), (58, 56, 61)]
    assert [p.elbow for p in ours.points] == [False, True, False]
    assert dense.kind == DENSE and dense.points[0].top_p is None


def test_relative_scores_put_fe2e_at_one_and_the_paper_beside() -> None:
    ours, dense, paper = sweep_chart([made_sweep()], SweepView(relative=True), (), figure_5_shares()).lines
    assert (ours.kind, dense.kind, paper.kind) == (SWEEP, DENSE, REPORTED)
    assert dense.points[0].y == 1 and dense.points[0].x == 1
    assert ours.points[0].y == pytest.approx(60 / 67) and ours.points[0].low == pytest.approx(58 / 67)
    assert paper.points[-1].x == paper.points[-1].y == 1
    assert paper.points[0].x == pytest.approx(2.93 / 8.65) and paper.points[0].y == pytest.approx(62.4 / 84.5)
    absolute = sweep_chart([made_sweep()], SweepView(), (), figure_5_shares())
    assert all(line.kind != REPORTED for line in absolute.lines)


def test_units_differ_by_two() -> None:
    macs, flops = (sweep_chart([made_sweep()], SweepView(axis=axis)).lines[0].x for axis in ("gmac", "gflop"))
    assert macs == pytest.approx([6 * 0.025, 6 * 0.04, 6 * 0.09]) and [2 * x for x in macs] == pytest.approx(flops)
    in_mac, in_flop = (layer_costs(made_sweep(), unit)[0].amounts for unit in ("gmac", "gflop"))
    assert [2 * amount for amount in in_mac] == pytest.approx(in_flop)


def test_fe2e_comes_from_an_evaluation_on_the_same_clips_only() -> None:
    alone, fe2e = made_sweep(reference=False), made_evaluation()

    def kinds(evaluation: Record, axis: str = "share") -> list[str]:
        known = [made_evaluation("some-mesm", top_p=0.5), evaluation]
        return [line.kind for line in sweep_chart([alone], SweepView(axis=axis), known).lines]

    assert kinds(fe2e) == [SWEEP, DENSE]
    assert kinds(fe2e, "ms") == [SWEEP]  # an evaluation measures no time
    assert kinds(made_evaluation(clips=7)) == [SWEEP]
    assert kinds(made_evaluation(corpus=CorpusId("other"))) == [SWEEP]
    assert find_dense_evaluation([fe2e], CorpusId("toy", "a" * 16), "test", 30) is fe2e  # its digest is not known
    with pytest.raises(DataError, match="--against"):
        sweep_chart([alone], SweepView(relative=True), [made_evaluation(clips=7)])


def test_an_evaluation_decides_over_the_sweeps_point() -> None:
    sweep = made_sweep(sha256="1" * 64)
    same = made_evaluation(top_p=0.5)
    point = next(p for p in with_evaluations(sweep, [same]).data.points if p.top_p == 0.5)
    assert (point.average, point.interval) == (same.data.average, same.data.interval) and point.average.wacc == 65
    assert point.macs_ratio == 0.4, "the cost stays the sweep's"
    assert with_evaluations(made_sweep(), [same]) == made_sweep(), "of other weights"
    assert with_evaluations(sweep, [made_evaluation(top_p=0.5, clips=7)]) == sweep, "of other clips"


def test_a_later_time_of_the_same_weights_replaces_the_sweeps() -> None:
    sweep = made_sweep()
    record = with_times(sweep, [made_timing()])
    assert [point.ms_per_clip for point in record.data.points] == [2.0, 5.0, 10.0]
    assert record.data.reference is not None and record.data.reference.point.ms_per_clip == 8.0
    assert [time_ratio(record, point) for point in record.data.points] == [0.25, 0.625, 1.25]
    assert "MESM saves 38 % of the time" in (sentence := time_sentence(record) or "")
    assert "processor time of 3 threads, another processor, 2026-11-30" in sentence and "5.0 ms at p = 0.5" in sentence
    assert replace(record.data, points=(), reference=None, timed_on=None) == replace(
        sweep.data, points=(), reference=None, timed_on=None
    ), "nothing else changes"
    for other in (
        made_timing(corpus=CorpusId("other")),
        made_timing(sha256="2" * 64),
        made_timing(dense="2" * 64),
        made_timing(top_ps=(0.2, 0.5)),
        made_timing(created="2026-11-01T00:00:00+00:00"),
    ):
        assert with_times(sweep, [other]) is sweep
        assert with_times(sweep, [other, made_timing()]) == record
    assert with_times(made_sweep(reference=False), [made_timing(dense=None)]).data.points == record.data.points


def test_a_record_without_amounts_names_the_remedy() -> None:
    old = with_points(made_sweep(), macs={}, macs_by_layer=())
    assert sweep_chart([old], SweepView())
    with pytest.raises(DataError, match="make it again"):
        sweep_chart([old], SweepView(axis="gmac"))
    with pytest.raises(DataError, match="make it again"):
        layers_chart(old, "gmac")
    with pytest.raises(ConfigError):
        SweepView("recall")


@pytest.mark.parametrize("width", [WIDTHS_IN["acl-column"], WIDTHS_IN["acl-text"]])
def test_paper_and_screen_draw_the_same_sweep(width: float) -> None:
    chart = sweep_chart([made_sweep(), made_sweep("second")], SweepView(relative=True), (), figure_5_shares())
    with paper_style():
        figure = plot_sweep(chart, width)
    axes = figure.axes[0]
    traces = {trace.name: trace for trace in draw_sweep(chart).data if trace.name}
    drawn = {line.get_label(): line for line in axes.get_lines()}
    for line in chart.lines:
        if line.kind != DENSE:
            assert np.allclose(drawn[line.name].get_xydata(), np.transpose([line.x, line.y]))
        assert (list(traces[line.name].x), list(traces[line.name].y)) == (line.x, line.y)
        if line.kind == SWEEP:
            assert drawn[line.name].get_color() == traces[line.name].line.color == line.style.colour
    # The band: matplotlib's polygon and plotly's closed line have the same corners.
    low, high = chart.lines[0].band
    corners = set(zip(2 * chart.lines[0].x, [*low, *high], strict=True))
    band = next(trace for trace in draw_sweep(chart).data if trace.fill)
    assert set(zip(band.x, band.y, strict=True)) == corners
    polygon = axes.collections[0].get_paths()[0].vertices
    assert all(np.isclose(polygon, corner).all(1).any() for corner in corners)
    # The star of FE2E and the ring of the elbow.
    (star,) = [container for container in axes.containers if container.get_label() == "dense, toy"]
    assert star.lines[0].get_xydata().tolist() == [[1, 1]]
    bars = traces["dense, toy"].error_y
    assert (bars.arrayminus[0], bars.array[0]) == pytest.approx((2 / 67, 3 / 67))
    assert np.allclose(star.lines[2][0].get_segments()[0][:, 1], [65 / 67, 70 / 67])
    assert [text.get_text() for text in axes.texts] == ["elbow, p = 0.5"] * 2
    rings = [trace for trace in draw_sweep(chart).data if trace.text and trace.marker.symbol == "circle-open"]
    assert [tuple(ring.text) for ring in rings] == [("elbow, p = 0.5",)] * 2 and rings[0].x[0] == 0.4
    # The titles.
    screen = draw_sweep(chart).layout
    for printed, shown, title in (
        (axes.get_xlabel(), screen.xaxis.title.text, chart.x_title),
        (axes.get_ylabel(), screen.yaxis.title.text, chart.y_title),
    ):
        assert printed.replace("\n", " ") == shown.replace("<br>", " ") == title
    assert draw_sweep(sweep_chart([made_sweep()], SweepView(log=True))).layout.xaxis.type == "log"


def test_a_title_that_its_axis_cannot_hold_stands_in_two_lines() -> None:
    assert broken("score", 4) == "score" and broken("cost, share", 11) == "cost, share"
    assert broken("cost of a clip, share of FE2E's", 30) == "cost of a clip,<br>share of FE2E's"


def test_lines_differ_without_their_colours() -> None:
    assert len({(style.dashes, style.marker) for style in LINE_STYLES}) == len(LINE_STYLES)
    assert len({(style.screen_dash, style.screen_symbol) for style in LINE_STYLES}) == len(LINE_STYLES)
    for dark in (False, True):
        assert len({style.on_screen(dark) for style in LINE_STYLES}) == len(LINE_STYLES)


def test_measured_times_out_of_order_get_bars_not_a_band() -> None:
    points = (made_point(0.2, 0.25, 60.0), replace(made_point(0.5, 0.4, 66.0), ms_per_clip=500.0),
              made_point(1.0, 0.9, 68.0))  # fmt: skip
    chart = sweep_chart([made_sweep(points=points)], SweepView(axis="ms"))
    assert not chart.lines[0].has_band and chart.lines[0].error_bars == ([2, 2, 2], [3, 3, 3])
    traces = draw_sweep(chart).data
    assert not any(trace.fill for trace in traces)
    assert (tuple(traces[0].error_y.arrayminus), tuple(traces[0].error_y.array)) == ((2, 2, 2), (3, 3, 3))
    with paper_style():
        axes = plot_sweep(chart, 3.03).axes[0]
    assert len(axes.collections) == 2 and len(axes.containers) == 2  # bars of the sweep and of FE2E, no band


def test_bars_add_up_to_the_layers_in_print_and_on_the_screen() -> None:
    record = made_sweep()
    chart = layers_chart(record, "gmac")
    totals = [sum(layer.macs for layer in point.macs_by_layer) / 1e9 for point in record.data.points]
    assert [sum(bar.amounts[i] for bar in chart.bars) for i in range(3)] == pytest.approx(totals)
    names = ["words: last layers", "face: first layers", "face: attention", "face: block 1", "voice: block 2"]
    assert [bar.name for bar in chart.bars] == names, "blocks are numbered as the attention's layers are"
    assert chart.top_ps == ("0.2", "0.5", "1")
    with paper_style():
        axes = plot_layers(chart, 3.03).axes[0]
    traces = draw_layers(chart).data
    printed = [[(patch.get_y(), patch.get_height()) for patch in bars] for bars in axes.containers]
    shown = [list(zip(trace.base, trace.y, strict=True)) for trace in traces]
    assert np.allclose(printed, shown)
    assert [sum(pair) for pair in shown[-1]] == pytest.approx(totals)
    assert [trace.marker.color for trace in traces] == [bar.colour for bar in chart.bars]
    assert [bool(trace.marker.pattern.shape) for trace in traces] == [bar.hatched for bar in chart.bars]


def test_boxes_have_the_same_marks_in_print_and_on_the_screen() -> None:
    clips = 101
    points = tuple(
        replace(made_point(p, 0.5, 60.0, clips), per_clip_ratio=(*(i / 100 for i in range(clips - 1)), None))
        for p in (0.5, 1.0)
    )
    chart = clip_cost_chart(made_sweep(clips=clips, points=points))
    values = np.arange(100) / 100  # the clip without face and sound does not count
    marks = [float(np.percentile(values, q)) for q in (2.5, 25, 50, 75, 97.5)]
    assert [box.marks for box in chart.boxes] == [pytest.approx(marks)] * 2
    boxes, outliers = draw_clip_cost(chart).data
    assert [v[1] for v in (boxes.lowerfence, boxes.q1, boxes.median, boxes.q3, boxes.upperfence)] == pytest.approx(
        marks
    )
    with paper_style():
        axes = plot_clip_cost(chart, 3.03).axes[0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0.5", "1"]
    box = axes.patches[0].get_path().vertices[:, 1]
    assert (box.min(), box.max()) == pytest.approx((marks[1], marks[3]))
    whiskers = sorted({round(float(y), 6) for line in axes.get_lines()[:2] for y in line.get_ydata()})
    assert (whiskers[0], whiskers[-1]) == pytest.approx((marks[0], marks[4]))
    dots = {float(y) for line in axes.get_lines() if line.get_marker() == "." for y in line.get_ydata()}
    assert dots == set(outliers.y) == {v for v in values if v < marks[0] or v > marks[4]}


def test_tables_of_a_sweep() -> None:
    record = made_sweep()
    table = chart_table(sweep_chart([record], SweepView(), (), figure_5_shares()))
    assert len(table.rows) == 4 and table.rows[1].cells[-1] == "elbow"
    assert table.rows[0].cells == ("made, toy", 0.2, 0.25, 60.0, 58.0, 63.0, "")
    assert len(layers_table(record, "gmac").rows) == 6
    assert clip_cost_table(record).rows[1].cells == ("clip01", *(p.per_clip_ratio[1] for p in record.data.points))
    lines = points_table(record.data).to_text().splitlines()
    assert len(lines) == 5 and lines[2].endswith("elbow") and lines[4].startswith("dense")
    assert "66.00" in lines[2] and "56.00" in lines[2] and "0.40" in lines[2] and "50.00" in lines[2]


def test_the_shipped_sweep_keeps_its_numbers(tmp_path: Path) -> None:
    record: Record[Sweep] = read_record(SHIPPED)
    assert record.data.elbow == 0.5 and record.data.elbow_point.average.wacc == 85.973
    assert record.data.elbow_point.macs_ratio == 0.3759 and record.data.reference is not None
    again = read_record(write_record(tmp_path, record))
    assert again == record
    for export in (sweep_export([record], SweepView()), layers_export(record), clip_cost_export(record)):
        assert record.provenance.source in export.command and export.name.endswith("marionette-mesm-marionette")


def test_a_small_corpus_of_the_same_name_hides_nothing(tmp_path: Path) -> None:
    """Forty own clips named marionette stand beside the shipped sweep of 600, each found by its corpus."""
    own, shipped = tmp_path / "own", tmp_path / "shipped"
    whole, small = CorpusId("marionette", "a" * 16), CorpusId("marionette", "b" * 16)
    sha = "9" * 64
    write_record(own, made_sweep("marionette-mesm", small, sha, clips=8))
    write_record(shipped, made_sweep("marionette-mesm", whole, sha, clips=60))
    store = RecordStore((own, shipped))
    assert len(store.find("sweep")) == 2

    def clips(corpus: CorpusId) -> int:
        record = store.first("sweep", checkpoint_sha256=sha, corpus=corpus)
        assert record is not None
        return int(record.data.clips)

    assert clips(whole) == 60 and clips(small) == 8
    assert store.first("sweep", checkpoint_sha256=sha, corpus=CorpusId("marionette", "c" * 16)) is None
    # A shipped record from before corpora had a digest is found by name, and never by another corpus's digest first.
    write_record(shipped, made_sweep("marionette-mesm", CorpusId("marionette"), sha, clips=70))
    assert clips(whole) == 60 and clips(CorpusId("marionette", "c" * 16)) == 70
    labels = label_sweeps(store.find("sweep"), {"marionette": whole})
    source = "marionette-mesm@marionette"
    assert {label: record.data.clips for label, record in labels.items()} == {
        source: 60, f"{source}@bbbbbbbb": 8, f"{source}, 70 clips": 70,
    }  # fmt: skip
    assert default_sweep(store, "marionette-mesm", sha, small) is labels[f"{source}@bbbbbbbb"]
    assert default_sweep(store, "marionette-mesm", "8" * 64, whole) is labels[source]  # other weights of this name
    assert default_sweep(store, "other", "8" * 64, whole) is None
    commands = {clip_cost_export(record).command for record in store.find("sweep")}
    assert len(commands) == 3, "each record has a command of its own"
    assert TOY.same(CorpusId("toy", "d" * 16)) and not whole.same(small)


def test_without_intervals_there_is_no_band_no_whisker_and_a_dash() -> None:
    chart = sweep_chart([with_points(made_sweep(), interval={})], SweepView())
    line = chart.lines[0]
    assert not line.has_band and np.isnan(line.error_bars).all()
    assert [row.cells[4:6] for row in chart_table(chart).rows][: len(line.points)] == [(None, None)] * len(line.points)
    draw_sweep(chart)
    plot_sweep(chart, 3.03)
