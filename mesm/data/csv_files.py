"""Read and write tables as CSV: the one reader for what users bring, and the one form of what is written.

The reader takes commas, semicolons, tabs or bars between cells, any encoding of `mesm.data.text_files`, column names in
any case with blanks around, and line breaks in quoted cells. A row with other cells than the header is an error, never a guess.
"""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mesm.data.text_files import read_text
from mesm.errors import DataError
from mesm.estimate import counted

#: Most columns of a table, and most characters of a cell: Python's own limit.
MAX_COLUMNS, MAX_CELL = 10_000, 131_072
#: Columns that several tables have -> other names that they may have there.
PATH_NAMES = ("file", "filename", "file_name", "filepath", "file_path", "video", "video_path", "media")
TEXT_NAMES = ("transcript", "transcription", "utterance", "sentence")
#: A spreadsheet runs a cell that begins with one of these as a formula; the last four are full-width forms.
_FORMULA = tuple("=+-@＝＋－＠")


@dataclass(frozen=True)
class CsvRow:
    """Hold one row of a table.

    Attributes:
        number: from 1, without the header and empty lines.
        line: of the file, at which it begins; the header is usually line 1.
        cells: column -> text, without blanks around.
        error: why the cells cannot be trusted, in one sentence; "" for a good row.
    """

    number: int
    line: int
    cells: Mapping[str, str]
    error: str = ""


@dataclass(frozen=True)
class CsvTable:
    """Hold the columns of a file, without unnamed ones, and its rows, good and bad."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[CsvRow, ...]

    def require(self, *columns: str) -> None:
        """Raise `DataError` for the first of these columns that the table lacks."""
        for name in columns:
            if name not in self.columns:
                raise DataError(
                    f"{self.path} has no column {name!r}, it has {_listed(self.columns)}; rename a column or add it"
                )

    def good_rows(self) -> list[Mapping[str, str]]:
        """Return the cells of every row.

        Raises:
            DataError: a row is bad; the sentence names the first and counts the others.
        """
        bad = [row for row in self.rows if row.error]
        if bad:
            others = f" ({len(bad) - 1} other rows are bad too)" if len(bad) > 1 else ""
            raise DataError(f"{self.path}: {bad[0].error}{others}")
        return [row.cells for row in self.rows]


def read_csv(path: str | os.PathLike[str], names: Mapping[str, Sequence[str]] | None = None) -> CsvTable:
    """Read a table with a header.

    Args:
        names: column -> other names that it may have. A column is found by its own name in any case of letters, else by
            one of the others; the table then has it under its own name. Columns beside these keep their names.

    Raises:
        DataError: the file cannot be read, is empty, or has two columns of one name.
    """
    return parse_csv(read_text(path), Path(path), names)


def parse_csv(text: str, path: Path, names: Mapping[str, Sequence[str]] | None = None) -> CsvTable:
    """Read a table from text, see `read_csv`; `path` stands in the errors."""
    lines = list(io.StringIO(text.removeprefix("\ufeff"), newline=""))  # line feeds and carriage returns alone end one
    at, delimiter = _sniff(lines)
    records = _records(lines, at, delimiter)
    header = next(records, None)
    if header is None:
        raise DataError(f"{path} is empty; give a table with the names of its columns in the first line")
    _, cells, error = header
    if error or len(cells) > MAX_COLUMNS:
        raise DataError(
            f"{path}: its first line {error or f'has {len(cells)} cells'}; write the names of the columns there"
        )
    columns = match_columns(cells, names or {}, path)
    rows = tuple(_row(n, line, values, wrong, columns) for n, (line, values, wrong) in enumerate(records, 1))
    return CsvTable(path, tuple(name for name in columns if name), rows)


def _sniff(lines: Sequence[str]) -> tuple[int, str]:
    """Return the index of the first line that is read, and the delimiter that makes the most cells of the header."""
    at = next((i for i, line in enumerate(lines) if line.strip()), len(lines))
    head = lines[at].strip() if at < len(lines) else ""
    if len(head) == 5 and head.lower().startswith("sep="):  # Excel's own note of the delimiter
        return at + 1, head[4]
    counts = {d: len(next(_records(lines, at, d), (0, [], ""))[1]) for d in ",;\t|"}
    return at, max(counts, key=lambda d: counts[d])


def _records(lines: Sequence[str], at: int, delimiter: str) -> Iterator[tuple[int, list[str], str]]:
    """Yield (line from 1, cells, error) of each record that is not empty; after a bad one it goes on with the next line."""
    while at < len(lines):
        rest = (lines[i] for i in range(at, len(lines)))
        reader = csv.reader(rest, delimiter=delimiter, skipinitialspace=True, strict=True)
        start = at
        try:
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield start + 1, [cell.strip() for cell in cells], ""
                start = at + reader.line_num
            return
        except csv.Error as error:
            yield start + 1, [], _quote_error(str(error))
            at = start + 1


def _quote_error(reason: str) -> str:
    if "field larger" in reason:
        return f"has a cell of more than {MAX_CELL} characters: shorten it, or close its quote"
    return "has a quote that does not fit: put quotes around the whole cell, and write a quote inside it twice"


def match_columns(cells: Sequence[str], names: Mapping[str, Sequence[str]], path: Path) -> list[str]:
    """Return the column of each cell of a header, see `read_csv`.

    Raises:
        DataError: two cells are one column.
    """
    own = {_key(name): name for name in names}
    columns = [own.get(_key(cell), cell) for cell in cells]
    for name, others in names.items():
        keys = {_key(other) for other in others} if name not in columns else set()
        places = [i for i, cell in enumerate(columns) if _key(cell) in keys] if keys else []
        if len(places) > 1:
            choices = _listed([cells[i] for i in places])
            raise DataError(f"{path} has {len(places)} columns for {name!r} ({choices}); name one of them {name!r}")
        for i in places:
            columns[i] = name
    for name, count in Counter(filter(None, columns)).most_common(1):
        if count > 1:
            raise DataError(f"{path} has {count} columns {name!r}; rename or remove all but one")
    return columns


def _key(name: str) -> str:
    return name.casefold().replace(" ", "_").replace("-", "_")


def _row(number: int, line: int, values: Sequence[str], wrong: str, columns: Sequence[str]) -> CsvRow:
    place = f"row {number} (line {line})"
    cells = {name: value for name, value in zip(columns, values, strict=False) if name}
    last = max((i for i, name in enumerate(columns) if name), default=-1)
    if wrong:
        return CsvRow(number, line, cells, f"{place} {wrong}")
    while len(values) > len(columns) and not values[-1]:  # commas at the end of a line
        values = values[:-1]
    if len(values) != len(columns):
        remedy = "quote the text" if len(values) > len(columns) else "add the missing cells, also empty ones"
        count = counted(len(values), "cell")
        return CsvRow(number, line, cells, f"{place} has {count}, the header {len(columns)}: {remedy}")
    if any(values[last + 1 :]):  # an unnamed column in front, as pandas writes it, may hold anything
        return CsvRow(number, line, cells, f"{place} has a cell {values[-1]!r} under no name: quote the text")
    return CsvRow(number, line, cells)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:12]) or "none"
    return shown + (f" and {len(names) - 12} others" if len(names) > 12 else "")


def csv_line(cells: Iterable[object]) -> str:
    """Return one row as CSV: commas, a line feed, an apostrophe before cells that a spreadsheet would run as formulas.

    Numbers stay as they are, also those written as text; what UTF-8 cannot hold is escaped. The reader takes nothing
    away again: an apostrophe that was put in front of a cell stays there.
    """
    out = io.StringIO()
    csv.writer(out).writerow([safe_cell(cell) for cell in cells])
    return out.getvalue().removesuffix("\r\n") + "\n"


def safe_cell(value: object) -> object:
    """Return a cell as `csv_line` writes it."""
    if not isinstance(value, str):
        return value
    text = escape_bytes(value)
    is_formula = text.startswith(("\t", "\r", "\n")) or (text.lstrip().startswith(_FORMULA) and not _is_number(text))
    return f"'{text}" if is_formula else text


def escape_bytes(text: str) -> str:
    r"""Return text with the bytes of a name that is not UTF-8 written out, as in `caf\xe9.mp4`."""
    return "".join(
        rf"\x{ord(c) - 0xDC00:02x}"
        if 0xDC80 <= ord(c) <= 0xDCFF
        else rf"\u{ord(c):04x}"
        if 0xD800 <= ord(c) <= 0xDFFF
        else c
        for c in text
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
