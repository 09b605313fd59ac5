"""Every page: in its frame and alone, with assets, without, and with damaged ones."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from mesm.analysis.checkpoints import read_facts
from mesm.analysis.predictor import load
from mesm.ui.corpora import Case
from mesm.ui.frame import PAGES
from tests.app.app_page import ROOT, open_page, texts
from tests.app.conftest import make_sample


def trouble(page: AppTest) -> list[str]:
    return [e.message for e in page.exception] + [e.value for e in page.error]


@pytest.mark.parametrize("file", PAGES)
@pytest.mark.parametrize("alone", [True, False])
def test_a_page_shows_with_assets(file: str, alone: bool, home: Path) -> None:
    page = open_page(file, alone=alone)
    assert trouble(page) == []
    assert page.title and page.sidebar.selectbox(key="checkpoint").options == ["tiny-fe2e", "tiny-mesm"]
    assert page.sidebar.selectbox(key="corpus").options == ["noise"]


@pytest.mark.parametrize("file", PAGES)
@pytest.mark.parametrize("alone", [True, False])
def test_a_page_shows_without_assets(file: str, alone: bool, empty_home: Path) -> None:
    page = open_page(file, alone=alone)
    assert trouble(page) == []
    assert any("There is no checkpoint." in info.value and str(empty_home) in info.value for info in page.info)


@pytest.mark.parametrize("file", PAGES)
def test_a_page_says_what_is_damaged(file: str, broken_home: Path) -> None:
    page = open_page(file)
    assert not page.exception
    assert any("cut" in error and "read" in error for error in trouble(page))


@pytest.mark.parametrize("file", PAGES)
def test_a_page_is_thin(file: str) -> None:
    assert len((ROOT / file).read_text().splitlines()) <= 120


def test_case_studies_shows_one_clip_whole(home: Path) -> None:
    page = open_page("pages/case_studies.py", **{"checkpoint": "tiny-mesm", "clip": "clip05", "units-shown": "true"})
    said = texts(page)
    assert "line 5 is said with surprise" in said.replace("\\", "")
    assert "truth: **surprise 2**" in said
    assert "no face was detected in some frames" in said.lower()  # clip05 has a frame without one
    assert "label expressed in words, face" in said
    assert "L1 keeps" in said and "L3" in said
    assert [m.label for m in page.metric] == ["Work, FE2E = 1", "Top score"]
    assert 0 < float(page.metric[0].value) < 1
    assert page.dataframe[0].value["AU"].tolist() == [12, 26]
    closed = open_page("pages/case_studies.py", checkpoint="tiny-mesm", clip="clip05")
    assert len(closed.dataframe) == 0, "what is folded away is not computed"
    assert "Trained on rendered faces" in said


def test_the_slider_runs_the_model_again(home: Path) -> None:
    page = open_page("pages/case_studies.py", checkpoint="tiny-mesm")
    work = [float(page.metric[0].value.split()[0])]
    for p in (0.2, 1.0):
        page.slider(key="p").set_value(p).run()
        work.append(float(page.metric[0].value.split()[0]))
    assert work[1] < work[0] < work[2]


def test_a_link_shows_the_same_view(home: Path) -> None:
    page = open_page(
        "pages/case_studies.py",
        checkpoint="tiny-mesm",
        emotion="fear",
        p="0.3",
        layers="L2",
        look="contours",
        clip="clip08",
    )
    assert page.slider(key="p").value == 0.3
    assert page.segmented_control(key="layers").value == "L2"
    said = texts(page)
    assert (
        "clip clip08" in said
        and "L2 keeps" in said
        and "L1 keeps" not in said
        and "Lines: borders of the sites" in said
    )
    assert all("fear" in b.label for b in page.button if b.key.startswith("open-"))


def test_a_link_to_nothing_shows_the_first_clip(home: Path) -> None:
    page = open_page("pages/case_studies.py", clip="../../etc/passwd", emotion="joy", p="7", checkpoint="none")
    assert trouble(page) == []
    said = texts(page).replace("\\", "")
    assert "clip clip00" in said and "has no clip ../../etc/passwd" in said
    assert "checkpoint none does not exist" in said


def test_choosing_a_clip_opens_it(home: Path) -> None:
    page = open_page("pages/case_studies.py", checkpoint="tiny-mesm")
    page.button(key="open-clip03").click().run()
    assert "clip clip03" in texts(page)


def test_filters(home: Path) -> None:
    page = open_page("pages/case_studies.py", checkpoint="tiny-mesm")
    page.selectbox(key="speaker").set_value("speaker1").run()
    page.text_input(key="words").set_value("LINE 1").run()
    assert "of 5 clips" in texts(page)  # 1, 10, 13, 16, 19
    page.text_input(key="words").set_value("no such words").run()
    assert any("No clip passes" in info.value for info in page.info)


def test_right_and_wrong_make_up_the_whole(home: Path) -> None:
    page = open_page("pages/case_studies.py", checkpoint="tiny-mesm")
    counts = []
    for choice in ("right", "wrong"):
        page.segmented_control(key="result").set_value(choice).run()
        said = texts(page)
        counts.append(int(said.split(" clips")[0].split()[-1]) if " clips" in said else 0)
    assert sum(counts) == 20 and trouble(page) == []


def test_fe2e_has_no_mask_to_show(home: Path) -> None:
    page = open_page("pages/case_studies.py", checkpoint="tiny-fe2e")
    assert "every site is computed" in texts(page)
    assert page.metric[0].value == "1.00"
    assert "rendered faces" not in texts(page)


def test_a_clip_without_sound(home: Path) -> None:
    page = open_page("pages/case_studies.py", checkpoint="tiny-mesm", clip="clip07")
    assert trouble(page) == []
    assert "There is no sound" in texts(page)


def wav() -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as out:
        out.setnchannels(1), out.setsampwidth(2), out.setframerate(16000)
        out.writeframes((8000 * np.sin(np.arange(16000) / 16000 * 2 * np.pi * 300)).astype("<i2").tobytes())
    return buffer.getvalue()


def score(page: AppTest) -> AppTest:
    next(b for b in page.button if b.label == "Score this clip").click()
    return page.run()


def test_try_needs_a_clip(home: Path) -> None:
    page = open_page("pages/try_a_clip.py", checkpoint="tiny-mesm")
    assert any("scores on real people are not reliable" in w.value for w in page.warning)
    assert any("There is no clip yet" in i.value for i in score(page).info)


def test_old_scores_do_not_stand_under_a_new_upload(home: Path) -> None:
    page = open_page("pages/try_a_clip.py", checkpoint="tiny-mesm")
    page.session_state["own-clip"] = Case(
        "key", "your clip", replace(make_sample(0), speaker="![x](http://host/p.png)")
    )
    page.session_state["own-name"] = "an earlier upload"
    page.run()
    assert "Delete this clip" in [b.label for b in page.button]  # nothing new was chosen
    assert r"speaker \!\[x\]\(http\://host/p\.png\)" in texts(page)
    page.file_uploader[0].upload("new.mp4", b"x")
    page.run()
    assert "Delete this clip" not in [b.label for b in page.button] and len(page.metric) == 0


def test_an_unreadable_upload_gets_one_sentence(home: Path) -> None:
    page = open_page("pages/try_a_clip.py", checkpoint="tiny-mesm")
    page.file_uploader[0].upload("../../secret name.mp4", b"this is no video" * 100)
    page.text_area[0].set_value("hello")
    (said,) = trouble(score(page))
    assert said.startswith("The upload cannot be read") and "secret" not in said and "/" not in said
    assert not list(Path("/tmp").glob("mesm-upload-*"))


@pytest.mark.slow
def test_a_real_face_and_a_sound(home: Path) -> None:
    data = pytest.importorskip("skimage.data")
    from PIL import Image

    picture = io.BytesIO()
    Image.fromarray(data.astronaut()).save(picture, "PNG")
    page = open_page("pages/try_a_clip.py", checkpoint="tiny-mesm")
    page.segmented_control(key="from_where").set_value("a picture and a sound").run()
    page.file_uploader[0].upload("me.png", picture.getvalue())
    page.file_uploader[1].upload("me.wav", wav())
    page.text_area[0].set_value("We are on our way to space")
    score(page)
    assert trouble(page) == []
    said = texts(page)
    assert "your clip" in said and "Face: L1 keeps" in said and "Voice: L1 keeps" in said
    assert not list(Path("/tmp").glob("mesm-upload-*"))
    next(b for b in page.button if b.label == "Delete this clip").click().run()
    assert "your clip" not in texts(page)


def test_facts_are_those_of_the_loaded_checkpoint(filled: Path) -> None:
    for name in ("tiny-mesm", "tiny-fe2e"):
        facts, loaded = read_facts(filled / "checkpoints" / name), load(filled / "checkpoints" / name)
        for what in ("name", "sha256", "trained_on", "has_attention", "config", "metrics", "card"):
            assert getattr(facts, what) == getattr(loaded, what), what


def test_a_page_that_scores_nothing_loads_no_torch(filled: Path) -> None:
    """Every page's imports, and the whole of the pages that only read; in a process of its own."""
    code = """
import sys
from tests.app.app_page import open_page
from mesm.ui.corpora import Case
from mesm.ui.frame import PAGES
for file in PAGES:
    if file not in ("pages/overview.py", "pages/case_studies.py"):
        page = open_page(file, checkpoint="tiny-mesm", corpus="noise")
        assert not page.exception and page.sidebar.selectbox(key="checkpoint").value == "tiny-mesm", file
        assert "torch" not in sys.modules, file
from mesm.ui.case_studies import (
    action_units, case_view, compare, gallery, notebook_view, over_p, paper_figures, trace_export,
)
assert "torch" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"MESM_HOME": str(filled)},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
