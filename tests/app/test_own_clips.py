"""Try a clip: an example, other words without decoding again, flags and captions of an own clip, the offline check."""

from __future__ import annotations

import argparse
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import streamlit as st
from huggingface_hub import constants
from streamlit.runtime import caching
from streamlit.testing.v1 import AppTest

from mesm.cli import figure, ingest
from mesm.errors import BackendUnavailable, ConfigError
from mesm.studies.case.exports import _command
from mesm.ui.corpora import Case
from mesm.ui.try_a_clip import speech_files, transcription, upload
from mesm.ui.try_a_clip.upload import Upload
from mesm.vocabulary import FLAGS
from tests.app.app_page import open_page, texts
from tests.app.conftest import make_sample
from tests.app.test_private_clips import WORDS, own_sound, with_own_clip


def press(page: AppTest, label: str) -> AppTest:
    next(button for button in page.button if button.label == label).click()
    return page.run()


def refuse(*_: object, **__: object) -> None:
    raise AssertionError("nothing may be decoded")


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Every visit ends with its test."""
    yield
    caching.clear_session_data_cache("test session id")
    caching.clear_session_resource_cache("test session id")


@pytest.fixture
def bundled(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESM_HOME", str(filled))


def test_the_example_is_scored_at_once_and_then_with_other_words(
    bundled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "ingest_untrusted", refuse)
    page = press(open_page("pages/try_a_clip.py", checkpoint="tiny-mesm"), "Try an example")
    assert (
        not page.exception and "example: a rendered face" in texts(page).replace("\\", "") and "truth:" in texts(page)
    )
    assert any("rendered face" in str(button.help) for button in page.button)
    assert any(metric.label == "Top score" for metric in page.metric)
    example = page.session_state["own-clip"]
    page.text_area[0].set_value("I never thought they would come.")
    press(page, "Score this clip")
    case = page.session_state["own-clip"]
    assert not page.exception and not page.error and case.sample.mel is example.sample.mel
    assert "“I never thought they would come.”" in texts(page).replace("\\", "")
    assert case.corpus is None and case.key != example.key, "no cache of all visitors may hold the words"
    assert "truth:" not in texts(page) and case.origin(SimpleNamespace(**FACTS))["corpus"] == ""
    press(page, "Delete this clip")
    assert "example" not in texts(page)


FACTS = {
    "name": "m",
    "sha256": "",
    "config": SimpleNamespace(to_dict=dict, has_attention=False),
    "metrics": SimpleNamespace(seed=0),
    "trained_on": "",
}


def test_other_words_keep_faces_and_mel(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page, _, _ = with_own_clip()
    before = page.session_state["own-clip"]
    with monkeypatch.context() as patch:
        patch.setattr(upload, "ingest_untrusted", refuse)
        page.text_area[0].set_value("quite other words")
        press(page, "Score this clip")
        after = page.session_state["own-clip"]
        assert not page.exception and not page.error
        assert after.sample.mel is before.sample.mel and after.key != before.key
        assert after.sample.text == "quite other words" and [w.text for w in after.sample.words] == [
            "quite",
            "other",
            "words",
        ]
        page.text_area[0].set_value("")
        press(page, "Score this clip")
        assert "no_words" in page.session_state["own-clip"].sample.quality
        page.text_area[0].set_value(WORDS)
        press(page, "Score this clip")
        again = page.session_state["own-clip"]
        assert (
            again.key == before.key and again.sample.quality == before.sample.quality and again.ingest == before.ingest
        )
    decoded: list[Upload] = []
    monkeypatch.setattr(upload, "ingest_with_steps", decoded.append)
    page.file_uploader[0].upload("another.mp4", own_sound() + b"\0\0")
    press(page, "Score this clip")
    assert len(decoded) == 1, "another file is decoded"


def test_the_commands_of_an_own_clip() -> None:
    """A valid pair of lines, whatever the words; the clip is the one that the second line draws."""
    words = "it's $HOME; rm && mesm figure -x\n“—” #"
    whole = Upload(b"video", text=words)
    parts = Upload(b"picture", b"sound", words, (2.0, 7.5), (0.25, 0.5, 1.25))
    parser = argparse.ArgumentParser()
    ingest.add_arguments(parser)
    for one in (whole, parts, Upload(b"video")):
        verb, *options = shlex.split(one.ingest_command)[1:]
        read = parser.parse_args(options)
        assert verb == "ingest" and read.text == " ".join(one.text.split()) and read.out == upload.COMMAND_FOLDER
        assert read.clip_id == one.clip_id and "\n" not in one.ingest_command
    read = parser.parse_args(shlex.split(parts.ingest_command)[2:])
    assert (read.clip, read.audio, read.start, read.end) == ("picture.jpg", "sound.wav", 2.0, 9.5)
    assert ingest._parse_face(read.face_at) == (0.25, 0.5, 1.25)
    for bad in ("", "1,2", "0.5,0.5,x", "2,0,1", "0,0,nan", "0.1,0.2,0"):
        with pytest.raises(ConfigError, match="must be three shares"):
            ingest._parse_face(bad)
    sample = replace(make_sample(0), clip_id=whole.clip_id)
    case = Case("k", "your clip", sample, corpus_key="own-clip", ingest=whole.ingest_command)
    command = _command("case", case.sample, None, case.origin(SimpleNamespace(**FACTS)), " --privacy blur")
    first, _, second = command.rpartition(" && ")
    assert first == whole.ingest_command
    parser = argparse.ArgumentParser()
    figure.add_arguments(parser)
    drawn = parser.parse_args(shlex.split(second)[2:])
    assert (drawn.target, drawn.clip, drawn.privacy) == ("m@own-clip", whole.clip_id, "blur")
    origin = replace(case, ingest="").origin(SimpleNamespace(**FACTS))
    remark = _command("case", case.sample, None, origin, " --privacy blur")
    assert remark.startswith("# ") and "--" not in remark


def test_flags_and_captions_of_an_own_clip(home: Path) -> None:
    """Each flag is a sentence on the page; a silent clip is not called dense, and no truth is claimed."""
    flags = ("no_face", "several_faces", "turned_face", "no_audio")
    sample = replace(
        make_sample(7), labels=None, truth=None, quality=flags, text="Ich freue mich so sehr über diesen Brief"
    )
    page = open_page("pages/try_a_clip.py", checkpoint="tiny-mesm")
    for number, quality in enumerate((flags, ("silence", "no_words"))):
        page.session_state["own-clip"] = Case(
            f"key{number}", "your clip", replace(sample, quality=quality, text="" if number else sample.text)
        )
        page.session_state["own-name"] = "an upload"
        page.run()
        shown = texts(page)
        for flag in (*quality, "neutral_query" if number else "language"):
            assert FLAGS[flag].lower() in shown.lower(), flag
    assert "no sound in this clip" in shown and "every site" not in shown and "true label" not in shown


def test_a_silent_hub_is_given_up_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A hub that takes the connection and never answers."""
    monkeypatch.setenv("MESM_SPEECH_MODEL", "openai/no-such-model-here")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
        speech_files.find_model("openai/no-such-model-here")  # imports come before the clock
        start = time.monotonic()
        with pytest.raises(
            BackendUnavailable, match="is not cached and Hugging Face is unreachable: type the transcript"
        ):
            transcription.speech_model()
        assert time.monotonic() - start < 10 * speech_files.REACH_S  # 1 s where nothing else runs; minutes by retries


def test_a_click_ends_the_download(monkeypatch: pytest.MonkeyPatch) -> None:
    class Click(BaseException):
        """As Streamlit ends a run."""

    download = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    ticks = iter([None, Click()])

    def tick() -> None:
        if (click := next(ticks)) is not None:
            raise click

    monkeypatch.setattr(st, "empty", lambda: SimpleNamespace(empty=tick))
    with pytest.raises(Click):
        transcription._wait(download)
    assert download.poll() is not None
