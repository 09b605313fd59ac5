"""Uploads made to do harm: each ends in one sentence or in a clip, and the server's process lives on."""

from __future__ import annotations

import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mesm.access import OWNER
from mesm.errors import DataError, MesmError
from mesm.ui.try_a_clip import upload
from mesm.ui.try_a_clip.upload import Upload
from tests.ui.hostile_files import EITHER, FAILS, FILES, READS, picture, video, wav

#: These tell in every test run that the wall stands; the others take their time in the whole suite.
QUICK = ("pickle", "zip of zips", "video with an archive behind it", "picture of 60000 x 60000")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(upload, "TIMEOUT_S", 600.0)  # a busy machine is no attack
    return tmp_path


def test_there_are_enough_of_them() -> None:
    assert len(FILES) >= 30


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in FILES])
def test_no_file_takes_the_server_down(name: str, own_folder: Path) -> None:
    make, wanted = FILES[name]
    start = time.monotonic()
    try:
        case = upload.ingest(Upload(make(), None, "words"), lambda what, share: None)
    except MesmError as error:
        said = str(error)
        assert wanted in (FAILS, EITHER), said
        assert "\n" not in said and "Traceback" not in said and str(own_folder) not in said
    else:
        assert wanted in (READS, EITHER)
        sample = case.sample
        assert len(sample.faces) or len(sample.mel)
        assert np.isfinite(sample.mel.astype(np.float32)).all() and 0 <= sample.duration_s <= 60
    assert time.monotonic() - start < upload.TIMEOUT_S
    assert list(own_folder.iterdir()) == []
    assert not Path("/tmp/mesm-was-unpickled").exists()


@pytest.mark.slow
def test_a_picture_may_come_with_any_sound() -> None:
    with pytest.raises(DataError):
        upload.ingest(Upload(picture(), b"no sound" * 99, "words"), lambda what, share: None)
    case = upload.ingest(Upload(picture(), wav(), "words"), lambda what, share: None)
    assert len(case.sample.mel) and len(case.sample.faces) == 1


def test_what_is_too_large_is_never_written(monkeypatch: pytest.MonkeyPatch, own_folder: Path) -> None:
    monkeypatch.setattr(upload, "access", lambda: replace(OWNER, upload_mb=1))
    monkeypatch.setattr(Path, "write_bytes", lambda *_: pytest.fail("it was written"))
    with pytest.raises(DataError, match="above the limit"):
        upload.probe(bytes(2_000_000))


def test_a_probe_tells_without_decoding() -> None:
    facts = upload.probe(video(2.0, sound=True))
    assert abs(facts.duration_s - 2.0) < 0.2 and facts.has_picture and facts.has_sound
    with pytest.raises(DataError) as error:
        upload.probe(b"nothing of the kind" * 20)
    assert "/" not in str(error.value)


@pytest.mark.slow
def test_sound_of_a_part() -> None:
    heard = upload.waveform(wav(2.0), (0.5, 1.0))
    assert heard.dtype == np.float32 and abs(len(heard) - 16000) < 1600
    assert len(upload.waveform(video(1.0), (0.0, 1.0))) == 0


@pytest.mark.slow
def test_two_visitors_at_once(own_folder: Path) -> None:
    """One sends a bomb while the other sends a clip: the clip is what it would have been alone."""
    given = Upload(video(2.0), None, "hello")
    alone = upload.ingest(given, lambda what, share: None)
    found: list[object] = []

    def bomb() -> None:
        try:
            found.append(upload.ingest(Upload(FILES["zip of zips"][0](), None, ""), lambda what, share: None))
        except MesmError as error:
            found.append(error)

    other = threading.Thread(target=bomb)
    other.start()
    beside = upload.ingest(given, lambda what, share: None)
    other.join()
    assert isinstance(found[0], DataError)
    assert (beside.sample.faces == alone.sample.faces).all() and beside.key == alone.key


def test_the_child_dies_with_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process is left behind by an upload that takes too long."""
    children: list[subprocess.Popen[str]] = []
    real = subprocess.Popen

    def watched(*arguments: object, **options: object) -> subprocess.Popen[str]:
        children.append(real(*arguments, **options))  # type: ignore[call-overload]
        return children[-1]

    monkeypatch.setattr(subprocess, "Popen", watched)
    monkeypatch.setattr(upload, "TIMEOUT_S", 0.2)
    with pytest.raises(DataError, match="could not be decoded within 0 s"):
        upload.ingest(Upload(video(1.0), None, ""), lambda what, share: None)
    assert len(children) == 1 and children[0].poll() is not None
