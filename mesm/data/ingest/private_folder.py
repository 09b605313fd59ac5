"""Make temporary folders for strangers' files that are gone with their owner, however it ended.

The owner holds a lock on a file in the folder; the system lifts it when the owner ends, even by SIGKILL, and the next
process removes the folder.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: folders are removed by their age alone
    fcntl = None  # type: ignore[assignment]

PREFIX = "mesm-"
_LOCK = ".owner"
#: A folder without a lock may be about to get it; without any locks, its age decides.
_NEW_S, _OLD_S = 60.0, 86400.0


@contextmanager
def private_folder() -> Iterator[Path]:
    """Make a temporary folder that only this user can read, and remove it afterwards in any case."""
    sweep_once()
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as name:
        lock = os.open(Path(name) / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            if fcntl is not None:
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield Path(name)
        finally:
            os.close(lock)


@cache
def sweep_once() -> None:
    """Remove the folders of processes that were killed; once in a process."""
    sweep()


def sweep() -> None:
    """Remove the private folders of this user whose owner has ended."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            if not folder.is_symlink() and folder.is_dir() and _is_left(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_left(folder: Path) -> bool:
    status = folder.stat()
    age_s = time.time() - status.st_mtime
    if age_s < _NEW_S or (hasattr(os, "getuid") and status.st_uid != os.getuid()):
        return False
    if fcntl is None:
        return age_s > _OLD_S
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR)
    except FileNotFoundError:  # of an earlier version, which had no locks
        return age_s > _OLD_S
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True
