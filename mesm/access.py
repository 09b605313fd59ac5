"""State what visitors of the app may do: all on one's own machine, less on a public server.

A page calls `access()` before it shows a control, and `layout.switched_off` in place of one that is left out. Heavy
computations hold one of a few places (`computing`).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mesm.errors import DataError

#: Environment variable of a server that strangers may use: any value but "" and "0". `mesm app --public` sets it.
PUBLIC = "MESM_PUBLIC"


@dataclass(frozen=True)
class Access:
    """Hold the rights and limits of a visitor.

    Attributes:
        is_public: strangers use this server.
        runs_jobs: runs and sweeps are listed, started, stopped, renamed and deleted.
        writes_workspace: basket and notebook are files of the workspace; else they end with the visit.
        downloads: models come from the Hugging Face hub where the cache has none.
        upload_mb: largest file.
        clip_s: longest part of a clip that is scored.
        corpus_clips: most clips that are scored at once for a filter.
        queue_s: seconds that a heavy computation waits for a place; None where places are not counted.
    """

    is_public: bool
    runs_jobs: bool
    writes_workspace: bool
    downloads: bool
    upload_mb: int
    clip_s: float
    corpus_clips: float
    queue_s: float | None


OWNER = Access(
    is_public=False, runs_jobs=True, writes_workspace=True, downloads=True,
    upload_mb=200, clip_s=50.0, corpus_clips=float("inf"), queue_s=None,
)  # fmt: skip
VISITOR = Access(
    is_public=True, runs_jobs=False, writes_workspace=False, downloads=False,
    upload_mb=50, clip_s=15.0, corpus_clips=500, queue_s=20.0,
)  # fmt: skip
#: Heavy computations at a time on a public server.
PLACES = max(2, os.cpu_count() or 1)
_places = threading.BoundedSemaphore(PLACES)
_thread = threading.local()


def access() -> Access:
    """Return the rights and limits of this server's visitors."""
    return OWNER if os.environ.get(PUBLIC, "") in ("", "0") else VISITOR


@contextmanager
def computing() -> Iterator[None]:
    """Hold a place for a heavy computation; one inside another takes none. Also a decorator.

    Raises:
        DataError: no place became free in time.
    """
    queue_s = access().queue_s
    if queue_s is None or getattr(_thread, "holds", False):
        yield
        return
    if not _places.acquire(timeout=queue_s):
        raise DataError(f"{PLACES} other visitors are computing on this server; try again in a minute")
    _thread.holds = True
    try:
        yield
    finally:
        _thread.holds = False
        _places.release()
