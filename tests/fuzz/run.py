"""Hold the reading of one file to its bounds, and count what comes of many."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity, given, settings

from mesm.errors import MesmError
from tests.fuzz.targets import TARGETS, Target, fault_of_sentence, no_child_left

_BATCH = 100
#: Failures of one kind that are kept.
_KEPT = 2


@dataclass
class Counts:
    """Count the files of one target: how many were read, refused in a sentence, or neither.

    Attributes:
        seconds: processor time of the slowest file, or time where a child process reads it.
        mb: memory of the largest file beyond what the process had; 0 where the system does not tell.
        failures: sentence of each failure -> its input.
    """

    cases: int = 0
    read: int = 0
    refused: int = 0
    failed: int = 0
    seconds: float = 0.0
    mb: float = 0.0
    failures: dict[str, str] = field(default_factory=dict)


class _TooLong(BaseException):
    pass


class _Outside(BaseException):
    pass


class _Watch:
    """Refuse what no reader does: to write outside its folder, to start programs, to reach the network."""

    WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.truncate", "os.chmod")
    NEVER = ("os.system", "os.exec", "os.fork", "os.posix_spawn", "pty.spawn", "socket.connect", "ctypes.dlopen")

    def __init__(self) -> None:
        self.folder: str | None = None
        self.starts_children = False
        sys.addaudithook(self.look)

    def look(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.folder is None:
            return
        if event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & self.WRITES:
                self.check_place(event, path)
        elif event in self.CHANGES:
            self.check_place(event, arguments[0])
        elif event in self.NEVER or (event == "subprocess.Popen" and not self.starts_children):
            self.refuse(event, arguments)

    def check_place(self, event: str, path: object) -> None:
        if isinstance(path, int) or self.folder is None:
            return
        place = os.path.realpath(os.fsdecode(path))  # type: ignore[arg-type]
        if not place.startswith(self.folder) and place != os.devnull:
            self.refuse(event, place)

    def refuse(self, event: str, detail: object) -> None:
        self.folder = None
        raise _Outside(f"{event} {detail!r}")


def children() -> list[str]:
    """Numbers of the child processes of this one."""
    try:
        return [n for path in Path("/proc/self/task").glob("*/children") for n in path.read_text().split()]
    except OSError:
        return []


class Runner:
    """Read files of one target, each in a folder of its own, within the target's bounds."""

    def __init__(self, target: Target) -> None:
        self.target, self.counts, self.watch = target, Counts(), _Watch()
        self.place = Path(tempfile.mkdtemp(prefix="fuzz-")).resolve()
        (self.place / "tmp").mkdir()
        tempfile.tempdir = str(self.place / "tmp")
        os.environ["TMPDIR"] = os.environ["HOME"] = tempfile.tempdir
        os.chdir(self.place)
        warnings.simplefilter("ignore")
        signal.signal(signal.SIGPROF, self.stop)
        self.in_children = target.file == "clip" and "guarded" in target.read.__name__

    def stop(self, number: int, frame: object) -> None:
        raise _TooLong

    def close(self) -> None:
        """Remove the folder; raise AssertionError for a child or a file that was left."""
        with no_child_left():
            pass
        # torch keeps a cache of its own there.
        left = [path.name for path in (self.place / "tmp").iterdir() if not path.name.startswith("torchinductor")]
        alive = children()
        os.chdir("/")
        shutil.rmtree(self.place)
        assert not left and not alive, f"left behind: {left}, children {alive}"

    def many(self, cases: int, seconds: float, seed: int, keep: Path) -> Counts:
        """Read so many files, as far as the time goes; what fails is written into the folder `keep`."""
        until, batch, inputs = time.monotonic() + seconds, 0, self.target.inputs()
        while self.counts.cases < cases and time.monotonic() < until:

            @hypothesis.seed(1000 * seed + batch)
            @settings(
                max_examples=min(_BATCH, cases - self.counts.cases),
                database=None,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
                verbosity=Verbosity.quiet,
            )
            @given(inputs)
            def each(data: bytes) -> None:
                if time.monotonic() < until and self.counts.cases < cases:
                    self.one(data, keep)

            each()
            batch += 1
        return self.counts

    def one(self, data: bytes, keep: Path) -> None:
        """Read one file and count it."""
        counts, failure = self.counts, self.failure(data)
        counts.cases += 1
        if failure is None:
            return
        counts.failed += 1
        kind = failure.splitlines()[0]
        if sum(known.splitlines()[0] == kind for known in counts.failures) < _KEPT:
            keep.mkdir(parents=True, exist_ok=True)
            path = keep / f"{self.name}-{hashlib.sha256(data).hexdigest()[:10]}"
            path.write_bytes(data)
            counts.failures[failure] = str(path)

    @property
    def name(self) -> str:
        """Name of the target."""
        return next(name for name, target in TARGETS.items() if target is self.target)

    def failure(self, data: bytes) -> str | None:
        """Read one file; return what is wrong with the outcome, or None for a value or a sentence."""
        folder = self.place / "case"
        folder.mkdir()
        path = folder / self.target.file
        path.write_bytes(data)
        try:
            with self.measured():
                self.target.read(path)
        except MesmError as error:
            self.counts.refused += 1
            fault = fault_of_sentence(str(error))
            return fault and f"{fault} from {_place(error)}\n{str(error)[:1000]!r}"
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            return f"{type(error).__name__} from {_place(error)}\n{traceback.format_exc()[-3000:]}"
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        self.counts.read += 1
        return None

    @contextlib.contextmanager
    def measured(self) -> Iterator[None]:
        """Measure time and memory, and raise where a bound is passed."""
        before = _reset_peak()
        clock = time.monotonic if self.in_children else time.process_time
        start = clock()
        self.watch.folder, self.watch.starts_children = str(self.place), self.in_children
        signal.setitimer(signal.ITIMER_PROF, 2 * self.target.max_seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            self.watch.folder = None
            seconds, mb = clock() - start, max(_memory("VmHWM") - before, 0.0)
            self.counts.seconds, self.counts.mb = max(self.counts.seconds, seconds), max(self.counts.mb, mb)
        assert seconds <= self.target.max_seconds, f"took {seconds:.1f} s"
        assert mb <= self.target.max_mb, f"took {mb:.0f} MB"


def _place(error: BaseException) -> str:
    """File and line of the package, or else of the tests, that an error comes from."""
    frames = traceback.extract_tb(error.__traceback__)
    last = next((one for one in reversed(frames) if "/mesm/" in one.filename), frames[-1])
    return f"{Path(last.filename).name}:{last.lineno}"


def _memory(name: str) -> float:
    """A line of /proc/self/status in MB; 0 where there is none."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:")), 0.0)


def _reset_peak() -> float:
    """Let the system count the peak of the memory from now on, and return what is in use now."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return _memory("VmRSS")
    except OSError:
        return _memory("VmHWM")


def run_target(name: str, cases: int, seconds: float, seed: int, keep: Path) -> Counts:
    """Try one target in this process."""
    ctypes.CDLL(None)  # loaded before it is watched
    runner = Runner(TARGETS[name])
    try:
        return runner.many(cases, seconds, seed, keep)
    finally:
        runner.close()


def try_again(name: str, path: Path) -> str | None:
    """Read one input of a target; return what is wrong, with the whole traceback."""
    data, runner = path.read_bytes(), Runner(TARGETS[name])
    try:
        return runner.failure(data)
    finally:
        runner.close()


def shares(names: Sequence[str], cases: int) -> dict[str, int]:
    """Divide the cases among the targets by their shares."""
    whole = sum(TARGETS[name].share for name in names)
    return {name: max(1, round(cases * TARGETS[name].share / whole)) for name in names}
