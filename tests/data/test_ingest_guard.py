"""A stranger's file, decoded apart."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from mesm.batch import Sample
from mesm.data.ingest import guard, ingest_clip, ingest_untrusted, limits
from mesm.data.ingest import private_folder as private_folder_module
from mesm.data.ingest.child_process import ChildProcess
from mesm.data.ingest.private_folder import private_folder, sweep
from mesm.errors import DataError


@pytest.mark.slow
def test_same_as_inside(astronaut_clip: Path, tmp_path: Path) -> None:
    heard: list[str] = []
    preview = tmp_path / "p.mp4"
    apart = ingest_untrusted(
        astronaut_clip, "Hello “you”", preview_path=preview, progress=lambda what, share: heard.append(what)
    )
    inside = ingest_clip(astronaut_clip, "Hello “you”")
    for key, value in vars(inside).items():
        other = getattr(apart, key)
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            np.testing.assert_allclose(other, value, atol=0.05, err_msg=key)
        elif isinstance(value, np.ndarray):
            assert np.mean(other == value) > 0.99, key
        else:
            assert other == value, key
    assert preview.stat().st_size > 1000
    assert heard[0] == "starting the decoder" and heard[-1] == "making the preview"


def test_a_bad_file_is_one_sentence_without_the_folder(tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video at all" * 100)
    with pytest.raises(DataError, match=r"^bad\.mp4 cannot be read as video or sound"):
        ingest_untrusted(tmp_path / "bad.mp4", "text")


def test_time_limit(astronaut_clip: Path) -> None:
    start = time.monotonic()
    with pytest.raises(DataError, match="within 0 s"):
        ingest_untrusted(astronaut_clip, "text", timeout_s=0.3)
    assert time.monotonic() - start < 5


def test_memory_limit(astronaut_clip: Path) -> None:
    pytest.importorskip("resource")
    with pytest.raises(DataError, match="100 MB of memory"):
        ingest_untrusted(astronaut_clip, "text", memory_mb=100, timeout_s=30)


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChildProcess]:
    """A decoder that does what a clip's transcript says."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setattr(guard, "_MODULE", "tests.data.hostile_decoder")
    with ChildProcess(guard._MODULE) as decoder:
        yield decoder


def test_one_child_decodes_many_files_and_survives_a_crash(hostile: ChildProcess, tmp_path: Path) -> None:
    clip = write_wav(tmp_path / "a.wav")
    ingest_untrusted(clip, "fine", decoder=hostile)
    first = hostile._process
    ingest_untrusted(clip, "fine again", decoder=hostile)
    assert first is not None and hostile._process is first, "the second file needs no second process"
    for text in ("crash", "chatter"):
        with pytest.raises(DataError, match=r"^a\.wav could not be decoded within 20 s and 4096 MB of memory"):
            ingest_untrusted(clip, text, decoder=hostile, timeout_s=20)
        assert first.poll() is not None
    sample = ingest_untrusted(clip, "fine", decoder=hostile)
    assert sample.text == "fine" and len(sample.mel)


def test_a_crash_of_a_used_child_is_tried_again_in_a_new_one(hostile: ChildProcess, tmp_path: Path) -> None:
    clip = write_wav(tmp_path / "a.wav")
    ingest_untrusted(clip, "fine", decoder=hostile)
    assert hostile._process is not None
    hostile._process.kill()  # an earlier file's fault, or 60 s without work
    assert ingest_untrusted(clip, "fine", decoder=hostile).text == "fine"


def test_hanging_spinning_and_filling_files_are_one_sentence(hostile: ChildProcess, tmp_path: Path) -> None:
    clip = write_wav(tmp_path / "a.wav")
    ingest_untrusted(clip, "fine", decoder=hostile)
    start = time.monotonic()
    for text in ("hang", "spin"):
        with pytest.raises(DataError, match="could not be decoded within 1 s"):
            ingest_untrusted(clip, text, decoder=hostile, timeout_s=1)
    with pytest.raises(DataError, match="1024 MB of memory"):
        ingest_untrusted(clip, "fill", decoder=hostile, timeout_s=60, memory_mb=1024)
    assert time.monotonic() - start < 60


def test_a_reader_that_goes_away_ends_the_child(hostile: ChildProcess, tmp_path: Path) -> None:
    """As a page does that is closed: its report raises, also while the decoder is silent."""

    class Gone(BaseException):
        pass

    reports: list[str] = []

    def report(stage: str, share: float) -> None:
        reports.append(stage)
        if len(reports) > 3:
            raise Gone

    with pytest.raises(Gone):
        ingest_untrusted(write_wav(tmp_path / "a.wav"), "hang", decoder=hostile, progress=report)
    assert hostile._process is None and not list(tmp_path.glob("mesm-*"))


PARENT = """
import sys
from mesm.data.ingest import guard, ingest_untrusted
guard._MODULE = "tests.data.hostile_decoder"
guard._GRACE_S = 0
ingest_untrusted(sys.argv[1], "folder " + sys.argv[2], timeout_s=float(sys.argv[3]))
"""


def until(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG")
def test_a_killed_parent_leaves_neither_child_nor_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip, told, scratch = write_wav(tmp_path / "a.wav"), tmp_path / "pid", tmp_path / "scratch"
    scratch.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "TMPDIR": str(scratch)}
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(clip), str(told), "600"], env=environment)
    assert until(lambda: told.exists() and bool(told.read_text()), 60)
    child = int(told.read_text())
    assert len(list(scratch.glob("mesm-*"))) == 1
    parent.kill()
    parent.wait()
    assert until(lambda: not is_alive(child), 5)
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    monkeypatch.setattr(private_folder_module, "_NEW_S", 0.0)
    sweep()
    assert not list(scratch.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_stopped_parent_cannot_keep_a_child_beyond_its_time(tmp_path: Path) -> None:
    """The limit is the child's own: the parent that would end it does nothing."""
    clip, told = write_wav(tmp_path / "a.wav"), tmp_path / "pid"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(clip), str(told), "12"], env=environment)
    try:
        assert until(lambda: told.exists() and bool(told.read_text()), 60)
        parent.send_signal(signal.SIGSTOP)
        assert until(lambda: not is_alive(int(told.read_text())), 30)
    finally:
        parent.kill()
        parent.wait()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_living_owners_and_others_keep_their_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name in ("mesm-old", "mesm-new", "other-old"):
        (tmp_path / name).mkdir()
    for name in ("mesm-old", "other-old"):
        os.utime(tmp_path / name, (0, 0))
    with private_folder() as mine:
        os.utime(mine, (0, 0))
        sweep()
        assert {path.name for path in tmp_path.iterdir()} == {mine.name, "mesm-new", "other-old"}
    assert not mine.exists()


def test_limits_are_left_out_where_the_system_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)
    monkeypatch.setattr(sys, "platform", "none")
    limits.limit_memory(1)
    limits.limit_processor_time(0.0)
    limits.end_with_parent(-1)


def write_wav(path: Path) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes((np.sin(np.arange(16000) / 20) * 9000).astype("<i2").tobytes())
    return path


def test_several_files_are_decoded_at_once_and_a_bad_one_costs_only_itself(
    hostile: ChildProcess, tmp_path: Path
) -> None:
    clip = write_wav(tmp_path / "a.wav")
    with guard.Decoders(2) as decoders:
        first, crashed, third = (decoders.read(clip, text, 60) for text in ("fine", "crash", "fine again"))
        assert first.result().text == "fine" and third.result().text == "fine again"
        with pytest.raises(DataError, match=r"^a\.wav could not be decoded"):
            crashed.result()


def test_closing_the_decoders_ends_what_is_under_way(hostile: ChildProcess, tmp_path: Path) -> None:
    clip, start = write_wav(tmp_path / "a.wav"), time.monotonic()
    with guard.Decoders(1) as decoders:
        hanging, waiting = (decoders.read(clip, "hang", 60) for _ in range(2))
        while not hanging.running():
            time.sleep(0.01)
    assert time.monotonic() - start < 30 and waiting.cancelled()
    assert hanging.exception() is not None


@pytest.mark.parametrize("guarded", [False, True])
def test_the_decoders_find_the_same_face_from_coarse_to_fine(
    guarded: bool, astronaut_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ingest_here(path: Path, text: str, *, coarse: bool, large_px: int, **_: object) -> Sample:
        assert coarse
        return ingest_clip(path, text, large_px=large_px)

    monkeypatch.setattr(guard, "ingest_untrusted", ingest_here)
    monkeypatch.setattr(guard, "_search", guard.cache(guard._search))
    with guard.Decoders(1, guarded=guarded) as decoders:
        coarse = decoders.read(astronaut_clip, "text", 60).result()
    assert guard._search.cache_info().currsize == (not guarded)  # type: ignore[attr-defined]
    plain = ingest_clip(astronaut_clip, "text")
    np.testing.assert_allclose(coarse.face_boxes, plain.face_boxes, atol=1)
    assert coarse.quality == plain.quality and len(coarse.faces_large) == 0
