"""Match a user's action units with clips: one CSV per clip, as OpenFace or py-feat write them.

OpenFace: `timestamp`, `success`, `AU01_r` (0 to 5) and `AU01_c` (0 or 1). py-feat: `AU01` (0 to 1) with `timestamp`, or
`frame` and a frame rate. The files lie in one folder as `<clip id>.csv`; a face frame takes the row nearest in time.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mesm.batch import FRAME_INTERVAL_MS
from mesm.data.action_unit_csv import ActionUnitTable, read_action_unit_csv
from mesm.data.atlas import COLUMN, UNITS
from mesm.data.features.action_units import OPENFACE_MOST
from mesm.data.remote import is_url
from mesm.data.store import Corpus
from mesm.errors import DataError

_LOG = logging.getLogger(__name__)
_COLUMN = re.compile(r"^AU(\d+)(_[rc])?$")
#: Folder of the files, where it lies beside a corpus's shards.
FOLDER_NAME = "action_units"
#: Bytes of CSV that are read in a second or two.
_CHECKED_BYTES = 20_000_000


@dataclass(frozen=True)
class UnitFile:
    """Hold one face of a file: (R,) seconds and (R, A) intensities in [0, 1], NaN where a unit or a row is unknown.

    Attributes:
        other_faces: rows of other faces, which were left out.
    """

    times_s: np.ndarray
    intensity: np.ndarray
    other_faces: int = 0


def read_units(path: str | os.PathLike[str], fps: float | None = None) -> UnitFile:
    """Read one CSV.

    Units with an intensity (`_r`) are divided by 5; units that are only present or not (`_c`) count as 1 or 0.

    Raises:
        DataError: the file cannot be read, or has no units or no times.
    """
    table = read_action_unit_csv(path)
    units = _unit_columns(table)
    if "timestamp" in table.columns:
        times_s = table.numbers("timestamp")
    elif "frame" in table.columns and fps:
        times_s = table.numbers("frame") / fps
    else:
        raise DataError(
            f"{path} has no column timestamp; add one in seconds, or give mesm facs the rate of its column frame with --units-fps"
        )
    intensity = np.full((len(table.rows), len(UNITS)), np.nan, np.float32)
    for number, (name, most) in units.items():
        intensity[:, COLUMN[number]] = table.numbers(name) / most
    intensity[~table.has_face] = np.nan
    return UnitFile(times_s, intensity, table.other_faces)


def _unit_columns(table: ActionUnitTable) -> dict[int, tuple[str, float]]:
    """Return action unit -> column and its largest value; intensities before presence."""
    columns: dict[int, tuple[str, float]] = {}
    for name in table.columns:
        match = _COLUMN.match(name)
        if match is None or int(match[1]) not in COLUMN:
            continue
        number, kind = int(match[1]), match[2]
        if kind != "_c" or number not in columns:
            columns[number] = (name, OPENFACE_MOST if kind == "_r" else 1.0)
    if not columns:
        raise DataError(
            f"{table.path} has no columns such as AU01_r or AU01; export action units from OpenFace or py-feat"
        )
    return columns


def has_unit_files(corpus: Corpus) -> bool:
    """Return whether action-unit files lie in `action_units/` beside a corpus's shards; in object storage there are none."""
    return not is_url(corpus.folder) and any((corpus.folder / FOLDER_NAME).glob("*.csv"))


def action_unit_folder(folder: str, corpus: Corpus) -> str:
    """Return the folder of a corpus's action-unit files: the given one, else `action_units/` beside its shards.

    Raises:
        DataError: there is none.
    """
    place = Path(folder) if folder else corpus.folder / FOLDER_NAME
    if is_url(place) or not place.is_dir():
        raise DataError(
            f"{place} is no folder of action units; write <clip id>.csv with OpenFace, py-feat or mesm corpus units, and "
            "name the folder with train.action_units"
        )
    return str(place)


def check_unit_files(folder: str | os.PathLike[str], clip_ids: Sequence[str]) -> None:
    """Read the files of clips as far as `_CHECKED_BYTES` go: all of a small corpus or detector, and of others the first.

    Raises:
        DataError: no clip has a file, or one of those cannot be read.
    """
    paths = [path for path in (Path(folder) / f"{clip_id}.csv" for clip_id in clip_ids) if path.is_file()]
    if not paths:
        raise _no_files(folder, clip_ids)
    size = 0
    for path in paths:
        read_units(path)
        size += path.stat().st_size
        if size > _CHECKED_BYTES:
            return


def _no_files(folder: str | os.PathLike[str], clip_ids: Sequence[str]) -> DataError:
    return DataError(f"{folder} has no file named after a clip, such as {clip_ids[0]}.csv; name the files so")


def units_of_clips(
    folder: str | os.PathLike[str], corpus: Corpus, clip_ids: list[str], fps: float | None = None
) -> dict[str, np.ndarray]:
    """Return clip id -> (S, A) intensities of its face frames, for the clips that have a file.

    A frame further than half the frame interval from every row stays NaN. Rows of other faces than the one with the most
    frames are counted in a warning.

    Raises:
        DataError: no clip has a file.
    """
    units: dict[str, np.ndarray] = {}
    other_faces = 0
    for clip_id in clip_ids:
        path = Path(folder) / f"{clip_id}.csv"
        if not path.is_file():
            continue
        table, times_s = read_units(path, fps), corpus.read(clip_id, full=False).face_times_s
        rows = np.full((len(times_s), len(UNITS)), np.nan, np.float32)
        if len(table.times_s):
            gap = np.abs(np.nan_to_num(table.times_s, nan=np.inf)[None] - np.asarray(times_s, float)[:, None])
            near = gap.min(1) <= FRAME_INTERVAL_MS / 2000
            rows[near] = table.intensity[gap.argmin(1)[near]]
        units[clip_id] = rows
        other_faces += table.other_faces
    if other_faces:
        _LOG.warning(
            "%s: %d rows of other faces are left out; of each clip the face with the most frames counts",
            folder,
            other_faces,
        )
    if not units:
        raise _no_files(folder, clip_ids)
    return units
