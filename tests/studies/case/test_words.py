"""Chart, table and sentence of the effect of each word, from made-up effects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mesm.analysis.what_if import WordEffects
from mesm.figures.page import paper_style
from mesm.studies.case.exports import export_words, pair_names
from mesm.studies.case.paper import plot_words
from mesm.studies.case.screen import chart_words
from mesm.studies.case.words import words_chart, words_sentence, words_table
from tests.figures.exhibit_records import made_prediction, made_sample
from tests.studies.case.test_exports import ORIGIN


def made_effects() -> WordEffects:
    before = made_prediction(made_sample())
    top = int(before.scores.argmax())
    scores = np.repeat(before.scores[None], 3, axis=0)
    scores[1, top] -= 0.25
    masks = {"visual": np.array([[0, 0, 0], [0.01, 0.02, 0.03], [0, 0, 0]]), "acoustic": np.zeros((3, 3))}
    share = np.full(len(before.labels), 0.9)
    return WordEffects(("so", "very", "so"), 0, before, scores, masks, share)


def test_the_chart_follows_the_top_label_or_the_chosen_emotion() -> None:
    effects = made_effects()
    top = effects.labels[int(effects.before.scores.argmax())]
    chart = words_chart(effects)
    assert chart.emotion == top and chart.words == ("so", "very", "so")
    np.testing.assert_allclose(chart.change, [0, -0.25, 0])
    np.testing.assert_allclose(chart.masks["visual"], [0, 2, 0])
    other = next(label for label in effects.labels if label != top)
    assert (words_chart(effects, other).change == 0).all()
    figure = chart_words(chart)
    assert len(figure.data) == 3 and list(figure.data[0].y) == [0, 1, 2], "a word that comes twice has two rows"
    assert list(figure.layout.yaxis.ticktext) == ["so  ", "very  ", "so  "]


def test_the_table_has_every_layer_and_both_scores() -> None:
    effects = made_effects()
    top = effects.labels[int(effects.before.scores.argmax())]
    other = next(label for label in effects.labels if label != top)
    table = words_table(effects, other)
    assert table.columns[:4] == ("word", f"change, {top}", f"change, {other}", "top label")
    assert table.columns[4:] == ("face L1", "face L2", "face L3", "voice L1", "voice L2", "voice L3")
    np.testing.assert_allclose(table.rows[1].cells[4:7], [1, 2, 3])
    assert words_table(effects).columns[1:3] == (f"change, {top}", "top label")


def test_the_sentence_states_what_is_seen() -> None:
    effects = made_effects()
    words = words_sentence(effects)
    assert "Without “very”, the score of" in words and "falls by 0.25, the largest change" in words
    assert "the face's without “very”, 2.0 % of the sites; the voice's without no word" in words
    assert "90 % of the words' effect on this score passes through the text branch, 10 % through the masks" in words
    assert "no text query" in words_sentence(effects, has_query=False)
    dense = replace(effects, masks={}, left_over=4)
    assert "no attention" in words_sentence(dense) and "4 follow" in words_sentence(dense)
    still = replace(effects, scores=np.repeat(effects.before.scores[None], 3, axis=0))
    assert words_sentence(still).startswith("No word alone changes the score of")


def test_the_figure_of_a_model_without_masks_has_one_panel() -> None:
    effects = made_effects()
    with paper_style():
        assert len(plot_words(words_chart(effects), 3.03).axes) == 2
        assert len(plot_words(words_chart(replace(effects, masks={})), 3.03).axes) == 1
    assert "xaxis2" not in chart_words(words_chart(replace(effects, masks={}))).layout


def test_the_export_and_its_command() -> None:
    sample, effects = made_sample(), made_effects()
    top = effects.labels[int(effects.before.scores.argmax())]
    other = next(label for label in effects.labels if label != top)
    export = export_words(sample, effects, ORIGIN, True, other)
    clip = f"mesm figure words made@toy@01234567 --clip {sample.clip_id} --top-p 0.5"
    assert export.command == f"{clip} --emotion {other}" and export.formats[:4] == ("pdf", "svg", "png", "csv")
    assert export_words(sample, effects, ORIGIN, True).command == clip


def test_the_names_and_the_option_of_a_changed_clip() -> None:
    assert pair_names("made", 0.5, text="it's so", without=("acoustic",)) == (
        ("the clip", "other words and no voice"),
        """--text='it'"'"'s so' --without acoustic""",
    )
    assert pair_names("made", 0.5, without=("visual", "acoustic"))[1] == "--without visual --without acoustic"
    assert pair_names("made", 0.5, text="")[1] == "--text=''"
