"""Limit a process that decodes strangers' files, with what the system has: memory, processor time, time, life.

Every limit is kept by the system or by a thread that needs nothing of Python, so that a decoder that hangs in C cannot
escape it, and none needs the parent process, which may have been killed.
"""

from __future__ import annotations

import ctypes
import faulthandler
import math
import os
import signal
import sys
from functools import cache
from io import TextIOWrapper

#: The option of Linux's prctl that names the signal sent when the parent ends.
_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int) -> None:
    """End this process when its parent does (Linux); `parent` is the parent's process number."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before the call
            os._exit(1)


def limit_memory(memory_mb: int) -> None:
    """Limit the heap of this process, and write no core dumps; without effect where the system has no such limits."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # RLIMIT_AS would count torch's mapped libraries, gigabytes that are never touched.
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (memory_mb * 2**20, hard))


def limit_processor_time(seconds: float) -> None:
    """Let this process use so many seconds of one processor from now on."""
    try:
        import resource
    except ImportError:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(used.ru_utime + used.ru_stime + seconds) + 1, hard))


def end_after(seconds: float) -> None:
    """End this process after so many seconds, unless this is called again before."""
    faulthandler.dump_traceback_later(max(seconds, 0.001), exit=True, file=_nowhere())


def end_never() -> None:
    """Lift the last `end_after`."""
    faulthandler.cancel_dump_traceback_later()


@cache
def _nowhere() -> TextIOWrapper:
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - kept open for the watching thread
