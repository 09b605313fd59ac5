"""Case studies and Runs: filters, order, comparisons, flip points, the notebook, the form of a run."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from mesm.analysis.checkpoints import read_facts
from mesm.data.store import Corpus, IndexRow
from mesm.errors import DataError
from mesm.presets import PRESETS
from mesm.records.training_log import LOG_NAME
from mesm.ui.case_studies import filters, gallery, notebook, notebook_export
from mesm.ui.case_studies.notebook import Entry
from mesm.ui.case_studies.notebook_export import NotebookPage
from mesm.ui.corpora import Case
from mesm.ui.models import Model, Verdict
from mesm.ui.runs import training_runs
from tests.app.app_page import open_page, texts
from tests.app.conftest import CLIPS, make_sample

CASE = {"checkpoint": "tiny-mesm", "corpus": "noise", "clip": "clip04"}


def trouble(page: AppTest) -> list[str]:
    return [e.message for e in page.exception] + [e.value for e in page.error]


@pytest.fixture
def own_notebook(home: Path) -> Path:
    """A workspace whose notebook is empty before and after."""
    (home / notebook.FILE).unlink(missing_ok=True)
    yield home
    (home / notebook.FILE).unlink(missing_ok=True)


def metrics(page: AppTest) -> dict[str, str]:
    return {m.label: m.value for m in page.metric}


def test_quality_intensity_and_order(home: Path) -> None:
    page = open_page("pages/case_studies.py", checkpoint="tiny-mesm", quality="no audio")
    assert trouble(page) == [] and "1–1 of 1 clip" in texts(page)
    page = open_page("pages/case_studies.py", checkpoint="tiny-mesm", sort="longest first", intensity="2")
    shown = [b.key.removeprefix("open-") for b in page.button if b.key and b.key.startswith("open-")]
    lengths = [make_sample(int(name[4:])).duration_s for name in shown]
    assert len(shown) == 20 and lengths == sorted(lengths, reverse=True)
    assert page.selectbox(key="split").disabled  # one split only


def open_clip(page: AppTest) -> str:
    """The clip whose button is marked, or whose facts are shown where none is."""
    (marked,) = [b for b in page.button if b.key and b.key.startswith("open-") and b.proto.type == "primary"]
    return str(marked.key).removeprefix("open-")


def choose_emotion(page: AppTest, emotion: str | None) -> AppTest:
    return page.segmented_control(key="emotion-choice").set_value(emotion).run()


def test_a_filter_that_excludes_the_clip_opens_its_own_first(home: Path) -> None:
    page = open_page("pages/case_studies.py", checkpoint="tiny-mesm", clip="clip07")  # disgust, as clip01 is
    assert open_clip(choose_emotion(page, "disgust")) == "clip07", "a filter that the clip passes keeps it"
    assert open_clip(choose_emotion(page, "fear")) == "clip02" and "clip clip02" in texts(page)
    assert open_clip(choose_emotion(page, None)) == "clip02"
    page.selectbox(key="speaker").set_value("speaker0").run()
    assert trouble(page) == [] and open_clip(page) == "clip00"
    page.switch_page("pages/facs.py").run()
    page.switch_page("pages/case_studies.py").run()
    assert open_clip(page) == "clip00" and "clip clip00" in texts(page)


def test_a_linked_clip_stays_although_a_filter_excludes_it(home: Path) -> None:
    page = open_page("pages/case_studies.py", checkpoint="tiny-mesm", clip="clip07", emotion="fear")
    assert "clip clip07" in texts(page) and "the open clip is not among them" in texts(page)
    page.slider(key="p").set_value(0.3).run()
    assert "clip clip07" in texts(page)


def test_a_link_to_an_unknown_clip_is_answered_once(home: Path) -> None:
    page = open_page("pages/case_studies.py", checkpoint="tiny-mesm", clip="clip99")
    assert any("has no clip clip99" in w.value.replace("\\", "") for w in page.warning)
    page.slider(key="p").set_value(0.3).run()
    page.button(key="open-clip03").click().run()
    assert not page.warning and open_clip(page) == "clip03"


@pytest.mark.parametrize(("number", "first"), [(0, 0), (23, 0), (24, 24), (49, 48)])
def test_the_strip_holds_the_open_clip(number: int, first: int) -> None:
    ids = [f"c{n}" for n in range(50)]
    assert gallery.first_shown(ids, f"c{number}") == first
    assert gallery.shown_words(ids, f"c{number}", filters.Filters(result="wrong")).startswith(f"{first + 1}–")
    assert gallery.first_shown(ids, "elsewhere") == 0


def rows() -> list[IndexRow]:
    return [IndexRow(str(n), "test", f"s{-n}", f"T{n % 2}", n, {"anger": 1.0}, (), "", 1, 1) for n in range(4)]


def test_orders() -> None:
    verdicts = {str(n): Verdict(True, n / 4) for n in range(3)}

    def order(sort: str) -> str:
        return "".join(row.clip_id for row in filters.sort_rows(rows(), sort, verdicts))

    assert order(filters.STORED) == order(filters.SHORTEST) == "0123"
    assert order(filters.LONGEST) == "3210"
    assert order(filters.SUREST) == "2103" and order(filters.LEAST_SURE) == "0123"  # the unscored one stands last
    assert order(filters.TEXT) == "0213"


def test_another_p_beside_it(home: Path) -> None:
    page = open_page("pages/case_studies.py", p="0.3", versus="another p", **CASE)
    assert trouble(page) == []
    small = metrics(page)
    assert page.slider(key="p").min == page.slider(key="versus-p").min == 0.01
    page.slider(key="versus-p").set_value(0.3).run()
    same = metrics(page)
    assert same["Largest change of a score"] == "0.00"
    assert float(small["Work with p = 1"].split()[0]) > float(same["Work with p = 0.3"].split()[0])
    assert "(intersection over union): L1 100 %" in texts(page).replace("\\", "")


def test_random_attention_beside_it(home: Path) -> None:
    page = open_page("pages/case_studies.py", p="0.3", versus="random attention", **CASE)
    assert trouble(page) == []
    said = texts(page).replace("\\", "")
    assert "only by random attention 1" in said and "L1 100 %" not in said


def test_another_checkpoint_beside_it(home: Path) -> None:
    page = open_page("pages/case_studies.py", versus="another checkpoint", **CASE)
    assert trouble(page) == []
    assert "tiny-fe2e has no attention" in texts(page).replace("\\", "")
    assert "Top score, tiny-fe2e" in metrics(page)


def test_fe2e_has_no_p_to_compare(home: Path) -> None:
    page = open_page("pages/case_studies.py", **CASE | {"checkpoint": "tiny-fe2e"})
    assert page.segmented_control(key="versus").options == ["nothing", "another checkpoint"]


def test_scores_at_every_p(home: Path) -> None:
    page = open_page("pages/case_studies.py", **CASE, **{"over-p": "true"})
    assert trouble(page) == []
    found = metrics(page)
    assert found["Label flips at"] == "never" or found["Label flips at"].startswith("p = 0.")
    assert 0.05 <= float(found["Sufficient p"]) <= 1


def test_a_case_is_starred_written_about_and_opened_again(own_notebook: Path) -> None:
    page = open_page("pages/case_studies.py", p="0.3", **CASE)
    page.button(key="star").click().run()
    assert trouble(page) == []
    page.text_area(key="note-noise/clip04/tiny-mesm").set_value("look at *this*").run()
    (entry,) = notebook.read().values()
    assert entry == replace(
        Entry("noise", "clip04", "tiny-mesm", 0.3, "look at *this*"), words=entry.words, scores=entry.scores
    )
    assert (
        entry.words.startswith("line 4 is said") and list(entry.scores.values()) == sorted(entry.scores.values())[::-1]
    )
    other = open_page("pages/case_studies.py", checkpoint="tiny-fe2e", corpus="noise", clip="clip01")
    line = other.button(key="case-0")
    assert "line 4 is said" in line.label and "data:image/jpeg" in line.label and "look at" in line.label
    line.click().run()
    assert trouble(other) == []
    assert "clip clip04" in texts(other) and other.slider(key="p").value == 0.3
    assert other.query_params["clip"] in ("clip04", ["clip04"])
    other.button(key="drop-0").click().run()
    assert notebook.read() == {} and trouble(other) == []


def test_the_notebook_as_files_holds_all_it_shows(own_notebook: Path) -> None:
    leaf = NotebookPage(
        Entry("noise", "clip04", "tiny-mesm", 0.3, "a <b>note</b>\nof two lines"),
        "",
        "“hello & <goodbye>”",
        ("a fact",),
        (("anger", "0.10", "0.50", "2"),),
        (("a face", b"\x89PNG"),),
    )
    gone = NotebookPage(Entry("lost", "x", "tiny-mesm", 1.0), "The corpus lost is not in this workspace any more.")
    page = notebook_export.as_html([leaf, gone], "http://localhost/case_studies").decode()
    assert "<b>" not in page and "&lt;b&gt;note" in page and "<script" not in page
    assert 'src="data:image/png;base64,' in page and "http" not in page.replace("http://localhost/case_studies?", "")
    assert "checkpoint=tiny-mesm&amp;corpus=noise&amp;clip=clip04&amp;p=0.3" in page and gone.missing in page
    archive = zipfile.ZipFile(io.BytesIO(notebook_export.as_markdown([leaf, gone], "http://localhost/case_studies")))
    text = archive.read("notebook.md").decode()
    assert "> of two lines" in text and "| anger | 0.10 | 0.50 | 2 |" in text and "<goodbye>" not in text
    assert "data:" not in text and archive.namelist() == ["notebook.md", "pictures/01-clip04-faces.png"]
    assert "![a face](pictures/01-clip04-faces.png)" in text and archive.read(archive.namelist()[1]) == b"\x89PNG"


@pytest.mark.parametrize(
    ("words", "source"),
    [
        ("Clip m0-00009, p = 0.6 (37 %)", "Clip m0-00009, p = 0.6 (37 %)"),
        ("- a\nb", r"\- a b"),
        ("2. item", r"2\. item"),
        ("*a* [b](c) <d> $e$", r"\*a\* \[b\](c) \<d\> \$e\$"),
    ],
)
def test_markdown_escapes_only_what_it_must(words: str, source: str) -> None:
    assert notebook_export.markdown_text(words) == source


def test_a_make_page_a_real_case(own_notebook: Path) -> None:
    notebook.put(Entry("noise", "clip04", "tiny-mesm", 0.3, "n"))
    notebook.put(Entry("gone", "clip04", "tiny-mesm", 0.3))
    app = AppTest.from_string(
        """
import streamlit as st
from mesm.ui.case_studies import notebook, notebook_view
leaves = [notebook_view.make_page(e) for e in notebook.read().values()]
st.session_state["leaves"] = leaves
""",
        default_timeout=60,
    ).run()
    assert not app.exception
    whole, gone = app.session_state["leaves"]
    assert whole.title.startswith("“line 4") and len(whole.scores) == 6 and len(whole.pictures) == 2
    assert "corpus gone" in gone.missing


def test_a_damaged_notebook_is_one_sentence(own_notebook: Path) -> None:
    (own_notebook / notebook.FILE).write_text("[1, 2]")
    page = open_page("pages/case_studies.py", **CASE)
    assert not page.exception and any("not a notebook" in e.value for e in page.error)
    with pytest.raises(DataError):
        notebook.put(Entry("a", "b", "c", 1.0))


def test_two_visitors_do_not_disturb_each_other(home: Path) -> None:
    """One shared model, two threads: another p each, one of them with a redrawn attention."""
    model = Model(read_facts(home / "checkpoints" / "tiny-mesm"))
    noise = Corpus(home / "corpora" / "noise").id  # an own clip belongs to the visit that uploaded it
    cases = [Case(f"k{n}", "c", make_sample(n), corpus=noise) for n in (1, 2)]
    asked = [(cases[0], 0.4, None), (cases[1], 0.9, 3)]
    alone = [model.run(*one) for one in asked]
    found: dict[int, list] = {0: [], 1: []}

    def visit(who: int) -> None:
        found[who].extend(model.run(*asked[who]) for _ in range(6))

    visitors = [threading.Thread(target=visit, args=(who,)) for who in (0, 1)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    for who in (0, 1):
        for prediction in found[who]:
            np.testing.assert_array_equal(prediction.scores, alone[who].scores)
            np.testing.assert_array_equal(prediction.layers["visual"][0].kept, alone[who].layers["visual"][0].kept)


def test_two_sessions_have_their_own_views(home: Path) -> None:
    first = open_page("pages/case_studies.py", p="0.3", **CASE)
    second = open_page("pages/case_studies.py", p="0.9", **CASE | {"clip": "clip01"})
    first.slider(key="p").set_value(0.31).run()
    assert second.run().slider(key="p").value == 0.9 and "clip clip01" in texts(second)
    assert first.slider(key="p").value == 0.31 and "clip clip04" in texts(first)


@pytest.fixture
def with_runs(home: Path) -> Path:
    place = home / "runs" / "first"
    place.mkdir(parents=True, exist_ok=True)
    config = PRESETS["marionette-mesm"]
    config = replace(config, train=replace(config.train, epochs=99, corpus=str(home / "corpora" / "noise"), seed=2))
    (place / training_runs.CONFIG).write_text(json.dumps(config.to_dict()))
    (place / LOG_NAME).write_text(
        "".join(
            json.dumps({"epoch": e, "loss": 1.0, "valid_f1": 40, "valid_wacc": 60, "valid_auc": 61, "seconds": 60})
            + "\n"
            for e in range(2)
        )
    )
    return home


def test_runs_are_listed_and_drawn(with_runs: Path) -> None:
    page = open_page("pages/runs.py")
    assert trouble(page) == []
    table = page.dataframe[0].value
    assert table["run"].tolist() == ["first"] and table["epoch"].tolist() == ["2 of 99"]
    assert "stopped" in table["status"][0]
    assert {b.label for b in page.button} >= {"Resume", "Train again with these settings"}
    assert any("train.epochs=99" in c.value for c in page.code)
    assert any("no corpus to train on" in i.value for i in page.info)  # noise has no train split


def test_a_workspace_without_runs(home: Path) -> None:
    page = open_page("pages/runs.py")
    shown = training_runs.list_runs()
    assert trouble(page) == [] and (shown or any("no run in this workspace" in i.value for i in page.info))
    assert CLIPS == 20
