"""Find records by kind, checkpoint and corpus, in the workspace and among the bundled ones."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from mesm.errors import DataError
from mesm.records.base import CorpusId, Record, read_record

D = TypeVar("D")


def one_per_checkpoint(records: Iterable[Record[D]]) -> list[Record[D]]:
    """Return the first record of each checkpoint, the best of `RecordStore.find`, by the checkpoints' names."""
    first: dict[str, Record[D]] = {}
    for record in records:
        first.setdefault(record.provenance.checkpoint, record)
    return [first[name] for name in sorted(first)]


def _preference(record: Record[Any]) -> tuple[bool, int]:
    """Order records: those of the test split first, then those of more clips, so that no small trial hides a large one."""
    data = record.data
    return getattr(data, "split", "test") != "test", -int(getattr(data, "clips", 0))


class RecordStore:
    """Hold the records in some folders, each read once and read again when its file changes.

    Args:
        folders: where to look, `runtime.record_folders` for the workspace's records and then the bundled ones; a function is
            called at each search, since the workspace may change. Of two records that match equally, the one of the test
            split comes first, then that of more clips, then the one in the earlier folder, and in one folder the later one.
        on_damaged: called with the sentence for each file that cannot be read; it is left out.
    """

    def __init__(
        self,
        folders: Sequence[str | os.PathLike[str]] | Callable[[], Sequence[Path]],
        on_damaged: Callable[[DataError], None] | None = None,
    ) -> None:
        self._folders = folders if callable(folders) else tuple(Path(folder) for folder in folders)
        self._on_damaged = on_damaged
        self._cache: dict[Path, tuple[tuple[int, int], Record[Any] | DataError]] = {}

    @property
    def folders(self) -> Sequence[Path]:
        """Return the folders that are searched."""
        return self._folders() if callable(self._folders) else self._folders

    def find(
        self,
        kind: str,
        *,
        checkpoint: str | None = None,
        checkpoint_sha256: str | None = None,
        corpus: CorpusId | None = None,
    ) -> list[Record[Any]]:
        """Return the records of a kind that match everything that is given, best first.

        Args:
            checkpoint: its name.
            checkpoint_sha256: digest of its weights; matches a record of several seeds that has it among them.
            corpus: matches by digest; by name only where a record or `corpus` has none. A record of the same digest
                comes before one of the same name.
        """
        matches = []
        for folder in self.folders:
            records = [record for path in sorted(folder.glob(f"{kind}_*.json")) if (record := self._read(path))]
            records.sort(key=lambda record: record.provenance.created, reverse=True)
            for record in records:
                origin = record.provenance
                if (
                    record.kind == kind
                    and checkpoint in (None, origin.checkpoint)
                    and (checkpoint_sha256 is None or checkpoint_sha256 in origin.checkpoint_sha256)
                    and (corpus is None or corpus.same(origin.corpus))
                ):
                    matches.append(record)
        matches.sort(key=_preference)
        if corpus is not None:
            matches.sort(key=lambda record: not corpus.digest or record.provenance.corpus.digest != corpus.digest)
        return matches

    def first(
        self,
        kind: str,
        *,
        checkpoint: str | None = None,
        checkpoint_sha256: str | None = None,
        corpus: CorpusId | None = None,
    ) -> Record[Any] | None:
        """Return the best match of `find`, or None."""
        matches = self.find(kind, checkpoint=checkpoint, checkpoint_sha256=checkpoint_sha256, corpus=corpus)
        return matches[0] if matches else None

    def _read(self, path: Path) -> Record[Any] | None:
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
        except OSError:
            return None
        cached = self._cache.get(path)
        if cached is None or cached[0] != stamp:
            try:
                cached = (stamp, read_record(path))
            except DataError as error:
                cached = (stamp, error)
            self._cache[path] = cached
        result = cached[1]
        if isinstance(result, DataError):
            if self._on_damaged is not None:
                self._on_damaged(result)
            return None
        return result
