"""A public server: visitors see nothing of each other, change nothing, and meet limits that are said in one sentence."""

from __future__ import annotations

import ast
import http.client
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st
from streamlit.runtime import caching
from streamlit.runtime.caching.cache_data_api import _data_caches
from streamlit.runtime.scriptrunner import ScriptRunner
from streamlit.testing.v1 import AppTest

from mesm import access, cli
from mesm.analysis.checkpoints import read_facts
from mesm.data.ingest import MediaFacts
from mesm.errors import BackendUnavailable, DataError
from mesm.ui.corpora import Case, hides_faces, open_corpus_cached
from mesm.ui.models import Model
from mesm.ui.try_a_clip import own_clip, speech_files, transcription, upload
from mesm.ui.try_a_clip.upload import Upload
from tests.app.app_page import ROOT, open_page, texts
from tests.app.browser import cut_off, started, tried
from tests.app.conftest import make_sample
from tests.app.test_private_clips import WORDS, own_sound

CASE = {"checkpoint": "tiny-mesm", "corpus": "noise", "clip": "clip04"}
#: Names under which Streamlit lets pages in.
HOSTS = "STREAMLIT_SERVER_ALLOWED_HOSTS"


@pytest.fixture
def public(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A public server whose AppTests are visits of their own; the workspace, which must stay as it is."""
    monkeypatch.setenv(access.PUBLIC, "1")
    begin, visits = ScriptRunner.__init__, set()

    def begin_visit(self: ScriptRunner, *args: Any, **kwargs: Any) -> None:
        kwargs["session_id"] = f"visit {id(kwargs['session_state'])}"
        visits.add(kwargs["session_id"])
        begin(self, *args, **kwargs)

    monkeypatch.setattr(ScriptRunner, "__init__", begin_visit)
    before = tree(home)
    yield home
    assert tree(home) == before, "a visitor wrote into the workspace"
    for visit in visits:
        caching.clear_session_data_cache(visit)
        caching.clear_session_resource_cache(visit)


def tree(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


def press(page: AppTest, label: str) -> AppTest:
    next(button for button in page.button if button.label == label).click()
    return page.run()


def test_two_visitors_see_nothing_of_each_other(public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "facts_of", lambda *_: MediaFacts(2.0, True, True))
    monkeypatch.setattr(upload, "ingest", lambda one, *_: Case(one.key, "your clip", make_sample(1)))
    first = open_page("pages/try_a_clip.py", checkpoint="tiny-mesm")
    first.file_uploader[0].upload("me.mp4", own_sound())
    first.text_area[0].set_value(WORDS)
    press(first, "Score this clip")
    assert not first.exception and "your clip" in texts(first)
    second = open_page("pages/try_a_clip.py", checkpoint="tiny-mesm")
    assert not second.exception and "your clip" not in texts(second) and second.text_area[0].value == ""

    first = press(open_page("pages/case_studies.py", **CASE), "Star")
    assert not first.exception and first.button(key="star").label == "Starred"
    first.text_area(key=f"note-noise/clip04/{CASE['checkpoint']}").set_value(WORDS).run()
    assert any("Notebook: 1 starred" in one.label for one in first.expander)
    assert "visit" in first.button(key="star").help
    second = open_page("pages/case_studies.py", **CASE)
    assert second.button(key="star").label == "Star" and not any("Notebook" in one.label for one in second.expander)
    press(first, "Starred")
    assert first.button(key="star").label == "Star"


def test_what_a_visitor_types_is_in_no_shared_cache(public: Path) -> None:
    page = open_page("pages/case_studies.py", **CASE, **{"what-if": "true"})
    next(field for field in page.text_input if field.label == "Words").set_value(WORDS).run()
    assert not page.exception and "Edit the words" not in texts(page)
    shared = _data_caches._function_caches.get(None, {})
    filled = {cache.display_name.split(".")[-1] for cache in shared.values() if len(cache.storage._mem_cache)}
    assert "_predict" in filled and "_predict_changed" not in filled


@pytest.mark.parametrize("page", ["runs", "efficiency"])
def test_jobs_are_switched_off_in_one_sentence(public: Path, page: str) -> None:
    shown = open_page(f"pages/{page}.py", checkpoint="tiny-mesm", corpus="noise")
    assert not shown.exception and not shown.error
    assert sum("is switched off on this public server" in info.value for info in shown.info) == 1
    forbidden = {"Start", "Stop", "Resume", "Rename the run", "Delete the run", "Measure here"}
    assert not forbidden & {b.label for b in shown.button}


def test_a_link_with_a_path_opens_nothing(public: Path) -> None:
    page = open_page("pages/results.py", checkpoint="../../../etc", corpus=str(public / "corpora" / "noise"))
    assert not page.exception and sum("does not exist" in w.value for w in page.warning) == 2


def test_faces_are_hidden_behind_a_proxy_on_the_same_machine(public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert hides_faces("") and not hides_faces("CC0-1.0")
    monkeypatch.setenv(access.PUBLIC, "0")
    assert not hides_faces("")


def test_an_upload_is_cut_to_the_limit(public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ends: list[float] = []

    def stop(*_: object, end_s: float, **__: object) -> None:
        ends.append(end_s)
        raise DataError("no decoder")

    monkeypatch.setattr(upload, "ingest_untrusted", stop)
    with pytest.raises(DataError, match="no decoder"):
        upload.ingest(Upload(b"a header may claim a second", part=(3.0, 50.0)), lambda step, share: None)
    assert ends == [3.0 + access.VISITOR.clip_s]
    monkeypatch.setattr(upload, "facts_of", lambda *_: MediaFacts(400.0, True, True))
    monkeypatch.setattr(st, "slider", lambda *_, **__: (10.0, 300.0))
    captions: list[str] = []
    monkeypatch.setattr(st, "caption", captions.append)
    assert own_clip.pick_part(b"long", None, "a") == (10.0, access.VISITOR.clip_s) and "first 15 s" in captions[0]
    with pytest.raises(DataError, match=r"60 MB, above the limit of 50; cut it"):
        upload.probe(bytes(60 * 10**6))


def test_no_model_is_downloaded(public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech_files, "find_model", lambda name: None)
    monkeypatch.setattr(speech_files, "is_hub_reachable", lambda: pytest.fail("it was looked for"))
    with pytest.raises(BackendUnavailable, match="public server has no speech model: type the transcript"):
        transcription.speech_model()


def test_a_full_queue_is_one_sentence_and_frees_its_places(public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "_places", threading.BoundedSemaphore(1))
    monkeypatch.setattr(access, "VISITOR", replace(access.VISITOR, queue_s=0.2))
    inside, leave = threading.Event(), threading.Event()

    def occupy() -> None:
        with access.computing(), access.computing():  # one inside another takes one place
            inside.set()
            leave.wait(30)

    other = threading.Thread(target=occupy)
    other.start()
    inside.wait(30)
    page = open_page("pages/case_studies.py", **CASE)
    assert not page.exception and "other visitors are computing on this server; try again" in page.error[0].value
    monkeypatch.setenv(access.PUBLIC, "0")
    with access.computing():  # on one's own machine nothing is counted
        pass
    monkeypatch.setenv(access.PUBLIC, "1")
    leave.set()
    other.join()
    with pytest.raises(ZeroDivisionError), access.computing():
        raise ZeroDivisionError
    with access.computing():
        pass
    assert not page.run().error


def test_a_large_corpus_is_not_scored_for_a_filter(public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "VISITOR", replace(access.VISITOR, corpus_clips=19))
    model = Model(read_facts(public / "checkpoints" / "tiny-mesm"))
    with pytest.raises(DataError, match="noise has 20 clips, and this public server scores at most 19 at once"):
        model.judge(open_corpus_cached("noise"), lambda done, of: None)


def test_every_cache_of_the_pages_is_bounded() -> None:
    unbounded = []
    for path in (ROOT / "mesm" / "ui").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.args.args:
                for made in node.decorator_list:
                    text = ast.unparse(made)
                    if "cache" in text and "max_entries" not in text and "cached_property" not in text:
                        unbounded.append(f"{path.name}: {node.name}")
    assert unbounded == []


def test_the_command_makes_a_public_server(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    server = SimpleNamespace(wait=lambda: 0)
    monkeypatch.setattr("subprocess.Popen", lambda command: commands.append(command) or nullcontext(server))
    monkeypatch.setenv(access.PUBLIC, "0")  # and is put back after the test
    monkeypatch.setenv(HOSTS, "")
    monkeypatch.delenv(HOSTS)
    assert cli.main(["app", "--server.port", "1"]) == 0 and access.access() is access.OWNER
    assert cli.main(["app", "--server.address", "127.0.0.1"]) == 0 and HOSTS not in os.environ
    assert cli.main(["app", "--public", "--server.maxUploadSize", "9"]) == 0 and access.access() is access.VISITOR
    assert os.environ.pop(HOSTS) == "*", "strangers know the server by a name of its own"
    monkeypatch.setenv(access.PUBLIC, "0")
    assert cli.main(["app", "--server.address=10.0.0.7"]) == 0 and os.environ.pop(HOSTS) == "*"
    commands.pop(1)
    plain, strangers, elsewhere = (" ".join(command) for command in commands)
    assert "headless" not in plain and "--server.headless true" in strangers
    assert "serverAddress" not in plain and "--browser.serverAddress 10.0.0.7" in elsewhere
    assert strangers.index("maxUploadSize 50") < strangers.index("maxUploadSize 9"), "the last one counts"


def handshake(address: str, host: str) -> int:
    """The status of a WebSocket's opening for a page under this name: 101 lets it in."""
    port = int(address.rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest("GET", "/_stcore/stream", skip_host=True)
    for name, value in {
        "Host": f"{host}:{port}", "Origin": f"http://{host}:{port}", "Connection": "Upgrade", "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Protocol": "streamlit",
    }.items():  # fmt: skip
        connection.putheader(name, value)
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


def test_streamlit_alone_starts_without_a_request_to_the_internet(tmp_path: Path) -> None:
    """As `make app` starts it; for a server without a screen that listens to all, Streamlit looks for its outer address."""
    log = tmp_path / "connections"
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless", "true"]
    with started(command, tmp_path / "log", ("--server.address", "0.0.0.0"), cut_off(log)) as address:
        assert address in (tmp_path / "log").read_text()
        # A stranger's page whose name now resolves to this machine (DNS rebinding) is refused.
        assert [handshake(address, host) for host in ("localhost", "127.0.0.1", "evil.example")] == [101, 101, 403]
    assert tried(log) == []
