"""Define one clip as one row of the store: column types, writing and reading.

Arrays are little-endian C-order bytes; `ARRAYS` and `TRUTH_ARRAYS` are their dtype and trailing shape, the leading
number is a column (`n_frames`, `n_chunks`).
"""

from __future__ import annotations

import json
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from mesm.batch import CHUNK_HOPS, FACE_SIZE_PX, MEL_BANDS, Sample, Truth, Word
from mesm.errors import DataError

#: Column -> value, of the types of `row_schema`.
Row: TypeAlias = dict[str, Any]
#: field of Sample -> dtype and shape behind the number of frames or chunks. `faces_large` is (n, L, L, 3), L = large_px.
ARRAYS: dict[str, tuple[str, tuple[int, ...]]] = {
    "faces": ("<u1", (FACE_SIZE_PX, FACE_SIZE_PX, 3)),
    "face_times_s": ("<f4", ()),
    "face_boxes": ("<f4", (4,)),
    "face_points": ("<f4", (5, 2)),
    "face_found": ("|b1", ()),
    "mel": ("<f2", (MEL_BANDS, CHUNK_HOPS)),
}
#: field of Truth -> dtype and shape behind the number of frames; A = len(au_numbers), filled in when read.
TRUTH_ARRAYS: dict[str, tuple[str, tuple[int | str, ...]]] = {
    "au_intensity": ("<f4", ("A",)),
    "au_emotion_intensity": ("<f4", ("A",)),
    "au_region": ("<u1", ("A", FACE_SIZE_PX, FACE_SIZE_PX)),
    "head": ("<u1", (FACE_SIZE_PX, FACE_SIZE_PX)),
    "landmarks": ("<f4", (68, 2)),
    "pose": ("<f4", (3,)),
}
#: Fields of Truth that are kept in the column of `Truth.extra`.
_TYPED_EXTRA = ("displays", "prosody")


def row_schema(labels: tuple[str, ...]) -> pa.Schema:
    """Build the schema of a shard's rows, with a column per label."""
    # The bytes come last and start a page of their own, so that the index is read without them.
    fields: list[tuple[str, pa.DataType]] = [
        ("clip_id", pa.string()),
        ("split", pa.string()),
        ("speaker", pa.string()),
        ("text", pa.string()),
        ("duration_s", pa.float64()),
        ("labels", pa.struct([(name, pa.float64()) for name in labels]) if labels else pa.null()),
        ("quality", pa.list_(pa.string())),
        ("media", pa.string()),
        ("n_frames", pa.int32()),
        ("n_chunks", pa.int32()),
        ("large_px", pa.int32()),
        (
            "words",
            pa.list_(
                pa.struct(
                    [
                        ("text", pa.string()),
                        ("start_s", pa.float64()),
                        ("end_s", pa.float64()),
                        ("approximate", pa.bool_()),
                    ]
                )
            ),
        ),
        *((name, pa.binary()) for name in ARRAYS),
        ("faces_large", pa.binary()),
        ("truth_au_numbers", pa.list_(pa.int32())),
        ("truth_informative", pa.string()),
        ("truth_extra", pa.string()),
        *((f"truth_{name}", pa.binary()) for name in TRUTH_ARRAYS),
    ]
    return pa.schema(fields)


def _bytes(sample_id: str, name: str, array: np.ndarray, dtype: str, shape: tuple[int, ...], rows: int | None) -> bytes:
    """Return the array's bytes, if it has the promised shape and its values survive the dtype."""
    if array.shape[1:] != shape or (rows is not None and len(array) not in (rows, 0)):
        raise DataError(
            f"clip {sample_id!r}: {name} has shape {array.shape}, expected ({rows}, {shape}); fix its maker"
        )
    stored = np.ascontiguousarray(array, dtype=dtype)
    if not np.array_equal(stored, array, equal_nan=stored.dtype.kind == "f"):
        raise DataError(f"clip {sample_id!r}: {name} as {array.dtype} does not fit {np.dtype(dtype)}; convert it first")
    return stored.tobytes()


def to_row(sample: Sample, labels: tuple[str, ...]) -> Row:
    """Return a sample as one row of the store."""
    name = sample.clip_id
    if sample.labels is not None and set(sample.labels) != set(labels):
        raise DataError(
            f"clip {name!r} has labels {sorted(sample.labels)}, the corpus {sorted(labels)}; they must agree"
        )
    frames, large = len(sample.faces), sample.faces_large.shape[1]
    row: Row = {key: getattr(sample, key) for key in ("clip_id", "split", "speaker", "text", "duration_s", "media")}
    row["labels"] = {k: float(sample.labels[k]) for k in labels} if labels and sample.labels is not None else None
    row["quality"] = list(sample.quality)
    row["words"] = [vars(word) for word in sample.words]
    row["n_frames"], row["n_chunks"], row["large_px"] = frames, len(sample.mel), large
    for key, (dtype, shape) in ARRAYS.items():
        rows = len(sample.mel) if key == "mel" else frames
        row[key] = _bytes(name, key, getattr(sample, key), dtype, shape, rows)
    row["faces_large"] = _bytes(name, "faces_large", sample.faces_large, "<u1", (large, large, 3), frames)
    truth = sample.truth
    if truth is not None:
        units = len(truth.au_numbers)
        row["truth_au_numbers"] = list(truth.au_numbers)
        row["truth_informative"] = json.dumps(truth.informative, sort_keys=True)
        typed = {key: getattr(truth, key) for key in _TYPED_EXTRA if getattr(truth, key)}
        row["truth_extra"] = json.dumps({**truth.extra, **typed}, sort_keys=True, ensure_ascii=False)
        for key, (dtype, pattern) in TRUTH_ARRAYS.items():
            row[f"truth_{key}"] = _bytes(name, key, getattr(truth, key), dtype, _shape(pattern, units), frames)
    return row


def _shape(pattern: tuple[int | str, ...], units: int) -> tuple[int, ...]:
    return tuple(units if n == "A" else int(n) for n in pattern)


def _array(data: bytes, dtype: str, shape: tuple[int, ...], rows: int) -> np.ndarray:
    # An optional array may be empty although the clip has frames.
    flat = np.frombuffer(data, dtype)
    return flat.reshape(rows if flat.size or 0 in shape else 0, *shape)


def from_row(row: Row) -> Sample:
    """Read the sample of one row; columns that were not read become empty arrays or None."""
    frames, chunks, large = row["n_frames"], row["n_chunks"], row["large_px"]
    arrays: dict[str, Any] = {
        key: _array(row[key], dtype, shape, chunks if key == "mel" else frames)
        for key, (dtype, shape) in ARRAYS.items()
    }
    if row.get("faces_large") is not None:
        arrays["faces_large"] = _array(row["faces_large"], "<u1", (large, large, 3), frames)
    truth = None
    if row.get("truth_au_numbers") is not None:
        units = len(row["truth_au_numbers"])
        arrays_of_truth: dict[str, Any] = {
            key: _array(row[f"truth_{key}"], dtype, _shape(pattern, units), frames)
            for key, (dtype, pattern) in TRUTH_ARRAYS.items()
        }
        extra = json.loads(row["truth_extra"])
        typed = {key: extra.pop(key) for key in _TYPED_EXTRA if key in extra}
        informative = json.loads(row["truth_informative"])
        truth = Truth(tuple(row["truth_au_numbers"]), informative=informative, extra=extra, **typed, **arrays_of_truth)
    return Sample(
        **{key: row[key] for key in ("clip_id", "split", "speaker", "text", "duration_s", "labels", "media")},
        quality=tuple(row["quality"]),
        words=tuple(Word(**word) for word in row["words"]),
        truth=truth,
        **arrays,
    )
