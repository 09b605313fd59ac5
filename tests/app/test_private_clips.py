"""A visitor's clip is gone from the process when it is forgotten and when the visit ends; faces are hidden from others."""

from __future__ import annotations

import gc
import io
import re
import wave
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.runtime import caching
from streamlit.runtime.caching.cache_data_api import _data_caches
from streamlit.runtime.caching.cache_resource_api import _resource_caches
from streamlit.testing.v1 import AppTest

from mesm.analysis.predictor import PreparedClip
from mesm.studies.case.mosaic import Scene
from mesm.ui import corpora, frame
from mesm.ui.corpora import Case, open_corpus_cached
from tests.app.app_page import ROOT, open_page
from tests.app.conftest import make_sample

WORDS = "zanzibar quokka marmalade"


def own_sound() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(16000)
        out.writeframes((np.random.default_rng(7).normal(0, 3000, 24000)).astype("<i2").tobytes())
    return file.getvalue()


def with_own_clip() -> tuple[AppTest, list[weakref.ref[Any]], bytes]:
    """A page on which an own clip was scored; references to its arrays, and a part of the uploaded bytes."""
    page = open_page("pages/try_a_clip.py", checkpoint="tiny-mesm")
    content = own_sound()
    page.file_uploader[0].upload("me.mp4", content)
    page.text_area[0].set_value(WORDS)
    next(b for b in page.button if b.label == "Score this clip").click()
    page.run()
    assert not page.exception and not page.error
    case = page.session_state["own-clip"]
    page.slider(key="p").set_value(0.4).run()
    return page, [weakref.ref(case.sample.mel), weakref.ref(case.sample.faces)], content[5000:5064]


def holders(part: bytes) -> list[str]:
    """The kinds of whatever in the process refers to the transcript, or to bytes with it or this part of the file."""

    def is_own(held: object) -> bool:
        if type(held) in (dict, tuple) and not gc.is_tracked(held):  # the collector knows no such container
            return any(map(is_own, gc.get_referents(held)))
        if isinstance(held, str):
            return held is not WORDS and WORDS in held
        return isinstance(held, bytes) and held is not part and (part in held or WORDS.encode() in held)

    gc.collect()
    return [str(type(one)) for one in gc.get_objects() if any(map(is_own, gc.get_referents(one)))]


def alive(kind: type) -> int:
    gc.collect()
    return sum(type(one) is kind for one in gc.get_objects())


def session_entries() -> int:
    """Entries in the caches of all sessions."""
    return sum(
        len(getattr(getattr(cache, "storage", cache), "_mem_cache", ()))
        for caches in (_data_caches, _resource_caches)
        for session, functions in caches._function_caches.items()
        if session is not None
        for cache in functions.values()
    )


def test_forgetting_a_clip_and_ending_a_visit_remove_it_from_the_process(home: Path) -> None:
    before = alive(PreparedClip), alive(Scene)
    page, arrays, part = with_own_clip()
    assert alive(PreparedClip) > before[0] and alive(Scene) > before[1] and session_entries() > 3
    assert holders(part), "the search must be able to see what is kept"
    next(b for b in page.button if b.label == "Delete this clip").click()
    page.run()
    assert not page.exception
    assert alive(PreparedClip) <= before[0] and alive(Scene) <= before[1] and session_entries() == 0
    assert [ref() for ref in arrays] == [None, None]
    page.run()  # a widget's value before the last run stays until the next
    assert page.text_area[0].value == "" and not page.exception
    kept = holders(part)
    assert not kept, kept

    page, arrays, part = with_own_clip()
    del page
    caching.clear_session_data_cache("test session id")  # as the server does when the page is closed
    caching.clear_session_resource_cache("test session id")
    assert alive(PreparedClip) <= before[0] and alive(Scene) <= before[1] and session_entries() == 0
    assert [ref() for ref in arrays] == [None, None]


def test_another_visitor_does_not_get_pictures_of_an_own_clip(home: Path) -> None:
    page, _, _ = with_own_clip()
    shared = _data_caches._function_caches.get(None, {})
    names = {cache.display_name for cache in shared.values() if len(cache.storage._mem_cache)}
    assert not [name for name in names if "_draw_clip" in name or "_predict" in name]
    next(b for b in page.button if b.label == "Delete this clip").click()
    page.run()


@pytest.mark.parametrize(
    ("address", "hidden"),
    [("localhost", False), ("127.0.0.1", False), ("", False), ("0.0.0.0", True), ("10.1.2.3", True), ("::", True)],
)
def test_faces_are_hidden_where_others_reach_the_server(
    address: str, hidden: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = st.get_option
    monkeypatch.setattr(st, "get_option", lambda name: address if name == "server.address" else real(name))
    sample = make_sample(2)
    own, free = Case("k", "your clip", sample), Case("k", "clip", sample, licence="CC0-1.0")
    assert (own.shown is not sample) is hidden and free.shown is sample
    assert not hidden or np.abs(own.shown.faces.astype(int) - sample.faces).mean() > 20
    monkeypatch.setenv(corpora.SHOW_FACES, "1")
    assert Case("k", "your clip", sample).shown is sample


def test_pages_of_a_reachable_server_draw_no_face(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpora, "is_public", lambda: True)
    case = open_corpus_cached("noise").case("clip02")
    assert case.preview is None and case.shown is not case.sample
    page = open_page("pages/case_studies.py", checkpoint="tiny-mesm", corpus="noise", clip="clip02")
    assert not page.exception
    assert any("Faces are blurred" in caption.value for caption in page.caption)


def test_no_page_asks_google_for_its_icon(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(st, "set_page_config", lambda title, icon, layout: calls.append(icon))
    monkeypatch.setattr(st, "navigation", lambda pages: calls.append("navigation"))
    frame.navigation()
    assert Path(calls[0]).is_file() and calls[1] == "navigation", "the navigation would set a page's own icon first"
    for file in [ROOT / "app.py", *(ROOT / "pages").glob("*.py"), *(ROOT / "mesm" / "ui").rglob("*.py")]:
        assert not re.search(r"page_icon\s*=\s*.:material", file.read_text()), file
