"""Write the scores of `mesm predict` row by row, so that a stopped command loses none and the next goes on from there."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from mesm.data.csv_files import CsvRow, csv_line, read_csv, safe_cell
from mesm.errors import DataError
from mesm.files import write_atomic

#: Columns that tell whether an earlier row is of the same clip, words, top-p and weights.
KEY = ("path", "text", "top_p", "checkpoint")


class ScoreFile:
    """Append rows to `<out>.part`, from which a stopped command goes on; `finish` makes `<out>` of them.

    Attributes:
        part: holds the rows until all are there.
    """

    def __init__(self, out: Path, *, restart: bool = False) -> None:
        """Open the file of unfinished rows.

        Args:
            out: the finished table; an earlier one stays until then.
            restart: drop the rows of an earlier call.

        Raises:
            DataError: it cannot be written, another command is writing it, or `out` is of something else.
        """
        self.out, self.part, self._restart = out, out.with_name(f"{out.name}.part"), restart
        self._earlier: dict[tuple[str, ...], tuple[Mapping[str, str], float]] = {}
        self._columns: tuple[str, ...] = ()
        if out.is_dir():
            raise DataError(f"{out} is a folder; give --out a file, such as {out / 'scores.csv'}")
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.part.open("ab+")
        except OSError as error:
            raise DataError(f"cannot write {self.part}: {error.strerror}; choose another --out") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise DataError(f"another command is writing {self.part}; wait for it, or choose another --out") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not os.fstat(self._file.fileno()).st_size:
            self.part.unlink(missing_ok=True)
        self._file.close()

    def begin(self, columns: Sequence[str]) -> None:
        """Read the rows of an earlier call, and write the header where there are none.

        Raises:
            DataError: an earlier file is not of this command, or its unfinished rows are of other labels.
        """
        self._columns = tuple(columns)
        if self._restart:
            self._file.truncate(0)
        elif self.out.is_file() and self.out.stat().st_size:
            self._read(self.out, {*KEY, "error"})
        if os.fstat(self._file.fileno()).st_size:
            self._read(self.part, set(columns))
            self._write(b"\n")  # ends a line that was torn
        else:
            self._write(csv_line(columns).encode())

    def _read(self, path: Path, columns: set[str]) -> None:
        try:
            table = read_csv(path)
        except DataError:
            table = None
        if table is None or not columns <= set(table.columns):
            raise DataError(
                f"{path} holds something else than these scores; choose another --out, or replace it with --restart"
            )
        written_s = path.stat().st_mtime
        self._earlier |= {_key(row): (row.cells, written_s) for row in table.rows if _is_scored(row)}

    def earlier(self, row: Mapping[str, object], clip: Path) -> Mapping[str, str] | None:
        """Return the earlier scores of a row's clip, words, top-p and weights, unless the file has changed since."""
        cells, written_s = self._earlier.get(tuple(str(safe_cell(row[name])).strip() for name in KEY), (None, 0.0))
        try:
            return cells if cells is not None and clip.stat().st_mtime <= written_s else None
        except (OSError, ValueError):
            return None

    def append(self, row: Mapping[str, object]) -> None:
        """Write one row, whole."""
        self._write(self._line(row).encode())

    def finish(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Write the finished table, and remove the unfinished one."""
        write_atomic(self.out, "".join([csv_line(self._columns), *map(self._line, rows)]).encode())
        self.part.unlink()

    def _line(self, row: Mapping[str, object]) -> str:
        return csv_line([row.get(name, "") for name in self._columns])

    def _write(self, data: bytes) -> None:
        try:
            self._file.write(data)
            self._file.flush()
        except OSError as error:
            raise DataError(
                f"cannot write {self.part}: {error.strerror}; free some space and give the same command again"
            ) from error


def _is_scored(row: CsvRow) -> bool:
    return not row.error and not row.cells["error"]


def _key(row: CsvRow) -> tuple[str, ...]:
    return tuple(row.cells[name] for name in KEY)
