"""What the printed figures draw: their artists' data, and the pixels of the screen's mosaic."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesm.errors import ConfigError
from mesm.figures.page import paper_style
from mesm.figures.privacy import default_privacy, private_faces
from mesm.studies.case.chart_data import scores_chart
from mesm.studies.case.mosaic import BODY_PX, GUTTER_PX, MosaicStyle, face_mosaic, face_scene, fit_window
from mesm.studies.case.mosaic_paper import plot_mosaic
from mesm.studies.case.paper import plot_scores
from mesm.studies.evaluation import breakdown
from mesm.studies.evaluation import exports as results
from mesm.studies.evaluation.paper import plot_matrix, plot_reliability, row_shares
from mesm.studies.reproduction.reported import TABLE_4, TABLE_5
from tests.figures.exhibit_records import LABELS, evaluation_record, made_prediction, made_sample


@pytest.mark.parametrize("overlay", ["mask", "heat map", "points", "contours"])
def test_the_printed_case_has_the_pixels_of_the_screen(overlay: str) -> None:
    sample = made_sample()
    prediction = made_prediction(sample)
    window, style = fit_window(sample.duration_s), MosaicStyle(overlay=overlay)
    assert prediction.trace is not None
    layers = prediction.trace.layers
    screen = face_mosaic(sample, layers["visual"], window, style)
    scene = face_scene(sample, window, style)
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


def test_matrices_and_bins_in_print() -> None:
    found = breakdown.scored(evaluation_record()["data"])
    names, counts = breakdown.confusion(found)
    assert np.allclose(row_shares(counts).sum(axis=1)[counts.sum(axis=1) > 0], 1)
    pairs = breakdown.cooccurrence(found.truth_NE)
    assert np.allclose(np.diag(row_shares(pairs))[np.diag(pairs) > 0], 1)
    with paper_style():
        axes = plot_matrix([("", counts)], names, 3.03).axes[0]
        both = plot_matrix([("true", pairs), ("decided", pairs)], LABELS, 3.03)
        calibration = plot_reliability(breakdown.reliability(found).bins, 3.03).axes[0]
    assert [t.get_text() for t in axes.texts] == [str(v) for v in counts.ravel()]
    assert axes.images[0].get_cmap().name == "cividis"
    assert len([a for a in both.axes if a.images]) == 2
    assert calibration.get_ylim() == (0, 1)


def test_the_papers_tables_beside_ours() -> None:
    ours = [evaluation_record("dense", None), evaluation_record()]
    exhibit = results.scores_table(ours, 4, "wacc", TABLE_4.rows, TABLE_4.corpus)
    assert exhibit.table is not None
    rows = exhibit.table.rows
    assert [r.cells[0] for r in rows] == [
        "dense",
        "made, p = 0.5",
        *(r.model for r in TABLE_4.rows),
        "never",
        "always",
        "chance",
    ]
    assert all(r.ranked for r in rows[:2]) and not any(r.ranked for r in rows[2:])
    assert rows[7].cells[-4:] == (66.8, None, 46.8, None)  # MESM as reported
    assert exhibit.table.names[2:4] == ("anger WAcc", "anger F1") and exhibit.table.spans[-1] == ("average", 14, 17)
    low, high = ours[1]["data"]["interval"]["wacc"]
    assert rows[1].cells[15] == f"{low:.1f} to {high:.1f}" and len(set(exhibit.table.names)) == 18
    several = ours[1] | {"data": ours[1]["data"] | {"runs": [{}, {}, {}], "spread": {"wacc": 0.5}}}
    means = results.scores_table([*ours, several], 4, "wacc").table
    assert means is not None and means.rows[2].cells[0] == "made, p = 0.5, 3 seeds" and means.rows[2].spread[14] == 0.5
    foreign = results.scores_table(ours, 4, "wacc", (replace(TABLE_4.rows[0], scores={}),), "elsewhere")
    assert foreign.table is not None and foreign.table.rows[2].cells[2] is None


def test_table_5_with_and_without_ours() -> None:
    assert len(results.reported_ablation(TABLE_5).table.rows) == 10  # type: ignore[union-attr]
    line = {"row": "fe2e-TA", "group": "FE2E, modalities", "what": "FE2E on TA", "accuracy": 80.0, "wacc": 70.0,
            "f1": 50.0, "macs_ratio": 1.0, "spread": {"wacc": 1.5}, "interval": {"f1": (47.04, 52.0)}}  # fmt: skip
    record = {
        "kind": "ablation",
        "provenance": {"checkpoint": "", "corpus": "toy", "created": "2026-11-23T13:03:33+00:00"},
        "data": {"rows": [line, line | {"group": "gate"}], "seeds": [0, 1],
                 "setting": {"split": "test", "width": 0.125, "epochs": 6}},
    }  # fmt: skip
    table = results.ablation_table(record, TABLE_5).table
    assert table is not None and len(table.rows) == 11
    assert table.rows[0].cells[2:8] == (80.0, None, 50.0, "47.0 to 52.0", 70.0, None) and table.rows[0].spread[6] == 1.5
    assert table.rows[1].cells[0] == "FE2E" and "every row trained" in results.ablation_table(record, TABLE_5).caption
    line["loaded"] = ["marionette-fe2e", None]
    assert "fe2e-TA loaded, the others trained" in results.ablation_table(record, TABLE_5).caption
