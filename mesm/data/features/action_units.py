"""Facial action units per frame: an OpenFace or py-feat CSV, or a rendered clip's own with the noise of a detector.

OpenFace 2 gives 35 numbers per frame, which are the paper's visual features: 17 intensities and 18 presences.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mesm.batch import FRAME_INTERVAL_MS, Sample
from mesm.data.features.store import FeatureSet
from mesm.errors import DataError

#: Units whose intensity OpenFace estimates; it also says whether AU28 is there (Baltrusaitis et al. 2018).
_INTENSITIES = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)
_PRESENCES = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 28, 45)
#: Units of py-feat's detectors (Cheong et al. 2023).
_PYFEAT = (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 17, 20, 23, 24, 25, 26, 28, 43)
OPENFACE_COLUMNS = (*(f"AU{n:02d}_r" for n in _INTENSITIES), *(f"AU{n:02d}_c" for n in _PRESENCES))
PYFEAT_COLUMNS = tuple(f"AU{n:02d}" for n in _PYFEAT)
_OPENFACE_UNITS = ("intensity, 0 to 5",) * 17 + ("present, 0 or 1",) * 18
#: Standard deviation of the measurement noise on a rendered clip's units, on the scale of 0 to 5. A choice: near the
#: error of published intensity estimators, which is about half a grade to one.
MEASUREMENT_NOISE = 0.5
#: A unit counts as present from this measured intensity: FACS's B, a slight but clear trace.
_PRESENT = 1.5


def openface_set() -> FeatureSet:
    """The 35 columns of OpenFace."""
    return FeatureSet("visual", OPENFACE_COLUMNS, _OPENFACE_UNITS, "openface")


def pyfeat_set() -> FeatureSet:
    """The 20 columns of py-feat."""
    return FeatureSet("visual", PYFEAT_COLUMNS, ("probability",) * len(PYFEAT_COLUMNS), "pyfeat")


def rendered_set() -> FeatureSet:
    """The same 35 columns, measured on a rendered clip."""
    source = f"known units of the renderer with noise of {MEASUREMENT_NOISE} on the scale of 0 to 5"
    return FeatureSet("visual", OPENFACE_COLUMNS, _OPENFACE_UNITS, source, FRAME_INTERVAL_MS)


def read_action_units(path: str | os.PathLike[str]) -> tuple[FeatureSet, np.ndarray, int]:
    """The action units of a CSV by OpenFace or py-feat, told apart by their column names.

    Returns:
        What the columns are, (frames, 35 or 20) float32, and how many frames were left out because no face was found
        there (OpenFace: success 0; py-feat: empty cells).

    Raises:
        DataError: the file cannot be read or is from neither.
    """
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            header = [name.strip() for name in next(reader, [])]
            lines = [line for line in reader if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read ({error}); give the CSV of OpenFace or py-feat") from error
    for kind in (openface_set(), pyfeat_set()):
        if set(kind.columns) <= set(header):
            return kind, *_frames(path, header, lines, kind.columns)
    raise DataError(
        f"{path} has neither OpenFace's columns (AU01_r ... AU45_c) nor py-feat's (AU01 ... AU43); write all of them"
    )


def _frames(path: Path, header: list[str], lines: list[list[str]], columns: Sequence[str]) -> tuple[np.ndarray, int]:
    places = [header.index(name) for name in columns]
    success = header.index("success") if "success" in header else None
    rows = []
    try:
        for line in lines:
            cells = [line[i].strip() for i in places]
            seen = success is None or float(line[success]) > 0
            if seen and all(cell and cell.casefold() != "nan" for cell in cells):
                rows.append([float(cell) for cell in cells])
    except (ValueError, IndexError) as error:
        raise DataError(f"{path} has a cell that is no number ({error}); write it again") from error
    values = np.array(rows, np.float32).reshape(len(rows), len(columns))
    return values, len(lines) - len(rows)


def rendered_action_units(sample: Sample) -> np.ndarray:
    """(S, 35) float32: what a detector of OpenFace's kind could have said of a rendered clip's frames.

    The known intensities (1 is a full expression: 5) with Gaussian noise that depends on the clip's name only, clipped
    to 0..5. AU14 and AU28, which the renderer does not move, are noise alone; its AU16 and AU24 have no column.

    Raises:
        DataError: the clip has faces and no known units.
    """
    truth = sample.truth
    if truth is None:
        raise DataError(
            f"nobody knows the action units of clip {sample.clip_id!r}; give --action-units with a CSV of OpenFace or py-feat"
        )
    seed = int.from_bytes(hashlib.sha256(sample.clip_id.encode()).digest()[:8], "little")
    rng = np.random.default_rng(seed)
    known = {n: 5 * truth.au_intensity[:, i] for i, n in enumerate(truth.au_numbers)}
    nothing = np.zeros(len(sample.faces))
    units = {n: known.get(n, nothing) for n in dict.fromkeys((*_INTENSITIES, *_PRESENCES))}
    seen = {n: np.clip(v + rng.normal(0, MEASUREMENT_NOISE, v.shape), 0, 5) for n, v in units.items()}
    columns = [seen[n] for n in _INTENSITIES] + [(seen[n] >= _PRESENT).astype(float) for n in _PRESENCES]
    return np.stack(columns, 1).astype(np.float32)
