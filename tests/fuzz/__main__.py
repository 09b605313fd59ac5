"""Try every target in a child process of its own, and print a table."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

from tests.fuzz.run import Counts, run_target, shares, try_again
from tests.fuzz.targets import ROOT, TARGETS

#: Memory, in bytes, beyond which a reader's process is refused more.
_HEAP = 6 << 30


def limit_memory() -> None:
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_DATA, (_HEAP, resource.getrlimit(resource.RLIMIT_DATA)[1]))


def run_apart(name: str, cases: int, seconds: float, seed: int, keep: Path) -> Counts:
    """Try one target in a child; a crash or a reader that hangs in C is a failure without an input."""
    command = [
        sys.executable,
        "-X",
        "faulthandler",
        "-m",
        "tests.fuzz",
        "--child",
        "--target",
        name,
        "--out",
        str(keep),
    ]
    command += ["--cases", str(cases), "--seconds", str(seconds), "--seed", str(seed)]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds + 180)
        return Counts(**json.loads(done.stdout.splitlines()[-1]))
    except subprocess.TimeoutExpired:
        return Counts(failed=1, failures={"hangs": shell(command)})
    except (IndexError, ValueError, TypeError):
        return Counts(failed=1, failures={f"ended with {done.returncode}: {done.stderr[:3000]}": shell(command)})


def shell(command: list[str]) -> str:
    return " ".join(command)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=2000, help="files in all, by default 2000")
    parser.add_argument("--seconds", type=float, default=3600, help="most seconds for each target")
    parser.add_argument("--target", choices=TARGETS, help="this one alone")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("fuzz-failures"), help="folder for inputs that fail")
    parser.add_argument("--input", type=Path, help="read this one input again")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.input:
        failure = try_again(options.target, options.input)
        print(failure or "a value, or one sentence")
        return bool(failure)
    keep = options.out.absolute()
    if options.child:
        limit_memory()
        counts = run_target(options.target, options.cases, options.seconds, options.seed, keep)
        print("\n" + json.dumps(asdict(counts)))
        return 0
    names = [options.target] if options.target else list(TARGETS)
    print(f"{'target':15}{'cases':>7}{'read':>7}{'refused':>9}{'failed':>8}{'worst s':>9}{'worst MB':>10}{'all s':>8}")
    results: dict[str, Counts] = {}
    for name, cases in shares(names, options.cases).items():
        start = time.monotonic()
        one = results[name] = run_apart(name, cases, options.seconds, options.seed, keep)
        numbers = f"{one.cases:7}{one.read:7}{one.refused:9}{one.failed:8}{one.seconds:9.2f}{one.mb:10.0f}"
        print(f"{name:15}{numbers}{time.monotonic() - start:8.0f}", flush=True)
    print(f"{sum(one.cases for one in results.values())} cases, {sum(one.failed for one in results.values())} failures")
    for name, one in results.items():
        for failure, path in one.failures.items():
            print(f"\n{name}: {failure}\nagain: python -m tests.fuzz --target {name} --input {path}")
    return any(one.failed for one in results.values())


if __name__ == "__main__":
    sys.exit(main())
