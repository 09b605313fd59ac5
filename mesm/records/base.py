"""Hold any record: where it comes from, what was measured, and its form on disk.

A record is one JSON file, `<kind>_<checkpoint>_<corpus>-<digest>.json`: {"kind", "schema", "provenance", "data"}.
`data` is the JSON form of the kind's dataclass (`KINDS`), whose `check`, if it has one, refuses parts that do not belong
together. Records of schema 1, whose corpus had a name and no digest,
are upgraded when they are read, by the kind's own `from_schema_1`.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from mesm.errors import DataError
from mesm.files import slug, write_atomic
from mesm.json_form import Json, from_json, members, read_json, to_json

RECORD_SCHEMA = 2
#: Kind -> module and dataclass of its data.
KINDS: dict[str, tuple[str, str]] = {
    "evaluate": ("mesm.records.evaluation", "Evaluation"),
    "compare": ("mesm.records.comparison", "Comparison"),
    "seeds": ("mesm.records.seeds", "SeedsSummary"),
    "sweep": ("mesm.records.sweep", "Sweep"),
    "ablation": ("mesm.records.ablation", "Ablation"),
    "guidance": ("mesm.records.guidance", "Guidance"),
    "facs": ("mesm.records.facs", "FacsStudy"),
    "canonical": ("mesm.records.canonical", "CanonicalFaces"),
    "faithfulness": ("mesm.records.faithfulness", "Faithfulness"),
    "reproduce": ("mesm.records.reproduction", "ReproducedLine"),
    "search": ("mesm.records.search", "SearchResult"),
    "time": ("mesm.records.timing", "Timing"),
}

D = TypeVar("D", covariant=True)


@dataclass(frozen=True)
class CorpusId:
    """Hold the identity of a corpus: its manifest's name and digest.

    Attributes:
        digest: 16 hex digits (`Manifest.digest`); "" where it is not known, as in records of schema 1.
    """

    name: str
    digest: str = ""

    @property
    def key(self) -> str:
        """Return NAME@DIGEST8, under which `mesm.data.corpora.open_corpus` finds this very corpus; NAME without a digest."""
        return f"{self.name}@{self.digest[:8]}" if self.digest else self.name

    def same(self, other: CorpusId) -> bool:
        """Return whether both are the same corpus: equal digests, or equal names where one digest is not known."""
        if self.digest and other.digest:
            return self.digest == other.digest
        return self.name == other.name


@dataclass(frozen=True)
class Provenance:
    """Hold the origin of a record.

    Attributes:
        created: ISO time, UTC.
        checkpoint: its name, or that of the line or comparison that the record is of; "" for none.
        checkpoint_sha256: digests of the weights, one per seed.
        command: makes the record again.
        seed: of the training.
        config: of the model, as in the checkpoint's config.json.
        compared: provenance of the records that this one compares.
    """

    created: str
    mesm_commit: str
    python: str
    corpus: CorpusId
    checkpoint: str = ""
    checkpoint_sha256: tuple[str, ...] = ()
    command: str = ""
    seed: int | None = None
    config: dict[str, Json] = field(default_factory=dict)
    compared: tuple[Provenance, ...] = ()

    @property
    def source(self) -> str:
        """Return CHECKPOINT@CORPUS, the form of the command line."""
        return f"{self.checkpoint}@{self.corpus.key}"


@lru_cache(maxsize=1)
def source_commit() -> str:
    """Return the short commit of the checkout that this code runs from; "" outside of one."""
    folder = Path(__file__).resolve().parent
    command = ["git", "-C", str(folder), "rev-parse", "--show-prefix", "--short", "HEAD"]
    try:
        lines = subprocess.run(command, capture_output=True, text=True).stdout.split()
    except OSError:
        return ""
    # Another place in it: a project whose folder holds the environment that mesm is installed in.
    return lines[1] if lines[:1] == [f"{folder.parent.name}/{folder.name}/"] and len(lines) == 2 else ""


def new_provenance(
    corpus: CorpusId,
    checkpoint: str = "",
    checkpoint_sha256: Sequence[str] = (),
    command: str = "",
    *,
    seed: int | None = None,
    config: dict[str, Json] | None = None,
    compared: Sequence[Provenance] = (),
) -> Provenance:
    """Return the provenance of a record made now with this code."""
    made = (datetime.now(UTC).isoformat(timespec="seconds"), source_commit(), platform.python_version(), corpus)
    return Provenance(*made, checkpoint, tuple(checkpoint_sha256), command, seed, config or {}, tuple(compared))


@dataclass(frozen=True)
class Record(Generic[D]):
    """Hold one result: its kind (a key of `KINDS`), provenance and data."""

    kind: str
    provenance: Provenance
    data: D

    @property
    def file_name(self) -> str:
        """Name of the record's file."""
        origin = self.provenance
        corpus = slug(origin.corpus.name) + (f"-{slug(origin.corpus.digest[:8])}" if origin.corpus.digest else "")
        parts = (self.kind, slug(origin.checkpoint) if origin.checkpoint else "", corpus)
        return f"{'_'.join(part for part in parts if part)}.json"


def data_class(kind: str) -> tuple[type, Callable[[dict[str, Json]], dict[str, Json]] | None]:
    """Return a kind's dataclass and its upgrade from schema 1, if there is one.

    Raises:
        DataError: there is no such kind.
    """
    if kind not in KINDS:
        raise DataError(f"no record is of kind {kind!r}; there are {', '.join(KINDS)}")
    module, name = KINDS[kind]
    loaded = importlib.import_module(module)
    return getattr(loaded, name), getattr(loaded, "from_schema_1", None)


def write_record(folder: str | os.PathLike[str], record: Record[Any]) -> Path:
    """Write one record into a folder, whole or not at all, and return its path."""
    content = {
        "kind": record.kind,
        "schema": RECORD_SCHEMA,
        "provenance": to_json(record.provenance),
        "data": to_json(record.data),
    }
    text = json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False)
    return write_atomic(Path(folder) / record.file_name, text.encode())


def read_record(path: str | os.PathLike[str]) -> Record[Any]:
    """Return the record in a file, upgraded if it is of schema 1.

    Raises:
        DataError: it is no record, damaged, or of a later schema; one sentence with the remedy.
    """
    try:
        content = members(read_json(Path(path)))
    except DataError as error:
        raise DataError(f"{error}; it should be a record: make it again with its command") from error
    schema = content.get("schema")
    if schema not in (1, RECORD_SCHEMA) or not {"kind", "provenance", "data"} <= set(content):
        raise DataError(f"{path} is not a record of schema 1 to {RECORD_SCHEMA}; make it again with its command")
    try:
        kind, origin, data = str(content["kind"]), members(content["provenance"]), members(content["data"])
        dataclass_, upgrade = data_class(kind)
        if schema == 1:
            origin = _provenance_from_schema_1(origin)
            data = upgrade(data) if upgrade is not None else data
        record: Record[Any] = Record(
            kind, from_json(Provenance, origin, "provenance"), from_json(dataclass_, data, "data")
        )
        if check := getattr(record.data, "check", None):
            check()
        return record
    except (DataError, KeyError, TypeError, AttributeError, IndexError, ValueError, RecursionError) as error:
        raise DataError(f"{path} is damaged ({error}); make it again with its command") from error


def _provenance_from_schema_1(origin: dict[str, Json]) -> dict[str, Json]:
    digests, compared = origin.get("checkpoint_sha256") or [], cast(list, origin.get("compared") or [])
    return {
        **{key: origin[key] for key in ("created", "mesm_commit", "python")},
        **{key: origin[key] for key in ("checkpoint", "command", "seed", "config") if origin.get(key) is not None},
        "corpus": {"name": origin["corpus"], "digest": ""},
        "checkpoint_sha256": [digests] if isinstance(digests, str) else digests,
        "compared": [_provenance_from_schema_1(one) for one in compared],
    }
