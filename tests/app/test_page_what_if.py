"""Case studies: a changed clip beside the clip, each word left out, the clips of a part, the traces of a filter."""

from __future__ import annotations

import io
import shlex
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from mesm.analysis.predictor import load
from mesm.analysis.what_if import change_clip
from mesm.cli import parser
from mesm.data.store import Corpus
from mesm.studies.case.exports import ABSENT_NOTE
from mesm.ui.case_studies import trace_export
from mesm.ui.corpora import OpenCorpus
from mesm.ui.models import open_model
from tests.app.app_page import open_page, texts
from tests.app.conftest import CLIPS

CASE = {"checkpoint": "tiny-mesm", "corpus": "noise", "clip": "clip04", "p": "0.4", "what-if": "true"}
KEY = "what-if-{}-"


def widget(widgets: object, part: str) -> object:
    return next(one for one in widgets if one.key and one.key.startswith(KEY.format(part)))  # type: ignore[attr-defined]


def trouble(page: AppTest) -> list[str]:
    return [e.message for e in page.exception] + [e.value for e in page.error]


def test_other_words_and_no_voice(home: Path) -> None:
    page = open_page("pages/case_studies.py", **CASE)
    assert trouble(page) == []
    words = texts(page)
    assert "Edit the words" in words and "Each word left out" in words and "the score of" in words
    widget(page.text_input, "text").set_value("The tide comes in").run()
    widget(page.toggle, "acoustic").set_value(True).run()
    assert trouble(page) == [] and ABSENT_NOTE in texts(page)
    predictor, sample = load("tiny-mesm", "cpu"), Corpus(home / "corpora" / "noise")["clip04"]
    first = predictor.run(predictor.prepare(sample), 0.4)
    second = predictor.run(predictor.prepare(change_clip(sample, "The tide comes in", ("acoustic",))), 0.4)
    shown = {metric.label: metric.value for metric in page.metric}
    top = int(second.scores.argmax())
    assert shown["Top score, other words and no voice"] == f"{second.labels[top]} {second.scores[top]:.2f}"
    assert shown["Largest change of a score"] == f"{np.abs(second.scores - first.scores).max():.2f}"
    widget(page.toggle, "visual").set_value(True).run()
    assert trouble(page) == [], "the words alone are scored"
    widget(page.text_input, "text").set_value("").run()
    assert len(page.error) == 1 and "nothing can be scored" in page.error[0].value
    next(button for button in page.button if button.key == "what-if-undo").click().run()
    assert trouble(page) == [] and "Edit the words" in texts(page)
    assert widget(page.text_input, "text").value == sample.text  # type: ignore[attr-defined]


def test_a_model_without_attention_and_a_silent_clip(home: Path) -> None:
    page = open_page("pages/case_studies.py", **CASE | {"checkpoint": "tiny-fe2e", "clip": "clip07"})
    assert trouble(page) == [] and "no attention, so there is no mask to move" in texts(page)
    assert widget(page.toggle, "acoustic").disabled and not widget(page.toggle, "visual").disabled  # type: ignore[attr-defined]
    closed = open_page("pages/case_studies.py", **CASE | {"what-if": "false"})
    assert "Each word left out" not in texts(closed), "what is folded away is not computed"


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("confusion/anger/anger", "true label anger, top label anger"),
        ("score/anger/9", "score for anger from 0.9 to 1"),
        ("score//9", "score for any emotion from 0.9 to 1"),
    ],
)
def test_a_link_to_a_cell_or_a_bar_shows_its_clips(part: str, name: str) -> None:
    page = open_page("pages/case_studies.py", checkpoint="marionette-mesm", corpus="marionette", part=part)
    words = texts(page).replace("\\", "")
    assert trouble(page) == [] and name in words and "of the 600 evaluated clips" in words
    next(button for button in page.button if button.key == "leave-part").click().run()
    assert "evaluated clips" not in texts(page) and "of 96 clips" in texts(page)


def test_choices_that_another_page_made_are_set(home: Path) -> None:
    page = open_page("pages/case_studies.py", checkpoint="tiny-fe2e", corpus="noise")
    page.session_state["followed-choices"] = {"checkpoint": "tiny-mesm", "corpus": "noise", "p": 0.3, "split": "test"}
    page.run()
    assert trouble(page) == [] and page.selectbox(key="checkpoint").value == "tiny-mesm"
    assert page.slider(key="p").value == 0.3 and page.selectbox(key="split").value == "test"
    page.selectbox(key="checkpoint").set_value("tiny-fe2e").run()
    assert page.selectbox(key="checkpoint").value == "tiny-fe2e", "they are set once"


@pytest.mark.parametrize("part", ["confusion/anger/anger", "nonsense", "slice/speaker", "score/anger/10"])
def test_a_link_to_an_unknown_part_says_so(home: Path, part: str) -> None:
    page = open_page("pages/case_studies.py", checkpoint="tiny-mesm", corpus="noise", part=part)
    assert trouble(page) == []
    (warning,) = page.warning
    assert "does not exist" in warning.value and "All clips are shown" in warning.value


def test_the_command_and_the_file_of_the_filtered_clips(home: Path) -> None:
    corpus = Corpus(home / "corpora" / "noise")
    opened, model = OpenCorpus(corpus, "0", "noise"), open_model(home / "checkpoints" / "tiny-mesm")
    angry = [row for row in corpus.index if "anger" in row.present]

    def parsed(rows: list[object], emotion: str) -> object:
        words = trace_export.command(opened, "tiny-mesm", rows, emotion, 0.4, "t.npz")  # type: ignore[arg-type]
        return parser().parse_args(shlex.split(words)[1:])

    whole = parsed(list(corpus.index), "")
    assert (whole.clip, whole.emotion, whole.split, whole.top_p) == (None, None, None, 0.4)  # type: ignore[attr-defined]
    assert parsed(list(angry), "anger").emotion == "anger" and len(corpus) == CLIPS  # type: ignore[attr-defined]
    assert parsed(list(angry[1:]), "anger").clip == [row.clip_id for row in angry[1:]]  # type: ignore[attr-defined]
    with np.load(io.BytesIO(trace_export._archive(opened, model, angry, 0.4))) as arrays:
        assert arrays["clip_ids"].tolist() == [row.clip_id for row in angry]
