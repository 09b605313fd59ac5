"""Write files whole, name them safely, and digest them. The one place that does either."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import tempfile
from pathlib import Path

from mesm.errors import DataError


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


def write_atomic(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write a file whole or not at all; an existing one stays until the new one is complete.

    Raises:
        DataError: the disk is full or the folder cannot be written.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise DataError(
            f"cannot write {path}: {error.strerror or error}; free some space or choose another folder"
        ) from error
    return path
