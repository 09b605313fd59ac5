"""What the printed figures draw: their artists' data, and the pixels of the screen's mosaic."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesm.errors import ConfigError
from mesm.figures.page import paper_style
from mesm.figures.privacy import default_privacy, private_faces
from mesm.studies.case.mosaic import BODY_PX, GUTTER_PX, Look, face_mosaic, face_scene, fit_strip
from mesm.studies.case.paper import plot_case
from mesm.studies.case.scores_paper import plot_scores
from mesm.studies.reproduction.reported import figure_5_shares
from mesm.studies.sweep.chart_data import (
    DENSE,
    REPORTED,
    SWEEP,
    View,
    bands_of,
    dense_by_corpus,
    frontier_table,
    layers_of,
    layers_table,
    read_curves,
    spread_table,
)
from mesm.studies.sweep.paper import plot_frontier, plot_layers, plot_spread
from mesm.studies.sweep.screen import chart_frontier, chart_layers, chart_spread
from tests.figures.exhibit_records import evaluation_record, made_prediction, made_sample, sweep_record


def test_curves_are_the_records_rows() -> None:
    record = sweep_record()
    ours, dense = read_curves([record], View("f1", "ms"))
    assert [p.x for p in ours.points] == [row["ms_per_clip"] for row in record["data"]["rows"]]
    assert [(p.y, p.low, p.high) for p in ours.points] == [(50, 48, 52), (56, 54, 58), (58, 56, 60)]
    assert [p.elbow for p in ours.points] == [False, True, False]
    assert dense.kind == DENSE and dense.points[0].top_p is None


def test_relative_scores_put_fe2e_at_one_and_the_paper_beside() -> None:
    ours, dense, paper = read_curves([sweep_record()], View(relative=True), None, figure_5_shares())
    assert (ours.kind, dense.kind, paper.kind) == (SWEEP, DENSE, REPORTED)
    assert dense.points[0].y == 1 and dense.points[0].x == 1
    assert paper.points[-1].x == paper.points[-1].y == 1
    assert paper.points[0].x == pytest.approx(2.93 / 8.65) and paper.points[0].y == pytest.approx(62.4 / 84.5)
    assert all(c.kind != REPORTED for c in read_curves([sweep_record()], View(), None, figure_5_shares()))


def test_units_differ_by_two() -> None:
    macs, flops = (read_curves([sweep_record()], View(axis=axis))[0].points for axis in ("gmac", "gflop"))
    assert [2 * p.x for p in macs] == pytest.approx([p.x for p in flops])
    (_, layers_mac), (_, layers_flop) = (layers_of(sweep_record(), unit) for unit in ("gmac", "gflop"))
    assert [2 * a for a in layers_mac[0].amounts] == pytest.approx(layers_flop[0].amounts)


def test_fe2e_comes_from_an_evaluation_on_the_same_clips_only() -> None:
    alone = sweep_record(against=False)
    fe2e = evaluation_record("dense", top_p=None)
    known = dense_by_corpus([evaluation_record(), fe2e])
    assert known == {"toy": fe2e}
    assert [c.kind for c in read_curves([alone], View(), known)] == [SWEEP, DENSE]
    assert [c.kind for c in read_curves([alone], View(axis="ms"), known)] == [SWEEP]  # nobody timed it
    fewer = {"toy": replace(fe2e, data=replace(fe2e.data, clips=7))}
    assert [c.kind for c in read_curves([alone], View(), fewer)] == [SWEEP]
    with pytest.raises(DataError, match="--against"):
        read_curves([alone], View(relative=True), fewer)


def test_a_record_from_before_says_how_to_make_it_again() -> None:
    old = sweep_record()
    for row in old["data"]["rows"]:
        del row["macs"], row["macs_by_layer"]
    assert read_curves([old], View())
    with pytest.raises(DataError, match="make it again"):
        read_curves([old], View(axis="gmac"))
    with pytest.raises(DataError, match="make it again"):
        layers_of(old, "gmac")
    with pytest.raises(ConfigError):
        View("recall")


@pytest.mark.parametrize("width", [WIDTHS_IN["acl-column"], WIDTHS_IN["acl-text"]])
def test_the_printed_frontier_draws_the_points(width: float) -> None:
    curves = read_curves([sweep_record()], View(relative=True), None, figure_5_shares())
    with paper_style():
        axes = plot_frontier(curves, View(relative=True), width).axes[0]
    drawn = {line.get_label(): line.get_xydata() for line in axes.get_lines()}
    assert np.allclose(drawn[curves[0].name], [(p.x, p.y) for p in curves[0].points])
    assert np.allclose(drawn[curves[2].name], [(p.x, p.y) for p in curves[2].points])
    assert any("elbow, p = 0.5" in text.get_text() for text in axes.texts)
    lines = [line for line in axes.get_lines() if line.get_label() in (curves[0].name, curves[2].name)]
    assert len({(line.get_linestyle(), line.get_marker()) for line in lines}) == 2


def test_the_screen_draws_the_same_points() -> None:
    curves = read_curves([sweep_record()], View())
    figure = chart_frontier(curves, View())
    line = next(t for t in figure.data if t.name == curves[0].name)
    assert list(line.x) == [p.x for p in curves[0].points] and list(line.y) == [p.y for p in curves[0].points]
    assert chart_frontier(curves, View(log=True)).layout.xaxis.type == "log"
    top_ps, layers = layers_of(sweep_record(), "gmac")
    assert len(chart_layers(top_ps, bands_of(layers), "gmac").data) == len(bands_of(layers))
    shares = tuple(range(101))
    box = chart_spread([(0.5, shares), (1.0, shares)]).data[0]
    assert [v[1] for v in (box.lowerfence, box.q1, box.median, box.q3, box.upperfence)] == [2.5, 25, 50, 75, 97.5]


def test_measured_times_out_of_order_get_bars_not_a_band() -> None:
    record = sweep_record()
    record["data"]["rows"][1]["ms_per_clip"] = 500.0
    curves = read_curves([record], View(axis="ms"))
    assert not curves[0].in_order and curves[0].reach == ([2, 2, 2], [2, 2, 2])
    assert not any(trace.fill for trace in chart_frontier(curves, View(axis="ms")).data)
    with paper_style():
        axes = plot_frontier(curves, View(axis="ms"), 3.03).axes[0]
    assert len(axes.collections) == 2 and len(axes.containers) == 2  # bars of the sweep and of FE2E, no band


def test_bands_add_up_to_the_layers() -> None:
    record = sweep_record()
    top_ps, layers = layers_of(record, "gmac")
    bands = bands_of(layers)
    for i, row in enumerate(record["data"]["rows"]):
        whole = sum(entry["macs"] for entry in row["macs_by_layer"]) / 1e9
        assert sum(band.amounts[i] for band in bands) == pytest.approx(whole)
    assert [b.name for b in bands][:3] == ["words: last layers", "face: first layers", "face: attention"]
    assert [b.name for b in bands][3:] == ["face: block 1", "voice: block 2"], "numbers of the attention's layers"
    with paper_style():
        axes = plot_layers(top_ps, bands, "gmac", 3.03).axes[0]
        spread = plot_spread([(0.2, [0.1, 0.2, 0.3]), (0.5, [0.4, 0.5])], 3.03).axes[0]
    tops = max(patch.get_y() + patch.get_height() for patch in axes.patches)
    assert tops == pytest.approx(max(sum(b.amounts[i] for b in bands) for i in range(3)))
    assert [t.get_text() for t in spread.get_xticklabels()] == ["0.2", "0.5"]


def test_tables_of_a_sweep() -> None:
    record = sweep_record()
    table = frontier_table(read_curves([record], View(), None, figure_5_shares()), View())
    assert len(table.rows) == 4 and table.rows[1].cells[-1] == "elbow"
    assert len(layers_table(record, "gmac").rows) == 6
    assert [row.cells[0] for row in spread_table(record).rows][:2] == ["clip00", "clip01"]


@pytest.mark.parametrize("overlay", ["mask", "heat map", "points", "contours"])
def test_the_printed_case_has_the_pixels_of_the_screen(overlay: str) -> None:
    sample = made_sample()
    prediction = made_prediction(sample)
    strip, look = fit_strip(sample.duration_s), Look(overlay=overlay)
    assert prediction.trace is not None
    layers = prediction.trace.layers
    screen = face_mosaic(sample, layers["visual"], strip, look)
    scene = face_scene(sample, strip, look)
    with paper_style():
        figure = plot_case(sample, layers, strip, look, 3.03)
    rows = [axes for axes in figure.axes if axes.images]
    assert len(rows) == 8  # faces and three layers, spectrogram and three layers
    side = strip.face_px
    for row, top in zip(rows[:4], scene.tops, strict=True):
        assert len(row.images) == len(sample.faces)
        for image, x in zip(row.images, scene.columns, strict=True):
            pixels = np.asarray(image.get_array())
            times = len(pixels) // side
            cut = screen[top : top + side, x : x + side]
            assert np.array_equal(pixels[::times, ::times][:, : cut.shape[1]], cut)
            left, right, _, _ = image.get_extent()
            assert left == pytest.approx((x - GUTTER_PX) * strip.span_s / BODY_PX)
            inches = (right - left) / np.diff(row.get_xlim())[0] * row.get_position().width * 3.03
            assert pixels.shape[1] / inches >= 299  # resolution of print
    assert any("$5" in text.get_text() for axes in figure.axes for text in axes.texts)


def test_a_case_without_faces_or_without_sound() -> None:
    for sample in (made_sample(frames=0), made_sample(chunks=0), made_sample(frames=16, chunks=20)):
        prediction = made_prediction(sample)
        assert prediction.trace is not None
        with paper_style():
            figure = plot_case(sample, prediction.trace.layers, fit_strip(sample.duration_s), Look(), 3.03)
            plain = plot_case(sample, {}, fit_strip(sample.duration_s), Look(), 3.03)
        assert figure.get_figwidth() == 3.03
        rows = (len(sample.faces) > 0) + (len(sample.mel) > 0)
        assert len([a for a in figure.axes if a.images]) == 4 * rows
        assert len([a for a in plain.axes if a.images]) == rows


def test_privacy_hides_the_face_and_nothing_else() -> None:
    sample = replace(made_sample(), faces_large=np.zeros((5, 96, 96, 3), np.uint8), media="clip.mp4")
    assert private_faces(sample, "none") is sample
    for privacy in ("blur", "sketch"):
        hidden = private_faces(sample, privacy)
        assert hidden.faces.shape == sample.faces.shape and not len(hidden.faces_large) and not hidden.media
        assert np.array_equal(hidden.mel, sample.mel) and hidden.words == sample.words
    # Changing any detail inside the squares leaves a blurred face as it was: it cannot be undone.
    shuffled = sample.faces.reshape(5, 4, 12, 4, 12, 3)[:, :, ::-1].reshape(sample.faces.shape)
    assert np.array_equal(
        private_faces(replace(sample, faces=shuffled), "blur").faces, private_faces(sample, "blur").faces
    )
    # A sketch knows the landmarks only.
    other = replace(sample, faces=255 - sample.faces)
    assert np.array_equal(private_faces(other, "sketch").faces, private_faces(sample, "sketch").faces)
    with pytest.raises(ConfigError, match="--privacy"):
        private_faces(sample, "hide")


def test_privacy_is_on_unless_the_licence_gives_faces_away() -> None:
    assert default_privacy("CC0-1.0") == "none"
    for licence in ("", "signed release form", "CC BY-NC-SA 4.0", "ODbL"):
        assert default_privacy(licence) == "blur"


def test_scores_in_print() -> None:
    prediction = made_prediction(made_sample())
    with paper_style():
        axes = plot_scores(prediction, {"anger": 2.0}, 3.03).axes[0]
    assert [patch.get_width() for patch in axes.patches] == pytest.approx(prediction.scores.tolist())
    weights = {label.get_text(): label.get_fontweight() for label in axes.get_yticklabels()}
    assert weights["anger"] == "bold" and weights["fear"] == "normal"
