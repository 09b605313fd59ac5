"""Keep a child process that answers requests one after another: lines of JSON in, lines of JSON out."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from mesm.errors import DataError
from mesm.json_form import Json, parse_json

_PACKAGE_ROOT = Path(__file__).resolve().parents[3]
#: Longest line that a child may write, in characters, and most lines that wait to be read.
_LINE, _LINES = 16_000_000, 100
#: Seconds between two calls of `beat`.
_BEAT_S = 0.5


class ChildProcess:
    """Run `python -m MODULE` as a child at the first request, and again after it was ended or has crashed.

    Args:
        module: gets this process's number as its argument, and must end by itself when idle or too slow.
        threads: of its computations; by default as many as there are cores.
    """

    def __init__(self, module: str, threads: int | None = None) -> None:
        self.module = module
        self._environment = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
        self._turn = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._answered = 0

    def ask(
        self,
        request: Json,
        timeout_s: float,
        receive: Callable[[Json], bool],
        beat: Callable[[], None] = lambda: None,
    ) -> bool:
        """Send one request; return False if the child ended, wrote nonsense or took too long, and is ended.

        A request whose child has answered others and now ends is sent again to a new child: the fault may be an earlier
        request's.

        Args:
            receive: called with each message; returns True for the last one.
            beat: called twice a second while nothing comes; whatever it raises ends the child.
        """
        with self._turn:
            until = time.monotonic() + timeout_s
            while True:
                was_used = self._answered > 0
                if self._ask_once(request, until, receive, beat):
                    return True
                if not was_used or time.monotonic() >= until:
                    return False

    def _ask_once(self, request: Json, until: float, receive: Callable[[Json], bool], beat: Callable[[], None]) -> bool:
        is_done = False
        try:
            process = self._alive()
            assert process.stdin is not None
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            while not is_done and (left := until - time.monotonic()) > 0:
                try:
                    line = self._lines.get(timeout=min(left, _BEAT_S))
                except queue.Empty:
                    beat()
                    continue
                if line is None:
                    break
                is_done = receive(parse_json(line, "a message"))
        except (OSError, DataError):
            is_done = False
        finally:
            if is_done:
                self._answered += 1
            else:
                self.close()
        return is_done

    def _alive(self) -> subprocess.Popen[str]:
        if self._process is not None and self._process.poll() is not None:
            self.close()
        if self._process is None:
            # A child that ends with its parent ends with the thread that started it, so that thread has to stay.
            self._process = _starter(os.getpid()).submit(_start, self.module, self._environment).result()
            self._lines = queue.Queue(_LINES)
            threading.Thread(target=_read_lines, args=(self._process.stdout, self._lines), daemon=True).start()
        return self._process

    def close(self) -> None:
        """End the child; a later request starts another."""
        if self._process is not None:
            self._process.kill()
            with contextlib.suppress(queue.Empty):  # the reading thread may wait for room
                while True:
                    self._lines.get_nowait()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(OSError):
                    stream.close()  # type: ignore[union-attr]
        self._process, self._answered = None, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@cache
def _starter(pid: int) -> ThreadPoolExecutor:
    """Return the thread that starts the children of the process `pid`."""
    return ThreadPoolExecutor(1, thread_name_prefix="mesm-starter")


def _start(module: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    search = os.pathsep.join(filter(None, [str(_PACKAGE_ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-m", module, str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": search, **environment},
        text=True,
        encoding="utf-8",
    )


def _read_lines(stream: IO[str], lines: queue.Queue[str | None]) -> None:
    """Pass on what a child writes, and None at its end."""
    with contextlib.suppress(OSError, ValueError):
        while line := stream.readline(_LINE):
            lines.put(line)
    lines.put(None)
