"""What happened, as values: frozen dataclasses that go to JSON or NPZ and back. Numpy only, no tensors.

A record on disk is `records/<kind>_<checkpoint>_<corpus>.json`: {"kind", "schema", "provenance", "data"}.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from mesm.errors import DataError

RECORD_SCHEMA = 1
#: The files of a checkpoint's folder.
WEIGHTS, CONFIG, METRICS, CARD = "model.safetensors", "config.json", "metrics.json", "README.md"


def file_sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class LayerTrace:
    """One attention layer on S segments of one modality.

    Attributes:
        attention: (S, H, W) float32, each segment sums to 1 over its active sites; 0 elsewhere.
        kept: (S, H, W) bool, the nucleus.
        active: (S, H, W) bool, sites that were there to choose from.
        backends: what ran each of the block's two convolutions, e.g. ("gather", "dense").
    """

    attention: np.ndarray
    kept: np.ndarray
    active: np.ndarray
    backends: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trace:
    """What the attention did in one forward pass, per modality ("visual", "acoustic"), layer after layer."""

    layers: dict[str, tuple[LayerTrace, ...]]
    top_p: float


@dataclass(frozen=True)
class Prediction:
    """Scores of one clip.

    Attributes:
        labels: emotion names, the order of every score list.
        scores: (E,) fused probabilities in [0, 1].
        thresholds: (E,) per-class decision thresholds of the checkpoint.
        modality_scores: modality -> (E,) probabilities of that branch alone; absent branches are missing.
        fusion_weights: modality -> weight used for this clip (renormalised when a branch is absent).
        flags: sentences such as "no voice: scores from words and face only".
        macs: stage name -> multiply-adds of this clip (see `mesm.analysis.cost`); empty if not counted.
    """

    clip_id: str
    labels: tuple[str, ...]
    scores: np.ndarray
    thresholds: np.ndarray
    modality_scores: dict[str, np.ndarray]
    fusion_weights: dict[str, float]
    flags: tuple[str, ...] = ()
    trace: Trace | None = None
    macs: dict[str, int] = field(default_factory=dict)

    @property
    def decided(self) -> tuple[str, ...]:
        """Labels whose score reaches their threshold."""
        return tuple(n for n, s, t in zip(self.labels, self.scores, self.thresholds, strict=True) if s >= t)


def provenance(**more: Any) -> dict[str, Any]:
    """When, with what code and versions a record was made; `more` adds checkpoint, corpus, seed, command."""
    commit = subprocess.run(
        ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    ).stdout.strip()
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "mesm_commit": commit,
        "python": platform.python_version(),
        **more,
    }


def slug(name: str) -> str:
    """A file-name-safe form of a checkpoint's or corpus's name."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", Path(name).name).strip("-") or "unnamed"


def record_path(folder: str | os.PathLike[str], kind: str, checkpoint: str, corpus: str) -> Path:
    """`<folder>/<kind>_<checkpoint>_<corpus>.json`; without the middle for a record that is of no one checkpoint ("")."""
    return Path(folder) / f"{'_'.join(slug(part) for part in (kind, checkpoint, corpus) if part)}.json"


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} does not belong in a record")


def write_atomic(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write a file whole or not at all; an existing one stays until the new one is complete."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise DataError(
            f"cannot write {path}: {error.strerror or error}; free some space or choose another folder"
        ) from error
    return path


def write_record(
    folder: str | os.PathLike[str],
    kind: str,
    checkpoint: str,
    corpus: str,
    data: dict[str, Any],
    *,
    one_corpus: bool = False,
    **origin: Any,
) -> Path:
    """Write one record under its one name and return the path; with `one_corpus` the name leaves the corpus out."""
    content = {
        "kind": kind,
        "schema": RECORD_SCHEMA,
        "provenance": provenance(checkpoint=checkpoint, corpus=corpus, **origin),
        "data": data,
    }
    text = json.dumps(content, indent=1, default=_plain, allow_nan=False)
    return write_atomic(record_path(folder, kind, checkpoint, "" if one_corpus else corpus), text.encode())


def read_record(path: str | os.PathLike[str]) -> dict[str, Any]:
    """A record's whole content; `DataError` if it is not one."""
    try:
        content = json.loads(Path(path).read_text())
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"{path} is not a readable record ({error}); make it again with its command") from error
    if not isinstance(content, dict) or content.get("schema") != RECORD_SCHEMA or "data" not in content:
        raise DataError(f"{path} is not a record of schema {RECORD_SCHEMA}; make it again with its command")
    return content


def find_records(folders: Sequence[Path], kind: str, checkpoint: str = "*", corpus: str = "*") -> list[Path]:
    """Records of a kind; of two with the same name, the one in the earlier folder.

    Args:
        folders: where to look, such as `runtime.record_folders()`.
        checkpoint: its name; any by default, as with `corpus`.
    """
    wanted = [part if part == "*" else slug(part) for part in (checkpoint, corpus)]
    names = [f"{slug(kind)}_{wanted[0]}_{wanted[1]}.json"]
    # An ablation is of no one checkpoint; a kind that there is for one corpus only does not name it.
    names.append(f"{slug(kind)}_{wanted[1] if checkpoint == '*' else wanted[0]}.json")
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted({path for name in names for path in folder.glob(name)}):
            found.setdefault(path.name, path)
    return list(found.values())
