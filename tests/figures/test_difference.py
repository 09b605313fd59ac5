"""Differences of two masks, and the charts of one clip."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mesm.batch import MEL_BANDS, Sample
from mesm.figures import overlay
from mesm.figures.page import paper_style
from mesm.figures.style import LIGHT, rgb
from mesm.records.prediction import LayerTrace, Prediction
from mesm.studies.case.chart_data import ScoresOverPChart, pair_chart
from mesm.studies.case.difference import (
    FIRST_COLOUR,
    SECOND_COLOUR,
    TINT,
    difference_caption,
    difference_mosaics,
    overlap,
    overlaps,
)
from mesm.studies.case.mosaic import AXIS_PX, GAP_PX, GUTTER_PX, WORDS_PX, MosaicStyle, fit_window
from mesm.studies.case.paper import plot_pair
from mesm.studies.case.screen import chart_pair, chart_scores_over_p


def layer(kept: np.ndarray) -> LayerTrace:
    return LayerTrace(kept / max(kept.sum(), 1), kept, np.ones_like(kept))


def test_each_kind_of_site_has_its_colour() -> None:
    """One grey face, a 2 x 2 grid: both, only the first, only the second, neither."""
    sample = Sample("c", "", np.full((1, 48, 48, 3), 100, np.uint8), np.zeros((0, 128, 32), np.float16), 0.5)
    first, second = np.array([[[1, 1], [0, 0]]], bool), np.array([[[1, 0], [1, 0]]], bool)
    style = MosaicStyle(opacity=0.8, layers=(0,))
    window = fit_window(0.5)
    faces, _ = difference_mosaics(sample, {"visual": (layer(first),)}, {"visual": (layer(second),)}, window, style)
    top = AXIS_PX + WORDS_PX + window.face_px + GAP_PX
    half, quarter = window.face_px // 2, window.face_px // 4
    seen = [faces[top + quarter + y * half, GUTTER_PX + quarter + x * half].tolist() for y in (0, 1) for x in (0, 1)]
    grey = np.full((1, 3), 100, np.uint8)
    wanted = [grey] + [overlay.blend(grey, rgb(c), TINT) for c in (FIRST_COLOUR, SECOND_COLOUR)]
    wanted.append(overlay.blend(grey, rgb(LIGHT.ground), 0.8))
    assert seen == [w[0].tolist() for w in wanted]
    assert overlap(layer(first), layer(second)) == 1 / 3
    legend = difference_caption(overlaps([layer(first)], [layer(second)], (0, 1)), ("p = 0.5", "p = 1"))
    assert "L1 33 %" in legend and "only by p = 0.5" in legend and "L2" not in legend


def test_the_colours_of_a_difference_lie_on_a_grey_spectrogram() -> None:
    mel = np.random.default_rng(0).normal(-3, 1, (2, 128, 32)).astype(np.float16)
    sample = Sample("c", "", np.zeros((0, 48, 48, 3), np.uint8), mel, 0.8)
    kept = layer(np.ones((2, 64, 16), bool))
    style = MosaicStyle(layers=(0,))
    _, sounds = difference_mosaics(sample, {"acoustic": (kept,)}, {"acoustic": (kept,)}, fit_window(0.8), style)
    heard = sounds[MEL_BANDS + GAP_PX :, GUTTER_PX : GUTTER_PX + 200][:MEL_BANDS].astype(int)
    assert np.ptp(heard, axis=-1).max() == 0 and np.ptp(heard) > 100, "both kept all of it: neither colour is there"


def test_padding_is_hatched_and_not_shared() -> None:
    """At p = 1 a mask holds the padding too: it is neither a difference in the picture nor in the overlap."""
    mel = np.full((1, 128, 32), -3, np.float16)
    sample = Sample("c", "", np.zeros((0, 48, 48, 3), np.uint8), mel, 0.2)
    padding = np.arange(16) >= 8
    kept = np.zeros((1, 64, 16), bool)
    kept[..., :4] = True
    ours, theirs = (replace(layer(k), padding=np.broadcast_to(padding, k.shape)) for k in (kept, np.ones_like(kept)))
    assert overlap(ours, theirs) == 0.5
    style = MosaicStyle(layers=(0,))
    _, sounds = difference_mosaics(sample, {"acoustic": (ours,)}, {"acoustic": (theirs,)}, fit_window(0.4), style)
    row = sounds[MEL_BANDS + GAP_PX :, GUTTER_PX:].astype(int)
    coloured = np.flatnonzero((np.ptp(row, axis=-1) > 40).any(axis=0))
    assert coloured.tolist() == list(range(60, 120)), "of 240 columns of the chunk the first half is sound"


def test_nothing_to_compare_is_no_error() -> None:
    empty = Sample("c", "", np.zeros((0, 48, 48, 3), np.uint8), np.zeros((0, 128, 32), np.float16), 1.0)
    for picture in difference_mosaics(empty, {}, {}, fit_window(1.0), MosaicStyle()):
        assert picture.ndim == 3
    none = layer(np.zeros((1, 2, 2), bool))
    assert overlap(none, none) == 1.0


def prediction(labels: tuple[str, ...], scores: list[float]) -> Prediction:
    return Prediction("c", labels, np.array(scores), np.full(len(labels), 0.5), {}, {})


def test_two_predictions_stand_side_by_side() -> None:
    pair = prediction(("anger", "fear"), [0.1, 0.9]), prediction(("fear", "surprise"), [0.4, 0.2])
    chart = pair_chart(pair, ("a", "b"), {"fear": 2})
    assert chart.labels == ("fear",) and chart.largest_change == 0.5
    with paper_style():
        printed = plot_pair(chart, 3.03).axes[0]
    assert [bar.get_width() for bar in printed.patches] == [0.9, 0.4]
    assert printed.patches[0].get_facecolor() != printed.patches[1].get_facecolor() == (1, 1, 1, 1)
    figure = chart_pair(chart)
    assert {bar.name: list(bar.x) for bar in figure.data} == {"a": [0.9], "b": [0.4]}
    assert "fear" in figure.data[0].y[0] and "2" in figure.data[0].y[0]


def test_scores_over_p_with_marks() -> None:
    scores = np.array([[0.9, 0.2], [0.1, 0.8]])
    chart = ScoresOverPChart(("anger", "fear"), (0.0, 0.0), np.array([0.5, 1.0]), scores, {"flips": 0.5})
    figure = chart_scores_over_p(chart)
    assert list(figure.data[1].y) == [0.2, 0.8]
    assert figure.layout.shapes[0].x0 == 0.5 and figure.layout.annotations[0].text == "flips"
