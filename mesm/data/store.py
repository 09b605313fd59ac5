"""Store samples in Parquet shards: training never decodes a video and never runs a face detector.

One row is one clip (`mesm.data.parquet_schema`). Shards are zstd-compressed, a few clips to a row group, so that one clip
costs one small read. Any Parquet reader opens them, `datasets.load_dataset("parquet", ...)` included.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from mesm.batch import Sample
from mesm.data.manifest import MANIFEST_NAME, Manifest, Shard
from mesm.data.parquet_schema import ARRAYS, Row, from_row, row_schema, to_row
from mesm.data.remote import is_url, require_local, resolve_folder
from mesm.errors import DataError
from mesm.estimate import counted
from mesm.files import write_atomic
from mesm.json_form import Json, from_json
from mesm.locks import FolderLock
from mesm.records.base import CorpusId
from mesm.vocabulary import MODALITIES

_INDEX = ("clip_id", "split", "speaker", "text", "duration_s", "labels", "quality", "media", "n_frames", "n_chunks")
_PLAIN = (*_INDEX, "large_px", "words", *ARRAYS)
SHARD_CLIPS = 64
GROUP_CLIPS = 4
_CACHED_GROUPS = 8


@dataclass(frozen=True)
class IndexRow:
    """Hold a clip without its arrays; `labels` is None where the clip has none."""

    clip_id: str
    split: str
    speaker: str
    text: str
    duration_s: float
    labels: dict[str, float] | None
    quality: tuple[str, ...]
    media: str
    n_frames: int
    n_chunks: int

    @property
    def group(self) -> str:
        """Return the unit that splits and intervals keep together: the speaker, or the clip of an unknown one."""
        return self.speaker or self.clip_id

    @property
    def modalities(self) -> tuple[str, ...]:
        """List the modalities that the clip has, in the order of `MODALITIES`."""
        has = {"text": bool(self.text.strip()), "visual": self.n_frames > 0, "acoustic": self.n_chunks > 0}
        return tuple(name for name in MODALITIES if has[name])

    @property
    def present(self) -> tuple[str, ...]:
        """List the names of the labels with intensity above 0, in the corpus's order."""
        return tuple(name for name, value in (self.labels or {}).items() if value > 0)


class CorpusWriter:
    """Write a corpus; interrupted anywhere, a second run resumes it. Its folder is locked from the start to the end.

    A shard is on disk whole and in the manifest, or it does not count. Clips of an unfinished shard are lost with the
    run that made them; `stored` lists the clips that need not be made again. The same samples in the same order give the
    same bytes.

        with CorpusWriter(folder, name="marionette", labels=labels, meta={"seed": 0}) as writer:
            for clip in plan:
                if clip.id not in writer.stored:
                    writer.add(make(clip))
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        name: str,
        labels: Iterable[str] = (),
        meta: Mapping[str, Json] | None = None,
        *,
        capabilities: Iterable[str] = (),
        shard_clips: int = SHARD_CLIPS,
        compressed: bool = True,
    ) -> None:
        """Open a folder for writing.

        Args:
            folder: new, empty, or with an unfinished corpus of the same name, labels and meta.
            capabilities: truth beyond the labels that the clips have, among `vocabulary.CAPABILITIES`.
            shard_clips: clips of a shard.
            compressed: False for a corpus that is read once and deleted: some milliseconds less for a clip.

        Raises:
            FolderBusyError: another writer has the folder.
            DataError: the folder holds another corpus or cannot be written, or a shard is damaged.
        """
        self.folder = require_local(folder)
        self.shard_clips, self.compressed = shard_clips, compressed
        self._lock = FolderLock(self.folder, "corpus")
        try:
            self._open(name, labels, meta, capabilities)
        except BaseException:
            self._lock.release()
            raise

    def _open(
        self, name: str, labels: Iterable[str], meta: Mapping[str, Json] | None, capabilities: Iterable[str]
    ) -> None:
        """Read the clips that are stored already."""
        manifest = Manifest(name=name, labels=tuple(labels), meta=dict(meta or {}), capabilities=tuple(capabilities))
        self._stored: set[str] = set()
        if (self.folder / MANIFEST_NAME).exists():
            stored = Manifest.read(self.folder)
            for key in ("name", "labels", "meta", "signal"):
                if getattr(stored, key) != getattr(manifest, key):
                    raise DataError(
                        f"{self.folder} holds a corpus with another {key} ({getattr(stored, key)!r}, "
                        f"not {getattr(manifest, key)!r}); choose an empty folder, or delete it first"
                    )
            corpus = Corpus(self.folder)
            corpus.verify()
            self._stored = set(corpus.ids())
            manifest = replace(stored, capabilities=manifest.capabilities, complete=False)
        self.manifest = manifest
        self._schema = row_schema(manifest.labels)
        self._waiting: list[Row] = []

    @property
    def stored(self) -> frozenset[str]:
        """Return the clip ids that are in complete shards or waiting for theirs."""
        return frozenset(self._stored)

    @property
    def completes_shard(self) -> bool:
        """Return whether the next clip completes a shard, which `add` then writes."""
        return len(self._waiting) + 1 >= self.shard_clips

    def add(self, sample: Sample) -> None:
        """Take one clip; every `shard_clips` clips a shard is written."""
        if sample.clip_id in self._stored:
            raise DataError(f"clip {sample.clip_id!r} is already in {self.folder}; clip ids must be unique")
        self._waiting.append(to_row(sample, self.manifest.labels))
        self._stored.add(sample.clip_id)
        if len(self._waiting) >= self.shard_clips:
            self.flush()

    def flush(self) -> None:
        """Write the clips that wait as a shard, and the manifest."""
        if self._waiting:
            self._write_shard()
        self.manifest.write(self.folder)

    def _write_shard(self) -> None:
        table = pa.Table.from_pylist(self._waiting, schema=self._schema)
        sink = pa.BufferOutputStream()
        pq.write_table(
            table,
            sink,
            row_group_size=GROUP_CLIPS,
            compression="zstd" if self.compressed else "none",
            compression_level=9 if self.compressed else None,
            write_page_checksum=True,
        )
        data = sink.getvalue().to_pybytes()
        file = f"shard-{len(self.manifest.shards):05d}.parquet"
        write_atomic(self.folder / file, data)
        splits, speakers = dict(self.manifest.splits), {k: set(v) for k, v in self.manifest.speakers.items()}
        for row in self._waiting:
            splits[row["split"]] = splits.get(row["split"], 0) + 1
            speakers.setdefault(row["split"], set()).update({row["speaker"]} - {""})
        shard = Shard(file, hashlib.sha256(data).hexdigest(), len(self._waiting))
        self.manifest = replace(
            self.manifest,
            shards=(*self.manifest.shards, shard),
            splits=splits,
            speakers={k: tuple(sorted(v)) for k, v in speakers.items()},
        )
        self._waiting = []

    def close(self, sources: dict[str, Json] | None = None) -> None:
        """Write what waits, mark the corpus complete and give the folder up; `sources` goes to the manifest."""
        if self._waiting:
            self.flush()
        self.manifest = replace(self.manifest, complete=True, sources=sources or self.manifest.sources)
        self.manifest.write(self.folder)
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        self._lock.release()


class Corpus:
    """Read a stored corpus. Reads on demand; a few row groups are kept, so memory does not grow with the corpus.

    `folder` may be a URL of object storage (`mesm.data.remote`): then only the parts that are read are transferred.

    Args:
        hide_truth: read labels only: no capability is listed and no sample has its ground truth.
    """

    def __init__(self, folder: str | os.PathLike[str], *, hide_truth: bool = False) -> None:
        self.folder = resolve_folder(folder)
        self.manifest = Manifest.read(folder)
        self.hide_truth = hide_truth
        if hide_truth:
            self.manifest = replace(self.manifest, capabilities=())
        self._lock = threading.Lock()
        self._groups: OrderedDict[tuple[int, int, bool], list[Sample]] = OrderedDict()

    @property
    def name(self) -> str:
        """Return the corpus's name in its manifest."""
        return self.manifest.name

    @property
    def digest(self) -> str:
        """Return the manifest's digest, which distinguishes corpora of one name."""
        return self.manifest.digest

    @property
    def id(self) -> CorpusId:
        """Return the corpus's identity, as records keep it."""
        return CorpusId(self.name, self.digest)

    @property
    def capabilities(self) -> tuple[str, ...]:
        """Return the kinds of truth beyond the labels, among `vocabulary.CAPABILITIES`; see `mesm.data.known_truth`."""
        return self.manifest.capabilities

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the emotion names in the corpus's order."""
        return self.manifest.labels

    def __len__(self) -> int:
        return sum(shard.rows for shard in self.manifest.shards)

    def __contains__(self, clip_id: str) -> bool:
        return clip_id in self._positions

    @cached_property
    def index(self) -> tuple[IndexRow, ...]:
        """List every clip in the order of the shards, without arrays."""
        rows: list[IndexRow] = []
        for number, shard in enumerate(self.manifest.shards):
            with self._shard(number) as file, self._parquet(file) as parquet:
                listed = parquet.read(columns=list(_INDEX), use_threads=False).to_pylist()
            if len(listed) != shard.rows:
                raise DataError(
                    f"{self.folder / shard.file} has {len(listed)} clips, the manifest has {shard.rows}; {_REMEDY}"
                )
            rows += [
                from_json(IndexRow, row, f"clip {i} of {self.folder / shard.file}") for i, row in enumerate(listed)
            ]
        return tuple(rows)

    @cached_property
    def _positions(self) -> dict[str, tuple[int, int]]:
        """Map clip id -> (shard, row in it)."""
        places, start = {}, 0
        for number, shard in enumerate(self.manifest.shards):
            for row in range(shard.rows):
                places[self.index[start + row].clip_id] = (number, row)
            start += shard.rows
        return places

    def ids(self, split: str | None = None) -> tuple[str, ...]:
        """List the clip ids in stored order, of one split or of all."""
        return tuple(row.clip_id for row in self.index if split is None or row.split == split)

    def row(self, clip_id: str) -> IndexRow:
        """Return one clip without its arrays."""
        number, row = self._position(clip_id)
        return self.index[sum(shard.rows for shard in self.manifest.shards[:number]) + row]

    def _position(self, clip_id: str) -> tuple[int, int]:
        try:
            return self._positions[clip_id]
        except KeyError:
            raise DataError(
                f"corpus {self.name!r} has no clip {clip_id!r}; it has {counted(len(self), 'clip')}, "
                f"such as {next(iter(self.ids()), 'none')}"
            ) from None

    def __getitem__(self, clip_id: str) -> Sample:
        """Read the whole sample: large crops and ground truth included."""
        return self.read(clip_id)

    def read(self, clip_id: str, *, full: bool = True) -> Sample:
        """Read one sample; `full=False` leaves out the large crops and the ground truth, as training does."""
        number, row = self._position(clip_id)
        full = full and not self.hide_truth
        return self._group(number, row // GROUP_CLIPS, full)[row % GROUP_CLIPS]

    def iterate(self, split: str | None = None, *, full: bool = True) -> Iterator[Sample]:
        """Yield samples in stored order."""
        for clip_id in self.ids(split):
            yield self.read(clip_id, full=full)

    def media_path(self, clip_id: str) -> Path | None:
        """Return the preview of a clip, or None when there is none on disk; previews in object storage stay there."""
        media = self.row(clip_id).media
        path = self.folder / media
        inside = path.resolve().is_relative_to(self.folder.resolve())
        return path if media and inside and path.is_file() else None

    def verify(self) -> None:
        """Compare every shard with its digest in the manifest; `DataError` names the first that differs."""
        for number, shard in enumerate(self.manifest.shards):
            with self._shard(number) as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != shard.sha256:
                    raise DataError(
                        f"{self.folder / shard.file} is not the file that the manifest describes; {_REMEDY}"
                    )

    def _group(self, number: int, group: int, full: bool) -> list[Sample]:
        key = (number, group, full)
        with self._lock:
            if key in self._groups:
                self._groups.move_to_end(key)
                return self._groups[key]
        with self._shard(number) as file, self._parquet(file) as parquet:
            columns = None if full else list(_PLAIN)
            rows = parquet.read_row_group(group, columns=columns, use_threads=False).to_pylist()
            samples = [from_row(row) for row in rows]
        with self._lock:
            self._groups[key] = samples
            while len(self._groups) > _CACHED_GROUPS:
                self._groups.popitem(last=False)
        return samples

    def _parquet(self, file: BufferedReader) -> pq.ParquetFile:
        """Open a shard's content.

        Arrow's own threads read ahead in object storage only: one that still has to let go of a Python file while the
        interpreter ends, ends the process by an abort ("terminate called without an active exception").
        """
        return pq.ParquetFile(file, page_checksum_verification=True, pre_buffer=is_url(self.folder))

    @contextmanager
    def _shard(self, number: int) -> Iterator[BufferedReader]:
        """Open one shard, open; anything that goes wrong while it is read becomes one sentence that names it."""
        path = self.folder / self.manifest.shards[number].file
        try:
            # A pipe would block for ever; in object storage there is none, and asking costs a request.
            if type(path) is type(Path()) and path.exists() and not path.is_file():
                raise DataError(f"{path} is no regular file; {_REMEDY}")
            with path.open("rb") as file:
                yield file
        except DataError:
            raise
        except FileNotFoundError as error:
            raise DataError(f"{path} is missing although the manifest lists it; {_REMEDY}") from error
        except Exception as error:  # Arrow's, the system's, and of object storage each driver's own
            reason = str(error).partition("\n")[0] or repr(error)
            raise DataError(f"{path} is damaged or out of reach ({reason}); {_REMEDY}") from error


_REMEDY = "restore it, or delete the corpus and build it again"
