"""Put each fault into a copy of the tree and run the tests named beside it.

    python -m tests.mutants [--only SUBSTRING] [--list]

A fault that the tests do not notice has survived. The tests of every area are run without a fault first; a fault whose
tests fail then, or that pytest cannot collect, is not counted as noticed.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.mutants import MUTANTS
from tests.mutants.mutant import Mutant

ROOT = Path(__file__).resolve().parents[2]
_COPIED = ("mesm", "tests", "benchmarks", "pages", "app.py", "pyproject.toml", "Makefile", "README.md", "docs")
_LINKED = ("assets",)
_TIMEOUT_S = 300
#: Imported once, before the children are forked: they take longer than most tests.
_HEAVY = (
    "torch",
    "torch._dynamo",
    "accelerate",
    "transformers",
    "pandas",
    "pyarrow.parquet",
    "sklearn.metrics",
    "hypothesis",
    "numba",
    "scipy.stats",
    "matplotlib.pyplot",
    "plotly.graph_objects",
    "streamlit.testing.v1",
)


def copy_tree(target: Path) -> None:
    """Copy the code and link the data of the repository."""
    for name in _COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.is_file():
            shutil.copy2(source, target / name)
    for name in _LINKED:
        (target / name).symlink_to(ROOT / name)


def run_tests(tree: Path, tests: str) -> None:
    """Run tests of a tree in a child process, and end it with pytest's exit status."""
    for name in [name for name in sys.modules if name.partition(".")[0] in ("mesm", "tests", "benchmarks")]:
        del sys.modules[name]
    os.chdir(tree)
    os.environ["PYTHONPATH"] = sys.path[0] = str(tree)
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    options = [
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:unraisableexception",
        "-m",
        "not slow",
        "--rootdir",
        str(tree),
    ]
    os._exit(int(pytest.main([*options, *tests.split()])))


def exit_status(tree: Path, tests: str) -> int | None:
    """Return pytest's exit status for tests of a tree; None for tests that do not end in time."""
    child = multiprocessing.get_context("fork").Process(target=run_tests, args=(tree, tests))
    child.start()
    child.join(_TIMEOUT_S)
    if child.exitcode is None:
        child.kill()
        child.join()
        return None
    return child.exitcode


def failing_tests(tree: Path, tests: list[str]) -> set[str]:
    """Return those tests that fail in a tree; all are run at once, and one by one only if that fails."""
    if exit_status(tree, " ".join(tests)) == pytest.ExitCode.OK:
        return set()
    return {test for test in tests if exit_status(tree, test) != pytest.ExitCode.OK}


def outcome(tree: Path, mutant: Mutant) -> str:
    """Return "killed", "SURVIVED" or "NOT RUN" for a fault; the tree is as before afterwards.

    Tests that never end, or that end the interpreter, have noticed the fault.

    Raises:
        ValueError: the line to replace does not occur exactly once.
    """
    path = tree / mutant.file
    original = path.read_text()
    if original.count(mutant.old) != 1:
        raise ValueError(f"{mutant.file} holds {mutant.old!r} {original.count(mutant.old)} times; mend tests/mutants")
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    path.write_text(original.replace(mutant.old, mutant.new))
    sys.dont_write_bytecode = True
    try:
        status = exit_status(tree, mutant.tests)
    finally:
        path.write_text(original)
        os.utime(path, ns=times)  # the bytecode of the tree without a fault stays valid
        sys.dont_write_bytecode = False
    if status is None or status < 0 or status == pytest.ExitCode.TESTS_FAILED:
        return "killed"
    return "SURVIVED" if status == pytest.ExitCode.OK else "NOT RUN"


def main() -> int:
    """Run the faults and print the score; exit status 1 if one is not killed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="SUBSTRING", help="of the file, the line or the tests")
    parser.add_argument("--list", action="store_true", help="print the faults and stop")
    options = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS if options.only in f"{mutant} {mutant.tests}"]
    if options.list:
        print("\n".join(map(str, chosen)))
        return 0
    for name in _HEAVY:
        importlib.import_module(name)
    gc.freeze()  # a child does not collect, and so does not copy, what it shares
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="mutants") as folder:
        tree = Path(folder)
        copy_tree(tree)
        broken = failing_tests(tree, sorted({test for mutant in chosen for test in mutant.tests.split()}))
        for test in broken:
            print(f"{test} fails without a fault; mend it first", flush=True)
        for mutant in chosen:
            started = time.perf_counter()
            result = "NOT RUN" if broken & set(mutant.tests.split()) else outcome(tree, mutant)
            counts[result] += 1
            print(f"{result:8} {time.perf_counter() - started:4.0f} s  {mutant}", flush=True)
    print(
        f"{len(chosen)} faults listed: {counts['killed']} killed, {counts['SURVIVED']} survived, "
        f"{counts['NOT RUN']} not run; {100 * counts['killed'] / max(1, len(chosen)):.1f} % noticed"
    )
    return int(counts["killed"] < len(chosen))


if __name__ == "__main__":
    sys.exit(main())
