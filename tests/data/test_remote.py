"""A corpus in object storage reads like the same corpus in a folder, and only in parts."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import torch

from mesm.cli import main
from mesm.data.audit import audit_splits
from mesm.data.corpora import open_corpus
from mesm.data.features.store import feature_folder
from mesm.data.loading import SplitLoader
from mesm.data.manifest import Manifest
from mesm.data.remote import RemotePath
from mesm.data.store import Corpus, CorpusWriter
from mesm.errors import BackendUnavailable, DataError
from tests.data.made_samples import assert_same, make_sample

BUCKET = "memory://bucket/some corpus"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("corpora") / "tiny"
    with CorpusWriter(out, "tiny", ("fear",), shard_clips=40) as writer:
        for i in range(44):
            split = "train" if i % 2 else "test"
            labels = {"fear": float(i % 3)}
            writer.add(make_sample(f"c{i}", seed=i, frames=12, chunks=6, labels=labels, split=split, media="c.mp4"))
    (out / "c.mp4").write_bytes(b"x")
    return out


@pytest.fixture
def bucket(folder: Path) -> Iterator[str]:
    storage = fsspec.filesystem("memory")
    storage.put(str(folder), "/bucket/some corpus", recursive=True)
    yield BUCKET
    storage.rm("/bucket", recursive=True)


def test_it_reads_like_a_folder(folder: Path, bucket: str) -> None:
    here, remote = Corpus(folder), Corpus(bucket)
    assert str(remote.folder) == bucket and remote.index == here.index and remote.manifest == here.manifest
    remote.verify()
    for clip_id in ("c0", "c17", "c43"):
        assert_same(remote[clip_id], here[clip_id])
    loaders = [
        SplitLoader(corpus, "train", ("fear",), batch_size=8, shuffle=True, cache_bytes=0) for corpus in (here, remote)
    ]
    for one, other in zip(*(loader.epoch(1) for loader in loaders), strict=True):
        assert one.clip_ids == other.clip_ids and torch.equal(one.faces, other.faces)
        assert torch.equal(one.mels, other.mels)
    assert audit_splits(remote).clips == {"train": 22, "test": 22}
    assert here.media_path("c0") and remote.media_path("c0") is None, "previews stay where they are"


def test_by_its_url_wherever_a_corpus_is_named(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESM_HOME", str(tmp_path))
    corpus = open_corpus(f"{bucket}/")
    assert len(corpus) == 44 and str(corpus.folder) == bucket
    assert feature_folder(corpus).is_relative_to(tmp_path), "what is computed of it is kept here"
    assert main(["corpus", "split", bucket, str(tmp_path / "anew"), "--splits", "random"]) == 0
    np.testing.assert_array_equal(Corpus(tmp_path / "anew")["c5"].faces, corpus["c5"].faces)


class _Counted:
    """A file that counts the bytes that are read of it."""

    def __init__(self, file: Any, read: list[int]) -> None:
        self._file, self._read = file, read

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._read.append(len(data))
        return data

    def __enter__(self) -> _Counted:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def test_only_what_is_asked_for_travels(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    plain = RemotePath.open
    monkeypatch.setattr(RemotePath, "open", lambda self, mode="rb": _Counted(plain(self, mode), read))
    corpus = Corpus(f"file://{folder}")
    whole = sum((folder / shard.file).stat().st_size for shard in corpus.manifest.shards)
    assert len(corpus.index) == 44
    indexed = sum(read)
    assert corpus.read("c21", full=False).clip_id == "c21"
    assert 0 < indexed < whole / 5 and sum(read) - indexed < whole / 5
    read.clear()
    assert corpus.read("c22", full=False).clip_id == "c22" and not read, "its group is at hand"


def test_what_goes_wrong_is_a_sentence(folder: Path, bucket: str, tmp_path: Path) -> None:
    corpus = Corpus(bucket)
    fsspec.filesystem("memory").rm("/bucket/some corpus/shard-00001.parquet")
    with pytest.raises(DataError, match=r"memory://bucket/some corpus/shard-00001.parquet is missing"):
        _ = corpus.index
    with pytest.raises(DataError, match="is no corpus"):
        Manifest.read("memory://bucket/other")
    with pytest.raises(DataError, match=r"nosuch://bucket/manifest.json cannot be reached .*nosuch"):
        Corpus("nosuch://bucket")
    if importlib.util.find_spec("s3fs") is None:
        with pytest.raises(BackendUnavailable, match=r"s3://bucket/manifest.json needs a package .*s3fs"):
            open_corpus("s3://bucket")
    with pytest.raises(DataError, match="corpora are written to a folder; copy it there"):
        CorpusWriter("memory://bucket/new", "tiny")
    assert main(["corpus", "split", str(folder), "memory://bucket/new", "--splits", "random"]) == 2
