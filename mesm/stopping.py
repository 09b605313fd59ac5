"""Stop a command on Ctrl-C or SIGTERM where what it writes is whole."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self


class Stopped(KeyboardInterrupt):
    """Signal that Ctrl-C or SIGTERM ended the work; `status` is the exit status of a shell's command, 130 or 143."""

    def __init__(self, number: int, text: str = "stopped") -> None:
        super().__init__(text)
        self.number, self.status = number, 128 + number


class StopSignals:
    """Raise `Stopped` on Ctrl-C and SIGTERM inside a `with`: at once, or at the end of a `held` block.

    A second signal in a `held` block ends it at once, as a plain KeyboardInterrupt. Outside the main thread, where Python
    takes no signals, nothing is changed.
    """

    def __init__(self) -> None:
        self.received = 0
        self._held = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {n: signal.signal(n, self._receive) for n in (signal.SIGINT, signal.SIGTERM)}
            self._pid = os.getpid()
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, _: FrameType | None) -> None:
        if os.getpid() != self._pid:  # a forked worker, which has nothing to save
            os._exit(128 + number)
        if self._held and self.received:
            raise KeyboardInterrupt
        self.received = number
        if not self._held:
            raise Stopped(number)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold a signal back until the block ends without an error."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self.received:
            raise Stopped(self.received)
