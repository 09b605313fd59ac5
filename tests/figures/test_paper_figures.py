"""What the printed figures draw: their artists' data, and the pixels of the screen's mosaic."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesm.errors import ConfigError
from mesm.figures.page import paper_style
from mesm.figures.privacy import default_privacy, private_faces
from mesm.studies.case.chart_data import scores_chart
from mesm.studies.case.mosaic import BODY_PX, GUTTER_PX, MosaicStyle, draw, face_scene, fit_window
from mesm.studies.case.mosaic_paper import plot_mosaic
from mesm.studies.case.paper import plot_scores
from tests.figures.exhibit_records import made_prediction, made_sample


@pytest.mark.parametrize("overlay", ["mask", "heat map", "points", "contours"])
def test_the_printed_case_has_the_pixels_of_the_screen(overlay: str) -> None:
    sample = made_sample()
    prediction = made_prediction(sample)
    window, style = fit_window(sample.duration_s), MosaicStyle(overlay=overlay)
    assert prediction.trace is not None
    layers = prediction.trace.layers
    scene = face_scene(sample, window, style)
    screen = draw(scene, layers["visual"])
    with paper_style():
        figure = plot_mosaic(sample, layers, window, style, 3.03)
    rows = [axes for axes in figure.axes if axes.images]
    assert len(rows) == 8  # faces and three layers, spectrogram and three layers
    side = window.face_px
    for row, top in zip(rows[:4], scene.tops, strict=True):
        assert len(row.images) == len(sample.faces)
        for image, x in zip(row.images, scene.columns, strict=True):
            pixels = np.asarray(image.get_array())
            times = len(pixels) // side
            cut = screen[top : top + side, x : x + side]
            assert np.array_equal(pixels[::times, ::times][:, : cut.shape[1]], cut)
            left, right, _, _ = image.get_extent()
            assert left == pytest.approx((x - GUTTER_PX) * window.span_s / BODY_PX)
            inches = (right - left) / np.diff(row.get_xlim())[0] * row.get_position().width * 3.03
            assert pixels.shape[1] / inches >= 299  # resolution of print
    assert any("$5" in text.get_text() for axes in figure.axes for text in axes.texts)


def test_a_case_without_faces_or_without_sound() -> None:
    for sample in (made_sample(frames=0), made_sample(chunks=0), made_sample(frames=16, chunks=20)):
        prediction = made_prediction(sample)
        assert prediction.trace is not None
        with paper_style():
            figure = plot_mosaic(sample, prediction.trace.layers, fit_window(sample.duration_s), MosaicStyle(), 3.03)
            plain = plot_mosaic(sample, {}, fit_window(sample.duration_s), MosaicStyle(), 3.03)
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
        axes = plot_scores(scores_chart(prediction, {"anger": 2.0}), 3.03).axes[0]
    assert [patch.get_width() for patch in axes.patches] == pytest.approx(prediction.scores.tolist())
    weights = {label.get_text(): label.get_fontweight() for label in axes.get_yticklabels()}
    assert weights["anger"] == "bold" and weights["fear"] == "normal"
