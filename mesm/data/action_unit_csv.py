"""Read the CSV that OpenFace or py-feat writes for one video: a row per frame, a column per action unit.

OpenFace: `timestamp`, `success`, `AU01_r` (intensity, 0 to 5) and `AU01_c` (present, 0 or 1). py-feat: `AU01` (0 to 1)
with `timestamp`, or with `frame` and no time.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mesm.errors import DataError


@dataclass(frozen=True)
class ActionUnitTable:
    """Hold one file as text; `numbers` converts a column.

    Attributes:
        columns: names, in the file's order.
        rows: R rows, one cell a column.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def has_face(self) -> np.ndarray:
        """Return (R,) bool: False where OpenFace reports no success."""
        if "success" not in self.columns:
            return np.ones(len(self.rows), bool)
        return ~(self.numbers("success") <= 0)

    def numbers(self, column: str) -> np.ndarray:
        """Return (R,) float64, NaN where a cell is empty.

        Raises:
            DataError: a cell is neither a number nor empty.
        """
        index, values = self.columns.index(column), []
        for row in self.rows:
            try:
                values.append(float(row[index] or "nan"))
            except ValueError as error:
                raise DataError(
                    f"{self.path} has {row[index]!r} in column {column}, where a number belongs; export it again"
                ) from error
        return np.array(values, np.float64)


def read_action_unit_csv(path: str | os.PathLike[str]) -> ActionUnitTable:
    """Read a CSV; empty lines are skipped, and a short row is filled up with empty cells.

    Raises:
        DataError: the file cannot be read.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header, *lines = [[cell.strip() for cell in line] for line in csv.reader(file) if line] or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a readable CSV ({error}); export it again from OpenFace or py-feat") from error
    width = len(header)
    return ActionUnitTable(path, tuple(header), tuple((*line, *[""] * (width - len(line)))[:width] for line in lines))
