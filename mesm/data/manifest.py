"""`manifest.json`: what a corpus is, how it was made, and what its files must look like."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from mesm.data.remote import place
from mesm.data.signal_settings import signal_rules
from mesm.errors import DataError
from mesm.files import write_atomic

MANIFEST_NAME = "manifest.json"
STORE_SCHEMA = 1
_PACKAGES = ("mesm", "facenet-pytorch", "av", "numpy", "pillow", "pyarrow", "torch")


@dataclass(frozen=True)
class Shard:
    """One Parquet file: its name, digest and number of clips."""

    file: str
    sha256: str
    rows: int


def package_versions() -> dict[str, str]:
    """Versions of what the stored arrays depend on."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    return found


@dataclass(frozen=True)
class Manifest:
    """Everything about a corpus but its clips.

    Attributes:
        labels: emotion names in the corpus's order; empty for unlabelled clips.
        meta: what the maker wants kept (source, licence, seed, command), JSON.
        signal: `signal_rules()` when it was made.
        splits: split -> clips; `speakers` split -> sorted speakers. Both count the complete shards.
        sources: what an import read: counts of utterances, sample rates, frame rates and flags, JSON.
        complete: False while a build is under way or was interrupted.
    """

    name: str
    labels: tuple[str, ...] = ()
    meta: dict[str, Any] = field(default_factory=dict)
    signal: dict[str, Any] = field(default_factory=signal_rules)
    versions: dict[str, str] = field(default_factory=package_versions)
    shards: tuple[Shard, ...] = ()
    splits: dict[str, int] = field(default_factory=dict)
    speakers: dict[str, list[str]] = field(default_factory=dict)
    sources: dict[str, Any] = field(default_factory=dict)
    complete: bool = False
    schema: int = STORE_SCHEMA

    def write(self, folder: str | os.PathLike[str]) -> None:
        """Write `manifest.json` whole or not at all."""
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        write_atomic(Path(folder) / MANIFEST_NAME, text.encode())

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> Manifest:
        """The manifest of a corpus folder.

        Raises:
            DataError: there is none, it is damaged, or it is of another schema.
        """
        path = place(folder) / MANIFEST_NAME
        if not path.is_file():
            raise DataError(f"{folder} is no corpus: it has no {MANIFEST_NAME}; give a folder that one was built in")
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            schema = content["schema"]
            if schema != STORE_SCHEMA:
                raise DataError(
                    f"{path} has schema {schema}, this version reads {STORE_SCHEMA}; build the corpus again"
                )
            content["labels"] = tuple(content["labels"])
            content["shards"] = tuple(Shard(**shard) for shard in content["shards"])
            return cls(**content)
        except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{path} is damaged ({error}); restore it or build the corpus again") from error
