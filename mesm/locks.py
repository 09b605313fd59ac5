"""Lock a folder for one writer at a time: the operating system's lock on `<folder>/.lock`, which holds the owner.

The lock ends with its process, however that ends. The owner in the file (pid and start time) is for sentences and for
readers such as the Runs page, which never take the lock.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import weakref
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from mesm.errors import DataError
from mesm.files import sweep_parts
from mesm.json_form import from_json

try:
    import fcntl
except ImportError:  # a system without POSIX locks: there the owner in the file has to do
    fcntl = None  # type: ignore[assignment]

LOCK_NAME = ".lock"
_MAX_OWNER_BYTES = 1000
_MAX_PID = 2**31 - 1


@dataclass(frozen=True)
class Owner:
    """Identify a process that writes a folder.

    Attributes:
        started: start time of the process (`process_start`), which a later process of the same number does not have.
        since: seconds since 1970 at which it took the lock.
    """

    pid: int
    started: str
    since: float

    def __str__(self) -> str:
        since = time.localtime(self.since)
        today = time.localtime()[:3] == since[:3]
        return f"process {self.pid} since {time.strftime('%H:%M' if today else '%Y-%m-%d %H:%M', since)}"


class FolderBusyError(DataError):
    """Signal a folder that another process is writing; `owner` is None while it is not known."""

    def __init__(self, what: str, owner: Owner | None) -> None:
        super().__init__(f"{what} is being written by {owner or 'another process'}; wait or stop it")
        self.owner = owner


class FolderLock:
    """Hold a folder until `release`, the end of a `with`, or the end of the process.

    Leftovers of writers that were killed are deleted: the holder is the only one that writes.
    """

    def __init__(self, folder: str | os.PathLike[str], kind: str) -> None:
        """Take the lock; a folder that does not exist is created, and removed by `release` if it is still empty.

        Args:
            kind: of the folder, for sentences: "corpus" or "run".

        Raises:
            FolderBusyError: another process, or another writer of this one, holds it.
            DataError: nothing can be written there.
        """
        self.folder = Path(folder)
        try:
            created = not self.folder.is_dir()
            while (handle := self._acquire(kind)) is None:
                pass
            self._finalizer = weakref.finalize(self, _release, self.folder.absolute(), handle, os.getpid(), created)
            owner = Owner(os.getpid(), process_start(os.getpid()), time.time())
            os.ftruncate(handle, 0)
            os.write(handle, json.dumps(asdict(owner)).encode())
        except OSError as error:
            raise DataError(
                f"cannot write in {self.folder}: {error.strerror or error}; choose a folder of your own with free space"
            ) from error
        sweep_parts(self.folder)

    def _acquire(self, kind: str) -> int | None:
        """Return the open lock file, or None where its last holder deleted it at this moment."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / LOCK_NAME
        with contextlib.ExitStack() as stack:
            try:
                handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            except FileNotFoundError:
                return None
            stack.callback(os.close, handle)
            if not _lock(handle, self.folder):
                raise FolderBusyError(f"{kind} {self.folder.resolve().name}", read_owner(self.folder))
            try:
                if not os.path.samestat(path.stat(), os.fstat(handle)):
                    return None
            except FileNotFoundError:
                return None
            stack.pop_all()
            return handle

    def release(self) -> None:
        """Give the folder up; a second time does nothing."""
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _lock(handle: int, folder: Path) -> bool:
    """Lock an open file; where the system or the file system has no locks, return whether its owner has ended."""
    if fcntl is not None:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            return False
        except OSError:
            pass
    return read_owner(folder) is None


def _release(folder: Path, handle: int, pid: int, created: bool) -> None:
    if os.getpid() != pid:  # a fork: the lock is its parent's
        return
    with contextlib.suppress(OSError):
        (folder / LOCK_NAME).unlink(missing_ok=True)  # before it is unlocked: the next holder makes a new one
        if created:
            folder.rmdir()
    os.close(handle)


def read_owner(folder: Path) -> Owner | None:
    """Return the living process that holds a folder; None where there is none, or its file is damaged."""
    try:
        with (folder / LOCK_NAME).open("rb") as file:
            owner = from_json(Owner, json.loads(file.read(_MAX_OWNER_BYTES)))
        str(owner)  # fails for a time that no calendar has
        return owner if is_alive(owner.pid, owner.started) else None
    except (OSError, ValueError, OverflowError, RecursionError):
        return None


def is_alive(pid: int, started: str) -> bool:
    """Return whether a process lives; a later process of the same number does not count."""
    return started != "" and process_start(pid) == started


def process_start(pid: int) -> str:
    """Return a living process's start time in clock ticks since boot (field 22 of /proc/PID/stat); "" for none.

    /proc, not psutil: this one number is all that is needed. Without /proc the pid alone has to do.
    """
    if not 0 < pid <= _MAX_PID:
        return ""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # an ended child of this process stays a zombie until it is waited for
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] == "Z" else fields[19]
    except OSError:
        pass
    if Path("/proc/self/stat").is_file():
        return ""
    try:
        os.kill(pid, 0)
    except OSError:
        return ""
    return str(pid)
