"""Read the still pictures of a release: files, or cells of a Parquet file."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mesm.data.ingest.media import Limits
from mesm.data.ingest.video import decode_picture, read_picture
from mesm.errors import DataError


@dataclass(frozen=True)
class ParquetPicture:
    """Hold the place of one encoded picture: row `row` of row group `group`, in the column `column`.

    The cell holds the bytes of a png or jpg, or a struct with a field `bytes` (the layout of `datasets`).
    """

    path: Path
    group: int
    row: int
    column: str


StillPicture: TypeAlias = Path | ParquetPicture


def read_still(picture: StillPicture, limits: Limits) -> np.ndarray:
    """Read one still picture: (H, W, 3) uint8 RGB.

    Raises:
        DataError: it is missing, damaged or too large.
    """
    if isinstance(picture, Path):
        return read_picture(picture, limits)
    cell = _cells(picture.path, picture.group, picture.column)[picture.row].as_py()
    data = cell.get("bytes") if isinstance(cell, dict) else cell
    place = f"row {picture.row} of row group {picture.group} of {picture.path}"
    if not data:
        raise DataError(f"{place} holds no picture; leave the row out")
    return decode_picture(io.BytesIO(data), place, limits)


@lru_cache(maxsize=1)
def _cells(path: Path, group: int, column: str) -> pa.ChunkedArray:
    """Return the pictures of one row group; the last one stays in memory, since rows are read in order."""
    try:
        return pq.ParquetFile(path).read_row_group(group, columns=[column]).column(0)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path} is no readable Parquet file ({str(error).partition(chr(10))[0]})") from error
