"""Read the CSV that OpenFace or py-feat writes for one video: a row per frame and face, a column per action unit.

OpenFace: `timestamp`, `success`, `AU01_r` (intensity, 0 to 5) and `AU01_c` (present, 0 or 1). py-feat: `AU01` (0 to 1)
with `timestamp`, or with `frame` and no time. Where there are several faces, one is read: see `read_action_unit_csv`.
"""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mesm.data.csv_files import read_csv
from mesm.errors import DataError

#: Columns that name a face over the frames: OpenFace's, py-feat's.
_FACE = ("face_id", "Identity")
_CONFIDENCE = ("confidence", "FaceScore")
_UNITS = [f"AU{n:02d}{kind}" for n in range(1, 65) for kind in ("", "_r", "_c")]
_NAMES: dict[str, tuple[str, ...]] = dict.fromkeys(
    [*_UNITS, "frame", "timestamp", "success", *_FACE, *_CONFIDENCE, "FaceRectWidth", "FaceRectHeight"], ()
)


@dataclass(frozen=True)
class ActionUnitTable:
    """Hold the rows of one face as text; `numbers` converts a column.

    Attributes:
        columns: names, in the file's order.
        rows: R rows, one cell a column.
        other_faces: rows of other faces, which were left out.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    other_faces: int = 0

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
    """Read the rows of one face: the one with the most frames, of several such the largest, then the most confident.

    Faces are distinguished by the column `face_id` or `Identity`; several rows of one frame without it are faces by size.

    Raises:
        DataError: the file cannot be read, or a row has not a cell for every column.
    """
    read = read_csv(path, _NAMES)
    rows = tuple(tuple(cells[name] for name in read.columns) for cells in read.good_rows())
    table = ActionUnitTable(read.path, read.columns, rows)
    faces = _faces(table)
    if len(faces) < 2:
        return table
    seen, size, confidence = table.has_face, _sizes(table), _first_column(table, _CONFIDENCE)

    def rank(face: list[int]) -> tuple[float, float, float]:
        kept = [i for i in face if seen[i]]
        return (len(kept), float(size[kept].mean()), float(confidence[kept].mean())) if kept else (0.0, 0.0, 0.0)

    chosen = max(faces, key=rank)
    return replace(table, rows=tuple(rows[i] for i in chosen), other_faces=len(rows) - len(chosen))


def _faces(table: ActionUnitTable) -> list[list[int]]:
    """Return the indices of each face's rows, in the file's order."""
    names = next((column for column in _FACE if column in table.columns), None)
    times = next((column for column in ("frame", "timestamp") if column in table.columns), None)
    cells = dict(zip(table.columns, zip(*table.rows, strict=True), strict=True)) if table.rows else {}
    name_of, time_of = (cells.get(column or "", ("",) * len(table.rows)) for column in (names, times))
    if times is None:
        time_of = tuple(str(i) for i in range(len(table.rows)))
    same: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i, key in enumerate(zip(name_of, time_of, strict=True)):
        same[key].append(i)
    size = _sizes(table) if len(same) < len(table.rows) else np.zeros(len(table.rows))
    faces: dict[tuple[str, int], list[int]] = defaultdict(list)
    for (name, _), indices in same.items():
        for place, i in enumerate(sorted(indices, key=lambda i: -size[i])):
            faces[name, place].append(i)
    return [sorted(indices) for indices in faces.values()]


def _sizes(table: ActionUnitTable) -> np.ndarray:
    """Return (R,) areas of the faces in pixels: py-feat's boxes or OpenFace's landmarks; 0 where there are neither."""
    if "FaceRectWidth" in table.columns and "FaceRectHeight" in table.columns:
        return np.nan_to_num(table.numbers("FaceRectWidth") * table.numbers("FaceRectHeight"))
    sides = []
    for axis in "xy":
        columns = [name for name in (f"{axis}_{i}" for i in range(68)) if name in table.columns]
        if not columns:
            return np.zeros(len(table.rows))
        points = np.stack([table.numbers(name) for name in columns])
        sides.append(points.max(0) - points.min(0))
    return np.nan_to_num(sides[0] * sides[1])


def _first_column(table: ActionUnitTable, names: tuple[str, ...]) -> np.ndarray:
    name = next((name for name in names if name in table.columns), None)
    return np.zeros(len(table.rows)) if name is None else np.nan_to_num(table.numbers(name))
