"""Write and read what a model attends to and keeps as arrays: one clip as NPZ or CSV, many clips as one NPZ.

Only attention, masks, scores, labels and times are written: no face, no sound and no transcript. `trace_layout.LAYOUT`
names every array with its shape and unit.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mesm.batch import CHUNK_MS, Sample
from mesm.data.store import IndexRow
from mesm.errors import DataError
from mesm.json_form import Json, members, parse_json
from mesm.records.prediction import LayerTrace, Prediction, Trace

CSV_COLUMNS = ("modality", "layer", "segment", "time_s", "y", "x", "padding", "kept", "attention")


def branch_arrays(sample: Sample, prediction: Prediction) -> dict[str, np.ndarray]:
    """Return the arrays of one clip's branches, by the names of `LAYOUT` without the clip's number.

    Args:
        sample: the clip that was scored; its times are read.
        prediction: with its trace; a model without attention gives scores and weights only.
    """
    arrays: dict[str, np.ndarray] = {}
    for modality, scores in prediction.modality_scores.items():
        arrays[f"{modality}/scores"] = np.asarray(scores, np.float32)
        arrays[f"{modality}/weight"] = np.array(prediction.fusion_weights[modality], np.float64)
    for modality, layers in prediction.layers.items():
        arrays[f"{modality}/times_s"] = segment_times(sample, modality)
        for number, layer in enumerate(layers, 1):
            arrays[f"{modality}/L{number}/attention"] = layer.attention
            arrays[f"{modality}/L{number}/kept"] = layer.kept
            arrays[f"{modality}/L{number}/active"] = layer.active
            if layer.padding is not None:
                arrays[f"{modality}/L{number}/padding"] = layer.padding
    arrays["flags"] = np.array(prediction.flags, dtype=str)
    if prediction.macs:
        arrays["stages"] = np.array(list(prediction.macs))
        arrays["macs"] = np.array(list(prediction.macs.values()), np.int64)
    return arrays


def segment_times(sample: Sample, modality: str) -> np.ndarray:
    """Return (S,) float32 seconds of the face crops, or of the starts of the mel chunks."""
    if modality == "visual":
        return np.asarray(sample.face_times_s, np.float32)
    return (np.arange(len(sample.mel)) * (CHUNK_MS / 1000)).astype(np.float32)


def trace_npz(sample: Sample, prediction: Prediction, provenance: Mapping[str, Json]) -> bytes:
    """Return the NPZ of one clip; the same input gives the same bytes."""
    file = io.BytesIO()
    write_traces(file, [_row(sample)], lambda clip_id: (sample, prediction), provenance)
    return file.getvalue()


def trace_csv(sample: Sample, prediction: Prediction) -> bytes:
    """Return the active sites of one clip as CSV, a line per modality, layer, segment and site; `CSV_COLUMNS`."""
    out = io.StringIO()
    out.write(",".join(CSV_COLUMNS) + "\n")
    for modality, layers in prediction.layers.items():
        times = segment_times(sample, modality)
        for number, layer in enumerate(layers, 1):
            s, y, x = np.nonzero(layer.active)
            padding = np.zeros_like(layer.kept) if layer.padding is None else layer.padding
            columns = [s, times[s], y, x, *(of_site[s, y, x] for of_site in (padding, layer.kept, layer.attention))]
            forms = f"{modality},{number},%d,%.3f,%d,%d,%d,%d,%.8g"
            np.savetxt(out, np.stack(columns, axis=1, dtype=np.float64), forms)
    return out.getvalue().encode()


def write_traces(
    file: BinaryIO,
    rows: Sequence[IndexRow],
    run: Callable[[str], tuple[Sample, Prediction]],
    provenance: Mapping[str, Json],
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write the traces of clips as one NPZ, see `LAYOUT`; one clip at a time is in memory.

    Args:
        file: open for writing bytes.
        rows: the clips, at least one.
        run: clip id -> the clip and its prediction with trace.
        provenance: sources of the traces.
        progress: called with the clips written and their number.
    """
    scores, truth = [], []
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for number, row in enumerate(rows):
            sample, prediction = run(row.clip_id)
            _add(archive, {f"{number:05d}/{name}": a for name, a in branch_arrays(sample, prediction).items()})
            scores.append(prediction.scores)
            known = row.labels if row.labels is not None else {}
            truth.append([known.get(label, np.nan) for label in prediction.labels])
            if progress is not None:
                progress(number + 1, len(rows))
        shared = {
            "provenance": np.array(json.dumps(dict(provenance), ensure_ascii=False)),
            "labels": np.array(prediction.labels),
            "thresholds": prediction.thresholds,
            "clip_ids": np.array([row.clip_id for row in rows]),
            "splits": np.array([row.split for row in rows]),
            "scores": np.array(scores, np.float32),
            "truth": np.array(truth, np.float32),
        }
        _add(archive, shared)


def read_traces(path: Path) -> tuple[dict[str, Json], dict[str, Prediction]]:
    """Return the provenance of a trace file, and the predictions in it by clip id.

    Raises:
        DataError: it is no trace file, or it is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            provenance = members(parse_json(str(arrays["provenance"]), str(path)))
            clip_ids = [str(clip_id) for clip_id in arrays["clip_ids"]]
            top_p = provenance.get("top_p")
            at = float(top_p) if isinstance(top_p, int | float) else None
            return provenance, {name: _read_clip(arrays, i, name, at) for i, name in enumerate(clip_ids)}
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is no file of traces ({error}); write it again with mesm traces") from error


def _read_clip(arrays: Mapping[str, np.ndarray], i: int, clip_id: str, top_p: float | None) -> Prediction:
    own = {name[6:]: name for name in arrays if name.startswith(f"{i:05d}/")}
    branches = [name.partition("/")[0] for name in own if name.endswith("/scores")]
    layers: dict[str, list[LayerTrace]] = {}
    for modality in (name.partition("/")[0] for name in own if name.endswith("/L1/kept")):
        while (start := f"{modality}/L{len(layers.get(modality, ())) + 1}") + "/kept" in own:
            attention, kept, active = (arrays[own[f"{start}/{name}"]] for name in ("attention", "kept", "active"))
            padding = arrays[own[f"{start}/padding"]] if f"{start}/padding" in own else None
            layers.setdefault(modality, []).append(LayerTrace(attention, kept, active, padding=padding))
    return Prediction(
        clip_id,
        tuple(map(str, arrays["labels"])),
        arrays["scores"][i],
        arrays["thresholds"],
        {modality: arrays[own[f"{modality}/scores"]] for modality in branches},
        {modality: float(arrays[own[f"{modality}/weight"]]) for modality in branches},
        tuple(map(str, arrays[own["flags"]])),
        Trace({modality: tuple(of_one) for modality, of_one in layers.items()}, top_p) if top_p is not None else None,
        dict(zip(map(str, arrays[own["stages"]]), map(int, arrays[own["macs"]]), strict=True)) if "macs" in own else {},
    )


def _add(archive: zipfile.ZipFile, arrays: Mapping[str, np.ndarray]) -> None:
    for name, values in arrays.items():
        with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array(member, np.asanyarray(values), allow_pickle=False)


def _row(sample: Sample) -> IndexRow:
    return IndexRow(
        sample.clip_id,
        sample.split,
        "",
        "",
        sample.duration_s,
        sample.labels,
        (),
        "",
        len(sample.faces),
        len(sample.mel),
    )
