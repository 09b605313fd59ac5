"""Compute facial action units per frame: from a CSV of OpenFace or py-feat, or of a rendered clip with a detector's noise.

OpenFace 2 gives 35 numbers per frame, which are the paper's visual features: 17 intensities and 18 presences.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

import numpy as np

from mesm.batch import FRAME_INTERVAL_MS, Sample
from mesm.data.action_unit_csv import read_action_unit_csv
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
OPENFACE_PRESENT = 1.5
#: OpenFace's largest intensity.
OPENFACE_MOST = 5.0


def openface_set() -> FeatureSet:
    """Return the 35 columns of OpenFace."""
    return FeatureSet("visual", OPENFACE_COLUMNS, _OPENFACE_UNITS, "openface")


def pyfeat_set() -> FeatureSet:
    """Return the 20 columns of py-feat."""
    return FeatureSet("visual", PYFEAT_COLUMNS, ("probability",) * len(PYFEAT_COLUMNS), "pyfeat")


def rendered_set() -> FeatureSet:
    """Return the same 35 columns, measured on a rendered clip."""
    source = f"known units of the renderer with noise of {MEASUREMENT_NOISE} on the scale of 0 to 5"
    return FeatureSet("visual", OPENFACE_COLUMNS, _OPENFACE_UNITS, source, FRAME_INTERVAL_MS)


@dataclass(frozen=True)
class ReadActionUnits:
    """Hold the action units of one face of a file.

    Attributes:
        kind: the set of columns.
        values: (frames, 35 or 20) float32.
        without_face: frames that were left out because the detector saw no face there (OpenFace: success 0; py-feat:
            empty or infinite cells).
        other_faces: rows of other faces that were left out.
    """

    kind: FeatureSet
    values: np.ndarray
    without_face: int
    other_faces: int


def read_action_units(path: str | os.PathLike[str]) -> ReadActionUnits:
    """Read the action units of a CSV by OpenFace or py-feat, distinguished by their column names.

    Raises:
        DataError: the file cannot be read or is from neither.
    """
    table = read_action_unit_csv(path)
    for kind in (openface_set(), pyfeat_set()):
        if set(kind.columns) <= set(table.columns):
            values = np.stack([table.numbers(name) for name in kind.columns], 1)
            with np.errstate(over="ignore"):
                values = values.astype(np.float32)
            kept = table.has_face & np.isfinite(values).all(1)
            return ReadActionUnits(kind, values[kept], int(np.sum(~kept)), table.other_faces)
    raise DataError(
        f"{path} has neither OpenFace's columns (AU01_r ... AU45_c) nor py-feat's (AU01 ... AU43); write all of them"
    )


def rendered_action_units(sample: Sample) -> np.ndarray:
    """Compute (S, 35) float32 action units of a rendered clip, with the noise of a detector of OpenFace's kind.

    The known intensities (1 is a full expression: 5) with Gaussian noise that depends on the clip's name only, clipped
    to 0..5. AU14 and AU28, which the renderer does not move, are noise alone; its AU16 and AU24 have no column.

    Raises:
        DataError: the clip has faces and no known units.
    """
    truth = sample.truth
    if truth is None:
        raise DataError(
            f"the action units of clip {sample.clip_id!r} are not known; give --action-units with a CSV of OpenFace or py-feat"
        )
    seed = int.from_bytes(hashlib.sha256(sample.clip_id.encode()).digest()[:8], "little")
    rng = np.random.default_rng(seed)
    known = {n: OPENFACE_MOST * truth.au_intensity[:, i] for i, n in enumerate(truth.au_numbers)}
    nothing = np.zeros(len(sample.faces))
    units = {n: known.get(n, nothing) for n in dict.fromkeys((*_INTENSITIES, *_PRESENCES))}
    seen = {n: np.clip(v + rng.normal(0, MEASUREMENT_NOISE, v.shape), 0, OPENFACE_MOST) for n, v in units.items()}
    columns = [seen[n] for n in _INTENSITIES] + [(seen[n] >= OPENFACE_PRESENT).astype(float) for n in _PRESENCES]
    return np.stack(columns, 1).astype(np.float32)
