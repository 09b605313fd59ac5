"""Batches: their content, their order, and going on in the middle."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mesm.batch import Batch
from mesm.data.loading import SplitLoader, collate
from mesm.data.store import Corpus, CorpusWriter
from mesm.errors import DataError
from tests.data.made_samples import LABELS, make_sample


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("corpus")
    with CorpusWriter(folder, "tiny", LABELS, shard_clips=8) as writer:
        for i in range(23):
            writer.add(
                make_sample(
                    f"c{i:02d}",
                    seed=i,
                    frames=i % 3,
                    chunks=(i + 1) % 3,
                    split="train" if i < 20 else "test",
                    labels={"anger": float(i % 2), "fear": 0.0, "happiness": 2.5},
                )
            )
    return Corpus(folder)


def words(texts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
    lengths = [len(text.split()) for text in texts]
    mask = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
    return mask.long(), mask


def same(a: Batch, b: Batch) -> bool:
    return a.clip_ids == b.clip_ids and all(
        torch.equal(x, y) if isinstance(x, torch.Tensor) else x == y
        for x, y in zip(vars(a).values(), vars(b).values(), strict=True)
    )


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=4))
def test_a_batch_is_its_clips_one_after_the_other(sizes: list[tuple[int, int]]) -> None:
    clips = [
        make_sample(f"{i}", seed=i, frames=f, chunks=c, text="a b" * (i % 2), labels={"anger": i / 2, "fear": 0.0})
        for i, (f, c) in enumerate(sizes)
    ]
    vectors = {clip.clip_id: np.full(5, i, np.float64) for i, clip in enumerate(clips)}
    batch = collate(clips, ("fear", "anger"), text_vectors=vectors)
    assert len(batch) == len(clips) and batch.clip_ids == tuple(vectors)
    assert batch.faces.dtype == torch.uint8 and batch.faces.shape[1:] == (3, 48, 48)
    assert batch.mels.dtype == torch.float32 and batch.mels.shape[1:] == (1, 128, 32)
    faces = batch.faces.split(batch.face_counts.tolist())
    mels = batch.mels.split(batch.chunk_counts.tolist())
    for i, clip in enumerate(clips):
        np.testing.assert_array_equal(faces[i].permute(0, 2, 3, 1), clip.faces)
        np.testing.assert_array_equal(mels[i][:, 0], clip.mel.astype(np.float32))
    assert batch.labels is not None and batch.text_vectors is not None
    assert batch.labels.tolist() == [[0.0, float(i > 0)] for i in range(len(clips))]
    assert batch.text_vectors[:, 0].tolist() == list(range(len(clips)))
    assert batch.has_text.tolist() == [bool(i % 2) for i in range(len(clips))]


def test_tokens_and_no_labels() -> None:
    batch = collate([make_sample("a", text="x y z"), make_sample("b", text="x")], LABELS, tokenize=words)
    assert batch.labels is None and batch.text_vectors is None
    assert batch.token_mask is not None and batch.token_mask.sum(1).tolist() == [3, 1]


@pytest.mark.parametrize(
    ("clips", "sentence"),
    [
        ([], "at least one clip"),
        ([make_sample("a", labels={"anger": 1.0}), make_sample("b")], "'b' has no labels"),
        ([make_sample("a", labels={"anger": 1.0})], "no label 'fear', only anger"),
    ],
)
def test_what_cannot_be_a_batch(clips: list, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        collate(clips, ("anger", "fear"))
    with pytest.raises(DataError, match="no text vector"):
        collate([make_sample("a")], (), text_vectors={})


def loader(corpus: Corpus, **options: object) -> SplitLoader:
    return SplitLoader(corpus, "train", LABELS, **{"batch_size": 6, "shuffle": True, **options})  # type: ignore[arg-type]


def test_every_clip_once_in_an_order_of_seed_and_epoch(corpus: Corpus) -> None:
    one = loader(corpus, seed=3)
    epochs = [[i for batch in one.epoch(e) for i in batch.clip_ids] for e in range(3)]
    assert all(sorted(ids) == sorted(corpus.ids("train")) for ids in epochs)
    assert epochs[0] != epochs[1] != epochs[2] != list(corpus.ids("train"))
    other = loader(corpus, seed=3, cache_bytes=0)
    assert [i for batch in other.epoch(2) for i in batch.clip_ids] == epochs[2], "whatever was read before"
    assert loader(corpus, seed=4).order(2) != epochs[2]
    assert len(one) == 4 and loader(corpus, shuffle=False).order(5) == list(corpus.ids("train"))


@pytest.mark.parametrize("cache_bytes", [0, 2**30])
def test_going_on_in_the_middle(corpus: Corpus, cache_bytes: int) -> None:
    whole = list(loader(corpus, seed=1, cache_bytes=cache_bytes).epoch(7))
    rest = list(loader(corpus, seed=1, cache_bytes=cache_bytes).epoch(7, start=2))
    assert len(rest) == 2 and all(same(a, b) for a, b in zip(whole[2:], rest, strict=True))
    assert whole[0].labels is not None and torch.equal(whole[0].labels[:, 2], torch.ones(6))


def test_second_epoch_comes_from_memory(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    one = loader(corpus)
    list(one.epoch(0))
    monkeypatch.setattr(Corpus, "read", lambda *_, **__: pytest.fail("read from disk again"))
    assert len(list(one.epoch(1))) == 4


def test_processes_share_the_batches(corpus: Corpus) -> None:
    whole = loader(corpus, batch_size=3).batches(0)
    parts = [loader(corpus, batch_size=3, part=(rank, 2)).batches(0) for rank in range(2)]
    assert len(parts[0]) == len(parts[1]) == 4
    assert [batch for pair in zip(*parts, strict=True) for batch in pair] == [*whole, whole[0]]


def test_leaving_early_and_errors_end_the_reading(corpus: Corpus) -> None:
    for _ in loader(corpus, batch_size=1).epoch(0):
        break

    def broken(texts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        raise DataError("the tokenizer gave up")

    with pytest.raises(DataError, match="gave up"):
        list(loader(corpus, tokenize=broken))
    assert not [t for t in threading.enumerate() if t.name == "mesm-loader"]


def test_what_cannot_be_loaded(corpus: Corpus) -> None:
    with pytest.raises(DataError, match=r"no clips in split 'dev'; it has test, train"):
        SplitLoader(corpus, "dev", LABELS, batch_size=2)
    with pytest.raises(DataError, match="no label 'joy', only anger, fear, happiness"):
        SplitLoader(corpus, "train", ["joy"], batch_size=2)
    with pytest.raises(DataError, match="batch_size is 0"):
        SplitLoader(corpus, None, LABELS, batch_size=0)
