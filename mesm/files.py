"""Write files whole, name them safely, and digest them. The one place that does either."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import stat
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mesm.errors import DataError

#: Ending of a file or folder that is being written; it gets its name when it is whole.
PART = ".part"
#: Most characters of a clip's, a speaker's or a session's name.
MAX_NAME = 200
#: Unicode categories of control characters, surrogates, and separators of lines and paragraphs.
_UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")


def file_sha256(path: Path) -> str:
    """Return the SHA-256 digest of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_regular(path: Path, limit: int, end: bool = False) -> bytes:
    """Read at most `limit` bytes of a regular file, its first ones or, with `end`, its last.

    Raises:
        OSError: it cannot be read, or is a pipe or a device, which might never end.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "no regular file", str(path))
    with path.open("rb") as file:
        if end:
            file.seek(max(0, status.st_size - limit))
        return file.read(limit)


def slug(name: str) -> str:
    """Return a file-name-safe form of a checkpoint's or corpus's name."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", Path(name).name).strip("-") or "unnamed"


def check_writable(folder: str | os.PathLike[str]) -> Path:
    """Check that files can be written in a folder, or in the nearest existing one above it; nothing is left behind.

    Raises:
        DataError: they cannot: no permission, a read-only place, or a file where a folder has to be.
    """
    folder = Path(folder)
    nearest = folder.absolute()
    try:
        while not nearest.exists():
            nearest = nearest.parent
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise DataError(
            f"cannot write in {folder}: {error.strerror or error}; choose a folder of your own with free space"
        ) from error
    return folder


def name_of_file(stem: str) -> str:
    """Return a name that `check_name` takes for a clip whose file has this stem: odd characters become _, the end is cut."""
    return "".join("_" if unicodedata.category(c) in _UNPRINTABLE else c for c in stem)[: MAX_NAME - 20]


def check_name(what: str, name: str) -> str:
    """Return the name of a clip, speaker or session if it can stand in files, commands and pages.

    Raises:
        DataError: it is longer than 200 characters, or holds a control character, a line break or a byte that is not
            UTF-8.
    """
    if len(name) > MAX_NAME:
        raise DataError(f"the {what} {name[:40]!r}... has {len(name)} characters; use at most {MAX_NAME}")
    bad = next((c for c in name if unicodedata.category(c) in _UNPRINTABLE), None)
    if bad is not None:
        kind = "a byte that is not UTF-8" if unicodedata.category(bad) == "Cs" else "a control character"
        raise DataError(f"the {what} {name!r} holds {kind}; give it another name")
    return name


def write_atomic(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write a file whole or not at all; an existing one stays until the new one is complete.

    Raises:
        DataError: the disk is full or the folder cannot be written.
    """
    with atomic_file(path) as out:
        out.write(data)
    return Path(path)


@contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file for writing, which gets its name when the block ends; after an error there is none, or the earlier one.

    Raises:
        DataError: the disk is full or the folder cannot be written.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=PART)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        raise DataError(
            f"cannot write {path}: {error.strerror or error}; free some space or choose another folder"
        ) from error


def sweep_parts(folder: Path) -> None:
    """Delete the unfinished files and folders that killed writers left in a folder and below it; the caller holds its lock."""
    for path in folder.rglob(f".*{PART}"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
