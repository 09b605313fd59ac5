"""Store hand-crafted features beside a corpus: rows of named columns per clip and modality, read without a copy.

    <corpus>/features/<modality>/index.json    columns, units, source, and how many rows each clip has
    <corpus>/features/<modality>/values.f32    little-endian float32 rows, clip after clip

A bundled corpus is not written to; its features lie in the workspace's features/<corpus>/.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from mesm.batch import Sample
from mesm.data.remote import is_url
from mesm.data.store import Corpus
from mesm.errors import DataError
from mesm.files import slug
from mesm.runtime import assets, workspace
from mesm.vocabulary import MODALITIES

_INDEX, _VALUES = "index.json", "values.f32"
_SCHEMA = 1


@dataclass(frozen=True)
class FeatureSet:
    """Describe the columns of one modality.

    Attributes:
        modality: text, visual or acoustic.
        columns: their names.
        units: unit of each column, "" for a number without one.
        source: what computed them, such as "mel", "openface" or the name and digest of a file of word vectors.
        row_ms: time between two rows, 0 where a row is a word or the step is the file's own.
        emotions: emotion name -> its word's vector, in the space of a text set; empty for the others.
    """

    modality: str
    columns: tuple[str, ...]
    units: tuple[str, ...]
    source: str
    row_ms: float = 0.0
    emotions: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.modality not in MODALITIES:
            raise DataError(f"no modality {self.modality!r}; features belong to one of {', '.join(MODALITIES)}")
        if len(self.columns) != len(self.units) or len(set(self.columns)) != len(self.columns):
            raise DataError(f"{self.modality} features need a unit for each of their differently named columns")


def feature_folder(corpus: Corpus) -> Path:
    """Return the folder of a corpus's features: beside it, or in the workspace for a bundled or remote one."""
    if is_url(corpus.folder) or corpus.folder.resolve().is_relative_to(assets()):
        return workspace() / "features" / slug(corpus.name)
    return corpus.folder / "features"


def write_features(
    folder: str | os.PathLike[str],
    kind: FeatureSet,
    rows: Iterable[tuple[str, np.ndarray]],
    notes: Mapping | None = None,
) -> Path:
    """Write one modality's features whole or not at all, replacing older ones.

    Args:
        folder: the corpus's `feature_folder`.
        kind: what the columns are.
        rows: clip id and its (rows, columns) array, clip after clip; no row where the clip lacks the modality.
        notes: remarks on the extraction (share of unknown words, rows left out), read after the last clip.

    Raises:
        DataError: an array of another width or with a value that is no number, or the disk refuses.
    """
    folder, counts = Path(folder), {}
    target = folder / kind.modality
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=folder, prefix=f".{kind.modality}."))
    except OSError as error:
        raise DataError(f"cannot write features to {folder}: {error.strerror}; choose another --out") from error
    try:
        with (fresh / _VALUES).open("wb") as out:
            for clip_id, array in rows:
                values = np.ascontiguousarray(array, "<f4")
                if values.ndim != 2 or values.shape[1] != len(kind.columns) or not np.isfinite(values).all():
                    raise DataError(
                        f"{kind.modality} features of clip {clip_id!r} must be finite rows of {len(kind.columns)} columns, "
                        f"not {array.shape} with {int((~np.isfinite(values)).sum())} bad values; fix their maker"
                    )
                if clip_id in counts:
                    raise DataError(f"{kind.modality} features of clip {clip_id!r} come twice; clip ids must be unique")
                counts[clip_id] = len(values)
                out.write(values.tobytes())
        index = {"schema": _SCHEMA, **asdict(kind), "notes": dict(notes or {}), "rows": counts}
        (fresh / _INDEX).write_text(json.dumps(index, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
        fresh.chmod(0o755)
        shutil.rmtree(target, ignore_errors=True)
        fresh.rename(target)
    except OSError as error:
        raise DataError(f"cannot write features to {folder}: {error.strerror}; free some space") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return target


class _Rows:
    """Hold one modality's features on disk."""

    def __init__(self, folder: Path) -> None:
        try:
            content = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
            if content["schema"] != _SCHEMA:
                raise DataError(f"{folder} has schema {content['schema']}, this version reads {_SCHEMA}; make it again")
            self.counts: dict[str, int] = content["rows"]
            self.notes: dict = content["notes"]
            names = ("modality", "source", "row_ms", "emotions")
            self.kind = FeatureSet(
                columns=tuple(content["columns"]), units=tuple(content["units"]), **{k: content[k] for k in names}
            )
        except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
            raise DataError(f"{folder} holds no readable features ({error}); run mesm corpus features") from error
        ends = np.cumsum([0, *self.counts.values()])
        self.starts = dict(zip(self.counts, ends.tolist(), strict=False))
        shape = (int(ends[-1]), len(self.kind.columns))
        path = folder / _VALUES
        if not path.is_file() or path.stat().st_size != 4 * shape[0] * shape[1]:
            raise DataError(f"{path} is not as long as in its index; run mesm corpus features again")
        self.values = np.memmap(path, "<f4", "r", shape=shape) if shape[0] else np.zeros(shape, np.float32)

    def read(self, clip_id: str) -> np.ndarray:
        if clip_id not in self.counts:
            raise DataError(
                f"clip {clip_id!r} has no {self.kind.modality} features; run mesm corpus features on its corpus"
            )
        start = self.starts[clip_id]
        return np.asarray(self.values[start : start + self.counts[clip_id]])


class FeatureStore:
    """Read the features of a corpus.

    Args:
        folder: see `feature_folder`.
        modalities: which to open.

    Raises:
        DataError: one of them is missing or damaged.
    """

    def __init__(self, folder: str | os.PathLike[str], modalities: Sequence[str] = MODALITIES) -> None:
        self.folder = Path(folder)
        missing = [m for m in modalities if not (self.folder / m / _INDEX).is_file()]
        if missing:
            raise DataError(
                f"{self.folder} has no {' and no '.join(missing)} features; run mesm corpus features CORPUS"
            )
        self._rows = {m: _Rows(self.folder / m) for m in modalities}

    @cached_property
    def kinds(self) -> dict[str, FeatureSet]:
        """Map modality -> description of its columns."""
        return {m: rows.kind for m, rows in self._rows.items()}

    @property
    def notes(self) -> dict[str, dict]:
        """Map modality -> notes of its extraction."""
        return {m: rows.notes for m, rows in self._rows.items()}

    def __call__(self, sample: Sample) -> dict[str, np.ndarray]:
        """Return modality -> (rows, columns) float32 of a clip; no row where the clip lacks the modality."""
        return {m: rows.read(sample.clip_id) for m, rows in self._rows.items()}

    def statistics(self, clip_ids: Sequence[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Map modality -> mean and standard deviation of each column over the rows of these clips; (columns,) float32.

        A column that never changes gets 1 as its deviation.
        """
        moments = {}
        for modality, rows in self._rows.items():
            total, squares, count = np.zeros(len(rows.kind.columns)), np.zeros(len(rows.kind.columns)), 0
            for clip_id in clip_ids:
                values = rows.read(clip_id).astype(np.float64)
                total, squares, count = total + values.sum(0), squares + (values**2).sum(0), count + len(values)
            mean = total / max(count, 1)
            spread = np.sqrt(np.maximum(squares / max(count, 1) - mean**2, 0))
            moments[modality] = mean.astype(np.float32), np.where(spread > 1e-6, spread, 1).astype(np.float32)
        return moments
