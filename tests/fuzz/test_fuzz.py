"""A minute of fuzzing, and proof that it notices every kind of fault."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=600
    )


@pytest.mark.slow
def test_whatever_a_file_holds_is_a_value_or_a_sentence(tmp_path: Path) -> None:
    done = run(ROOT, "-m", "tests.fuzz", "--cases", "3000", "--seconds", "2", "--out", str(tmp_path / "failures"))
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]


FAULTS = """
import os, subprocess, sys, time
from pathlib import Path
from hypothesis import strategies as st
from mesm.errors import DataError
from tests.fuzz import run, targets

kept = []
class Odd(DataError):
    def __str__(self):
        return self.args[0]
def refuse(text):
    raise Odd(text)
deeds = {
    b"other": lambda path: {}["other"],
    b"outside": lambda path: Path(path.parents[2], "escaped").write_text(""),
    b"program": lambda path: subprocess.run(["true"]),
    b"shell": lambda path: os.system("true"),
    b"lines": lambda path: refuse("two\\nlines"),
    b"long": lambda path: refuse("x" * 601),
    b"slow": lambda path: [time.process_time() for _ in iter(lambda: time.process_time() - start > 3, True)],
    b"large": lambda path: bytearray(300 << 20),
    b"value": lambda path: 1,
    b"sentence": lambda path: refuse("a sentence"),
}
def read(path):
    global start
    start = time.process_time()
    deeds[path.read_bytes()](path)
target = targets.Target("f", lambda: st.just(b"value"), read, max_seconds=1, max_mb=200)
targets.TARGETS["made"] = target
runner = run.Runner(target)
for deed in deeds:
    runner.one(deed, Path(sys.argv[1]))
runner.close()
print(runner.counts.cases, runner.counts.failed, len(list(Path(sys.argv[1]).iterdir())))
"""


def test_every_kind_of_fault_is_noticed(tmp_path: Path) -> None:
    done = run(tmp_path, "-c", FAULTS, str(tmp_path / "failures"))
    assert done.stdout.split()[:2] == ["10", "8"], done.stdout + done.stderr
