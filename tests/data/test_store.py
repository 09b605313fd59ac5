"""What goes in comes out; interrupted and damaged corpora."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesm.batch import Sample
from mesm.data.manifest import Manifest
from mesm.data.parquet_schema import ARRAYS
from mesm.data.store import GROUP_CLIPS, Corpus, CorpusWriter
from mesm.errors import DataError
from tests.data.made_samples import LABELS, assert_same, make_sample, samples


def store(folder: Path, clips: list[Sample], **options: object) -> Corpus:
    with CorpusWriter(folder, "tiny", LABELS, **options) as writer:  # type: ignore[arg-type]
        for clip in clips:
            writer.add(clip)
    return Corpus(folder)


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


@settings(max_examples=25, deadline=None)
@given(st.lists(samples, min_size=1, max_size=7), st.integers(1, 4))
def test_round_trip(clips: list[Sample], shard_clips: int) -> None:
    clips = [replace(clip, clip_id=f"clip {i}") for i, clip in enumerate(clips)]
    with tempfile.TemporaryDirectory() as folder:
        corpus = store(Path(folder), clips, shard_clips=shard_clips)
        corpus.verify()
        assert len(corpus) == len(clips) and corpus.labels == LABELS and corpus.name == "tiny"
        for clip, row, again in zip(clips, corpus.index, corpus.iterate(), strict=True):
            assert_same(clip, again)
            assert_same(clip, corpus[clip.clip_id])
            for key in ("clip_id", "split", "speaker", "text", "duration_s", "labels", "quality", "media"):
                assert getattr(row, key) == getattr(clip, key)
            assert (row.n_frames, row.n_chunks) == (len(clip.faces), len(clip.mel))
            light = corpus.read(clip.clip_id, full=False)
            assert light.truth is None and len(light.faces_large) == 0
            assert_same(replace(clip, truth=None, faces_large=light.faces_large), light)
        for split in {clip.split for clip in clips}:
            assert corpus.ids(split) == tuple(clip.clip_id for clip in clips if clip.split == split)
            assert corpus.manifest.splits[split] == len(corpus.ids(split))


def clips(number: int) -> list[Sample]:
    return [
        make_sample(f"c{i}", seed=i, frames=1, chunks=1, large_px=0, labels=dict.fromkeys(LABELS, i % 2), split="train")
        for i in range(number)
    ]


def test_a_passing_corpus_is_stored_uncompressed(tmp_path: Path) -> None:
    for compressed, codec in ((True, "ZSTD"), (False, "UNCOMPRESSED")):
        corpus = store(tmp_path / codec, clips(3), compressed=compressed)
        group = pq.ParquetFile(tmp_path / codec / "shard-00000.parquet").metadata.row_group(0)
        assert {group.column(i).compression for i in range(group.num_columns)} == {codec}
        corpus.verify()
        for clip, again in zip(clips(3), corpus.iterate(), strict=True):
            assert_same(clip, again)


def test_same_samples_same_bytes(tmp_path: Path) -> None:
    store(tmp_path / "a", clips(10), shard_clips=4)
    store(tmp_path / "b", clips(10), shard_clips=4)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert list(digests(tmp_path / "a")) == ["manifest.json", *(f"shard-0000{i}.parquet" for i in range(3))]


@pytest.mark.parametrize("stopped_after", [0, 3, 4, 9])
def test_a_second_run_goes_on(tmp_path: Path, stopped_after: int) -> None:
    whole = store(tmp_path / "whole", clips(10), shard_clips=4)
    with pytest.raises(KeyboardInterrupt), CorpusWriter(tmp_path / "cut", "tiny", LABELS, shard_clips=4) as writer:
        for clip in clips(stopped_after):
            writer.add(clip)
        raise KeyboardInterrupt
    stray = tmp_path / "cut" / f"shard-0000{stopped_after // 4}.parquet"
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"half a shard that never reached the manifest")
    with CorpusWriter(tmp_path / "cut", "tiny", LABELS, shard_clips=4) as writer:
        assert len(writer.stored) == stopped_after // 4 * 4
        for clip in clips(10):
            if clip.clip_id not in writer.stored:
                writer.add(clip)
    assert digests(tmp_path / "cut") == digests(tmp_path / "whole")
    assert whole.manifest.complete


def test_adding_to_a_complete_corpus(tmp_path: Path) -> None:
    store(tmp_path, clips(3))
    corpus = store(tmp_path, [replace(clip, clip_id=f"more {clip.clip_id}", speaker="B") for clip in clips(2)])
    assert corpus.ids() == ("c0", "c1", "c2", "more c0", "more c1")
    assert corpus.manifest.splits == {"train": 5} and corpus.manifest.speakers == {"train": ("B",)}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [({"name": "other"}, "another name"), ({"labels": ("anger",)}, "another labels"), ({"meta": {"seed": 2}}, "meta")],
)
def test_another_corpus_is_not_mixed_in(tmp_path: Path, change: dict[str, object], sentence: str) -> None:
    store(tmp_path, clips(1))
    with pytest.raises(DataError, match=sentence):
        CorpusWriter(tmp_path, **{"name": "tiny", "labels": LABELS, "meta": {}, **change})  # type: ignore[arg-type]


def test_clips_that_do_not_fit(tmp_path: Path) -> None:
    writer = CorpusWriter(tmp_path, "tiny", LABELS)
    writer.add(make_sample("a"))
    for clip, sentence in [
        (make_sample("a"), "already in"),
        (make_sample("b", labels={"joy": 1.0}), "they must agree"),
        (replace(make_sample("c"), face_boxes=np.zeros((2, 4), np.float32)), "face_boxes has shape"),
        (replace(make_sample("d"), face_times_s=np.full(3, 0.1)), "does not fit float32"),
        (replace(make_sample("e"), faces=np.full((3, 48, 48, 3), 256)), "does not fit uint8"),
    ]:
        with pytest.raises(DataError, match=sentence):
            writer.add(clip)
    assert writer.stored == {"a"}


def damaged(folder: Path, how: str) -> Path:
    path = folder / "shard-00001.parquet"
    content = bytearray(path.read_bytes())
    if how == "missing":
        path.unlink()
    elif how == "cut":
        path.write_bytes(content[:-40])
    elif how == "not parquet":
        path.write_bytes(b"hello")
    elif how == "flipped":
        content[len(content) // 4] ^= 1
        path.write_bytes(content)
    return path


@pytest.mark.parametrize("how", ["missing", "cut", "not parquet", "flipped"])
def test_a_damaged_shard_is_named(tmp_path: Path, how: str) -> None:
    good = store(tmp_path, clips(9), shard_clips=4)
    assert len(good.index) == 9
    damaged(tmp_path, how)
    with pytest.raises(DataError, match=r"shard-00001\.parquet"):
        Corpus(tmp_path).verify()
    with pytest.raises(DataError, match=r"shard-00001\.parquet"):
        CorpusWriter(tmp_path, "tiny", LABELS)
    with pytest.raises(DataError, match=r"shard-00001\.parquet"):
        for clip in good.iterate():
            assert clip.clip_id in good
    assert good["c0"].clip_id == "c0" and good["c8"].clip_id == "c8", "the other shards can still be read"


def test_a_shard_of_another_corpus(tmp_path: Path) -> None:
    store(tmp_path / "a", clips(3))
    store(tmp_path / "b", clips(2))
    (tmp_path / "a" / "shard-00000.parquet").write_bytes((tmp_path / "b" / "shard-00000.parquet").read_bytes())
    with pytest.raises(DataError, match="has 2 clips, the manifest has 3"):
        _ = Corpus(tmp_path / "a").index


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "is no corpus"),
        ("{", "damaged"),
        ("[]", "damaged"),
        ('{"schema": 99}', "schema 99"),
        ('{"schema": 1}', "damaged"),
    ],
)
def test_bad_manifests(tmp_path: Path, content: str | None, sentence: str) -> None:
    if content is not None:
        (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(DataError, match=sentence):
        Corpus(tmp_path)


def test_manifest_says_how_it_was_made(tmp_path: Path) -> None:
    store(tmp_path, clips(2), meta={"seed": 3})
    content = json.loads((tmp_path / "manifest.json").read_text())
    assert content["signal"]["frame_interval_ms"] == 500 and content["meta"] == {"seed": 3}
    assert content["versions"]["facenet-pytorch"] and content["complete"] is True
    assert Manifest.read(tmp_path).shards[0].rows == 2


def test_unknown_clip_and_stray_media(tmp_path: Path) -> None:
    (tmp_path.parent / "secret.mp4").write_bytes(b"x")
    corpus = store(
        tmp_path, [make_sample("a", media="../secret.mp4"), make_sample("b", media="b.mp4"), make_sample("c")]
    )
    with pytest.raises(DataError, match="has no clip 'z'"):
        corpus["z"]
    assert corpus.media_path("a") is None, "a corpus cannot point outside its folder"
    assert corpus.media_path("b") is None and corpus.media_path("c") is None
    (tmp_path / "b.mp4").write_bytes(b"x")
    assert corpus.media_path("b") == tmp_path / "b.mp4"


def test_reading_one_clip_reads_one_group(tmp_path: Path) -> None:
    corpus = store(tmp_path, clips(20), shard_clips=20)
    with pq.ParquetFile(tmp_path / "shard-00000.parquet") as parquet:
        assert parquet.num_row_groups == 20 // GROUP_CLIPS
    for clip_id in corpus.ids():
        corpus.read(clip_id, full=False)
    assert len(corpus._groups) <= 8


class _Watched(io.FileIO):
    """A file that notes the threads that read it."""

    threads: ClassVar[set[int]] = set()

    def read(self, size: int | None = -1) -> bytes:
        self.threads.add(threading.get_ident())
        return super().read(-1 if size is None else size)


def test_no_thread_of_arrow_holds_a_file_of_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a thread ends a process by an abort where the interpreter ends before it has let go of the file."""
    with CorpusWriter(tmp_path, "tiny", LABELS) as writer:
        for i in range(5):
            writer.add(make_sample(f"c{i}", seed=i, labels=dict.fromkeys(LABELS, 0.0)))
    corpus = Corpus(tmp_path)
    monkeypatch.setattr(Path, "open", lambda self, mode="r": _Watched(self, mode))
    assert len(corpus.index) == 5 and corpus["c4"].clip_id == "c4"
    assert _Watched.threads == {threading.get_ident()}


def test_other_tools_read_it(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    corpus = store(tmp_path / "corpus", clips(5), shard_clips=3)
    table = datasets.load_dataset(
        "parquet", data_files=str(tmp_path / "corpus" / "*.parquet"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert table["clip_id"][:] == list(corpus.ids())
    row = table[3]
    assert row["labels"] == {"anger": 1.0, "fear": 1.0, "happiness": 1.0}
    dtype, shape = ARRAYS["faces"]
    np.testing.assert_array_equal(np.frombuffer(row["faces"], dtype).reshape(-1, *shape), corpus["c3"].faces)


def test_the_group_is_the_speaker_or_the_clip(tmp_path: Path) -> None:
    with CorpusWriter(tmp_path, "c") as writer:
        writer.add(make_sample("a", speaker="s1"))
        writer.add(make_sample("b"))
    corpus = Corpus(tmp_path)
    assert [row.group for row in corpus.index] == ["s1", "b"] == [sample.group for sample in corpus.iterate()]
