"""Read a corpus's folder in object storage: `s3://bucket/corpus`, `gs://`, `https://`, any driver of fsspec.

Keys, endpoints and the like are fsspec's to find: its configuration files and variables such as FSSPEC_S3_ENDPOINT_URL.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Any

from mesm.errors import BackendUnavailable, DataError


class RemotePath:
    """Stand in for `pathlib.Path` on a URL, with the methods that reading a corpus needs."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def __truediv__(self, name: str) -> RemotePath:
        return RemotePath(f"{self.url}/{name}")

    def __str__(self) -> str:
        return self.url

    def resolve(self) -> RemotePath:
        """Return itself: a URL is absolute."""
        return self

    def is_relative_to(self, other: object) -> bool:
        """Return false: it lies in no folder of this machine."""
        return False

    def is_file(self) -> bool:
        """Return whether there is a file.

        Raises:
            DataError: the storage cannot be reached.
        """
        filesystem, path = self._filesystem()
        try:
            return bool(filesystem.isfile(path))
        except Exception as error:  # each driver has its own
            raise self._out_of_reach(error) from error

    def open(self, mode: str = "rb") -> IO[Any]:
        """Open the file; only the requested parts travel.

        Raises:
            FileNotFoundError: there is none.
            DataError: the storage cannot be reached.
        """
        filesystem, path = self._filesystem()
        try:
            return filesystem.open(path, mode)
        except FileNotFoundError:
            raise
        except Exception as error:  # each driver has its own
            raise self._out_of_reach(error) from error

    def read_text(self, encoding: str = "utf-8") -> str:
        """Read the whole file.

        Raises:
            DataError: it cannot be read.
        """
        try:
            with self.open() as file:
                return file.read().decode(encoding)
        except (DataError, UnicodeDecodeError):
            raise
        except Exception as error:  # each driver has its own
            raise self._out_of_reach(error) from error

    def _filesystem(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        try:
            return url_to_fs(self.url)
        except ImportError as error:
            raise BackendUnavailable(f"{self.url} needs a package that is not installed ({error})") from error
        except Exception as error:  # an unknown protocol, a key that is no key
            raise self._out_of_reach(error) from error

    def _out_of_reach(self, error: Exception) -> DataError:
        reason = str(error).partition("\n")[0] or type(error).__name__
        return DataError(f"{self.url} cannot be reached ({reason}); check the address and your credentials")


def is_url(folder: object) -> bool:
    """Return whether this names a place by URL."""
    return isinstance(folder, RemotePath) or "://" in str(folder)


def resolve_folder(folder: str | os.PathLike[str]) -> Path:
    """Return a folder to read: of this machine, or a `RemotePath`, which is typed as the `Path` that it stands in for."""
    return RemotePath(str(folder)) if is_url(folder) else Path(folder)  # type: ignore[return-value]


def require_local(folder: str | os.PathLike[str]) -> Path:
    """Return a folder to write.

    Raises:
        DataError: it is a URL.
    """
    if is_url(folder):
        raise DataError(f"{folder} is a URL, and corpora are written to a folder; copy it there when it is complete")
    return Path(folder)
