"""Charts: what their artists hold, and that they agree with the app's theme."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mesm.batch import Sample
from mesm.figures.style import DARK, EMOTION_COLOURS, LIGHT, MODALITY_SIGNS, MODALITY_WORDS, emotion_colour
from mesm.records.prediction import LayerTrace, Prediction
from mesm.studies.case.captions import (
    kept_sentence,
    modality_caption,
    mosaic_caption,
    printed_caption,
    quality_words,
    scores_alt,
    truth_words,
)
from mesm.studies.case.chart_data import pair_chart, scores_chart
from mesm.studies.case.mosaic import OVERLAYS, MosaicStyle
from mesm.studies.case.screen import chart_pair, chart_scores, chart_work
from mesm.studies.learning.chart_data import learning_chart
from mesm.studies.learning.screen import draw_learning_curves
from mesm.vocabulary import CORPUS_LABELS, EMOTIONS, MODALITIES

LABELS = CORPUS_LABELS["marionette"]
PREDICTION = Prediction(
    "c",
    LABELS,
    np.array([0.1, 0.2, 0.9, 0.3, 0.4, 0.5]),
    np.array([0.5, 0.5, 0.6, 0.5, 0.45, 0.5]),
    {"text": np.full(6, 0.25), "acoustic": np.full(6, 0.75)},
    {"text": 0.4, "acoustic": 0.6},
    macs={"stem": 2_000_000_000, "attention": 100_000_000, "conv": 900_000_000, "conv_stack": 3_000_000_000,
          "fe2e_conv_stack": 6_000_000_000, "total": 4_000_000_000},
)  # fmt: skip


def test_scores_are_drawn_as_they_are() -> None:
    figure = chart_scores(scores_chart(PREDICTION, {"fear": 2.0, "anger": 0.0}))
    bars, thresholds, *branches = figure.data
    assert list(bars.x) == PREDICTION.scores.tolist()
    assert list(bars.marker.color) == [EMOTION_COLOURS[name] for name in LABELS]
    assert list(thresholds.x) == PREDICTION.thresholds.tolist()
    assert [b.name for b in branches] == ["words alone", "voice alone"]
    assert [b.marker.symbol for b in branches] == [MODALITY_SIGNS["text"], MODALITY_SIGNS["acoustic"]]
    assert list(branches[1].x) == [0.75] * 6
    assert bars.y[2] == "<b>fear ✓ 2</b>" and bars.y[0] == "anger"
    assert list(figure.layout.yaxis.categoryarray) == list(bars.y)[::-1]  # the first emotion on top


def test_work_adds_up_to_the_conv_stack() -> None:
    figure = chart_work(PREDICTION.macs)
    own = sum(trace.x[0] for trace in figure.data)
    dense = sum(trace.x[1] for trace in figure.data)
    assert own == pytest.approx(PREDICTION.macs["conv_stack"] / 1e9)
    assert dense == pytest.approx(PREDICTION.macs["fe2e_conv_stack"] / 1e9)


def test_a_legend_is_tied_to_the_picture() -> None:
    for figure in (
        chart_scores(scores_chart(PREDICTION)),
        chart_work(PREDICTION.macs),
        draw_learning_curves(learning_chart([])),
    ):
        legend = figure.layout.legend  # tied to the plot, it lies on the points after the window has grown
        assert (legend.yref, legend.y, legend.yanchor) == ("container", 1, "top")


def test_of_two_predictions_the_first_stands_above() -> None:
    below, above = chart_pair(pair_chart((PREDICTION, PREDICTION), ("one", "two"))).data
    assert (above.name, below.name) == ("one", "two")


def test_every_name_has_a_colour_of_its_own() -> None:
    assert set(EMOTION_COLOURS) == set(EMOTIONS)
    assert len(set(EMOTION_COLOURS.values())) == len(EMOTIONS)
    assert set(MODALITY_WORDS) == set(MODALITY_SIGNS) == set(MODALITIES)
    assert emotion_colour("frustrated", dark=True) == DARK.ink


def test_pictures_have_the_ground_of_the_page() -> None:
    config = tomllib.loads((Path(__file__).parents[2] / ".streamlit" / "config.toml").read_text())
    for name, theme in (("light", LIGHT), ("dark", DARK)):
        assert config["theme"][name]["backgroundColor"] == theme.ground
        assert config["theme"][name]["textColor"] == theme.ink


def test_captions_count() -> None:
    kept = np.zeros((2, 6, 6), bool)
    kept[0, :3] = True
    layer = LayerTrace(np.zeros(kept.shape, np.float32), kept, np.ones_like(kept))
    assert kept_sentence((layer,), (0, 2)) == "L1 keeps 18 of 72 sites (25 %)."
    assert "every site" in mosaic_caption((), MosaicStyle())
    assert len({mosaic_caption((layer,), MosaicStyle(overlay=o)) for o in OVERLAYS}) == len(OVERLAYS)


def test_what_is_not_scored_is_not_said_to_be_computed() -> None:
    style, faces, mel = MosaicStyle(), np.zeros((1, 48, 48, 3), np.uint8), np.zeros((2, 128, 32), np.float16)
    sample = Sample("c", "", faces, mel, 1.0)  # PREDICTION has scores of words and voice
    assert modality_caption("acoustic", sample, PREDICTION, style) == "Voice: No mask: every site is computed."
    assert modality_caption("visual", sample, PREDICTION, style) == "Face: this checkpoint scores without it."
    silent = replace(sample, faces=faces[:0], mel=mel[:0])
    assert modality_caption("acoustic", silent, PREDICTION, style) == "Voice: no sound in this clip."
    assert modality_caption("visual", silent, PREDICTION, style) == "Face: no picture in this clip."


def test_a_printed_caption_explains_all_that_is_drawn() -> None:
    kept = np.ones((2, 4, 4), bool)
    kept[1, :, 2:] = False
    plain = LayerTrace(np.zeros(kept.shape, np.float32), kept, np.ones_like(kept))
    padded = replace(plain, padding=~kept)
    loudest = MosaicStyle(layers=(0,), loudest_only=True)
    assert printed_caption({"visual": (plain,), "acoustic": (padded,)}, loudest, has_sound=True) == (
        "Face: L1 keeps 24 of 32 sites (75 %). Voice: L1 keeps 24 of 24 sites (100 %). "
        "Faded: dropped here. Later layers see only what is in full colour. "
        "Hatched: padding after the end of the sound, not counted. "
        "Only the highest 10 % of the mel values are drawn."
    )
    dense = "No mask: every site is computed."
    assert printed_caption({}, loudest, has_sound=True) == f"{dense} Only the highest 10 % of the mel values are drawn."
    assert printed_caption({}, loudest, has_sound=False) == dense


def test_words_for_labels_and_flags() -> None:
    assert truth_words({"anger": 0, "fear": 1, "surprise": 2.5}) == "surprise 2.5, fear 1"
    assert truth_words({"anger": 0}) == "none of the emotions"
    assert truth_words(None) == "no labels"
    assert quality_words(()) == ""
    assert quality_words(("no_audio", "unheard_of")) == "There is no sound; unheard of."
    assert scores_alt(PREDICTION).startswith("Bar chart of the scores: fear 0.90, surprise 0.50")
