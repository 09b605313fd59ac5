"""Define `manifest.json`: identity of a corpus, its making, its capabilities, and the digests of its files."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mesm.data.remote import resolve_folder
from mesm.data.signal_settings import signal_settings
from mesm.errors import ConfigError, DataError
from mesm.files import write_atomic
from mesm.json_form import Json, from_json, members, read_json
from mesm.vocabulary import CAPABILITIES

MANIFEST_NAME = "manifest.json"
#: File of the capability `neutral_faces`, beside the manifest.
NEUTRAL_FACES_NAME = "neutral_faces.npz"
STORE_SCHEMA = 1
_PACKAGES = ("mesm", "facenet-pytorch", "av", "numpy", "pillow", "pyarrow", "torch")
_DIGEST_HEX = 16


@dataclass(frozen=True)
class Shard:
    """Hold name, digest and number of clips of one Parquet file."""

    file: str
    sha256: str
    rows: int


def package_versions() -> dict[str, str]:
    """Return the versions of the packages on which the stored arrays depend; "" for one that is not installed."""
    return {name: _installed_version(name) for name in _PACKAGES}


@cache
def _installed_version(name: str) -> str:
    """Return a package's version, read once: the seven take 5 ms, for each clip that a child process decodes."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


@dataclass(frozen=True)
class Design:
    """Identify the design of a generated corpus, as its manifest's `meta` keeps it beside the generator's own facts.

    Attributes:
        generator: version of the program.
        command: the command line that builds the corpus again.
    """

    generator: int | str
    seed: int = 0
    speakers: int = 0
    command: str = ""


@dataclass(frozen=True)
class Manifest:
    """Hold everything about a corpus except its clips.

    Attributes:
        labels: emotion names in the corpus's order; empty for unlabelled clips.
        meta: facts of the making (source, licence, seed, command), JSON. `generator` marks a generated corpus.
        capabilities: truth beyond the labels, among `vocabulary.CAPABILITIES` and in their order.
        signal: `signal_settings()` when it was made.
        splits: split -> clips; `speakers` split -> sorted speakers. Both count the complete shards.
        sources: summary of an import: counts of utterances, sample rates, frame rates and flags, JSON.
        complete: False while a build is under way or was interrupted.
    """

    name: str
    labels: tuple[str, ...] = ()
    meta: dict[str, Json] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    signal: dict[str, Json] = field(default_factory=signal_settings)
    versions: dict[str, str] = field(default_factory=package_versions)
    shards: tuple[Shard, ...] = ()
    splits: dict[str, int] = field(default_factory=dict)
    speakers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sources: dict[str, Json] = field(default_factory=dict)
    complete: bool = False
    schema: int = STORE_SCHEMA

    def __post_init__(self) -> None:
        unknown = [name for name in self.capabilities if name not in CAPABILITIES]
        if unknown:
            raise ConfigError(f"{unknown[0]!r} is no capability of a corpus; use {', '.join(CAPABILITIES)}")

    @property
    def design(self) -> Design | None:
        """Read the design out of `meta`; None for a recorded corpus."""
        if "generator" not in self.meta:
            return None
        known = {f.name: self.meta[f.name] for f in fields(Design) if f.name in self.meta}
        return from_json(Design, known, f"meta of corpus {self.name!r}")

    @property
    def digest(self) -> str:
        """Compute the identity of the corpus beside its name, 16 hex digits.

        A generated corpus (`meta` has a `generator`) is its design: name, labels and `meta` without the command, so that
        an exported part has the identity of the whole. A recorded corpus, and one whose build has not ended, is its clips:
        name, labels and shard digests.
        """
        content: dict[str, Json] = {"name": self.name, "labels": list(self.labels)}
        if "generator" in self.meta and self.complete:
            content["design"] = {key: value for key, value in self.meta.items() if key != "command"}
        else:
            content["shards"] = [shard.sha256 for shard in self.shards]
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_HEX]

    @property
    def clips_digest(self) -> str:
        """Compute the identity of the stored clips themselves, in hex: of labels and shards."""
        content = [*self.labels, *(shard.sha256 for shard in self.shards)]
        return hashlib.sha256("\n".join(content).encode()).hexdigest()

    def write(self, folder: str | os.PathLike[str]) -> None:
        """Write `manifest.json` whole or not at all."""
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        write_atomic(Path(folder) / MANIFEST_NAME, text.encode())

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> Manifest:
        """Read the manifest of a corpus folder.

        Raises:
            DataError: there is none, it is damaged, or it is of another schema.
        """
        path = resolve_folder(folder) / MANIFEST_NAME
        if not path.is_file():
            raise DataError(f"{folder} is no corpus: it has no {MANIFEST_NAME}; give a folder that one was built in")
        content = read_json(path)
        schema = content.get("schema") if isinstance(content, dict) else None
        if isinstance(content, dict) and isinstance(schema, int) and schema != STORE_SCHEMA:
            raise DataError(f"{path} has schema {schema}, this version reads {STORE_SCHEMA}; build the corpus again")
        try:
            content = members(content)
            # A manifest of an earlier version has no such field: the only generator of that time knew everything but neutral faces.
            if "capabilities" not in content and "generator" in members(content.get("meta")):
                content["capabilities"] = list[Json](_generated(folder))
            manifest = from_json(cls, content, MANIFEST_NAME)
        except ConfigError as error:
            raise DataError(f"{path} is of another version of mesm ({error}); build the corpus again") from error
        except DataError as error:
            raise DataError(f"{path} is damaged ({error}); restore it or build the corpus again") from error
        if schema is None or not manifest.name or any(shard.rows < 1 for shard in manifest.shards):
            raise DataError(f"{path} lacks a schema, a name or clips; restore it or build the corpus again")
        return manifest


def _generated(folder: str | os.PathLike[str]) -> list[str]:
    has_faces = (resolve_folder(folder) / NEUTRAL_FACES_NAME).is_file()
    return [name for name in CAPABILITIES if name != "neutral_faces" or has_faces]
