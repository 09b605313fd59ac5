"""One writer at a time: real processes, folders that come and go, owners that are dead, damaged or of another time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from mesm import locks
from mesm.data.store import Corpus, CorpusWriter
from mesm.errors import DataError
from mesm.locks import LOCK_NAME, FolderBusyError, FolderLock, Owner, process_start, read_owner
from tests.data.made_samples import make_sample

HOLD = """
import sys
from mesm.locks import FolderLock
lock = FolderLock(sys.argv[1], "corpus")
print("held", flush=True)
sys.stdin.readline()
"""


def holding(folder: Path) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None and child.stdout.readline() == "held\n"
    return child


def test_the_second_writer_gets_one_sentence_and_a_killed_one_leaves_no_lock(tmp_path: Path) -> None:
    child = holding(tmp_path / "two")
    with pytest.raises(DataError, match=rf"^corpus two is being written by process {child.pid} since \d\d:\d\d; wait"):
        CorpusWriter(tmp_path / "two", "two")
    child.kill()
    child.wait()
    assert (tmp_path / "two" / LOCK_NAME).exists() and read_owner(tmp_path / "two") is None
    with CorpusWriter(tmp_path / "two", "two") as writer:
        writer.add(make_sample("a"))
        with pytest.raises(FolderBusyError, match=f"process {os.getpid()} "):
            CorpusWriter(tmp_path / "two", "two")
    assert Corpus(tmp_path / "two").ids() == ("a",)
    assert not (tmp_path / "two" / LOCK_NAME).exists()


def test_an_ended_command_leaves_neither_lock_nor_empty_folder(tmp_path: Path) -> None:
    child = holding(tmp_path / "new")
    child.communicate("\n")
    assert not list(tmp_path.iterdir())


def test_many_processes_take_turns(tmp_path: Path) -> None:
    """Each adds one to a number in a file, in a folder that the holders delete and make again."""
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom mesm.locks import FolderBusyError, FolderLock\n"
        "place = Path(sys.argv[1])\n"
        "for _ in range(40):\n"
        "    while True:\n"
        "        try:\n            lock = FolderLock(place / 'lock', 'corpus')\n            break\n"
        "        except FolderBusyError:\n            time.sleep(0.001)\n"
        "    number = int((place / 'number').read_text())\n"
        "    time.sleep(0.0005)\n"
        "    (place / 'number').write_text(str(number + 1))\n"
        "    lock.release()\n"
    )
    (tmp_path / "number").write_text("0")
    children = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(3)]
    assert [child.wait() for child in children] == [0, 0, 0]
    assert (tmp_path / "number").read_text() == "120" and read_owner(tmp_path / "lock") is None


def test_an_owner_is_known_by_more_than_its_number(tmp_path: Path) -> None:
    own = Owner(os.getpid(), process_start(os.getpid()), 0.0)

    def read(content: object) -> Owner | None:
        (tmp_path / LOCK_NAME).write_text(content if isinstance(content, str) else json.dumps(content))
        return read_owner(tmp_path)

    assert read(asdict(own)) == own and str(own).startswith(f"process {os.getpid()} since 19")
    for changes in ({"started": "1"}, {"started": ""}, {"pid": 10**30}, {"pid": -1}, {"pid": 0, "started": ""}):
        assert read({**asdict(own), **changes}) is None, changes
    for content in ({**asdict(own), "since": 1e300}, {"pid": 1}, "[" * 900, "5" * 999, "{", [], ""):
        assert read(content) is None, content
    assert read_owner(tmp_path / "nowhere") is None


def test_without_system_locks_the_owner_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "fcntl", None)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    owner = Owner(child.pid, process_start(child.pid), 0.0)
    (tmp_path / LOCK_NAME).write_text(json.dumps(asdict(owner)))
    with pytest.raises(FolderBusyError, match=f"process {child.pid}"):
        FolderLock(tmp_path, "run")
    (tmp_path / LOCK_NAME).write_text(json.dumps(asdict(replace(owner, started="1"))))
    FolderLock(tmp_path, "run").release()
    (tmp_path / LOCK_NAME).write_text(json.dumps(asdict(owner)))
    child.send_signal(signal.SIGKILL)
    child.wait()
    with FolderLock(tmp_path, "run"):
        assert read_owner(tmp_path) is not None


def test_a_forked_child_does_not_give_the_folder_up(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path, "run")
    pid = os.fork()
    if pid == 0:
        lock.release()
        os._exit(0)
    os.waitpid(pid, 0)
    assert read_owner(tmp_path) is not None
    lock.release()
