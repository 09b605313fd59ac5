"""Collate samples into batches of plain tensors, in an order that depends on the seed and the epoch only."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch

from mesm.batch import CHUNK_HOPS, FACE_SIZE_PX, MEL_BANDS, Batch, FeatureRows, Sample, query_text
from mesm.data.split_rows import split_rows
from mesm.data.store import Corpus, IndexRow
from mesm.errors import DataError
from mesm.vocabulary import MODALITIES

#: list of B texts -> (B, T) int64 token ids and (B, T) bool mask, True where a token is.
Tokenize = Callable[[list[str]], tuple[torch.Tensor, torch.Tensor]]
#: clip -> modality -> (rows, columns) hand-crafted features.
Features = Callable[[Sample], Mapping[str, np.ndarray]]
_FRAME_BYTES = FACE_SIZE_PX * FACE_SIZE_PX * 3
_CHUNK_BYTES = MEL_BANDS * 32 * 2
_AHEAD = 4


def collate(
    samples: Sequence[Sample],
    labels: Sequence[str],
    tokenize: Tokenize | None = None,
    text_vectors: Mapping[str, np.ndarray | torch.Tensor] | None = None,
    features: Features | None = None,
) -> Batch:
    """Lay clips one after the other.

    Args:
        samples: B clips.
        labels: emotion names in the order of the columns of `Batch.labels`.
        tokenize: fills `token_ids` and `token_mask`, from `query_text` of each clip.
        text_vectors: clip id -> (D,) vector of its text; fills `text_vectors`.
        features: fills `features`.

    Returns:
        A batch; `labels` is 1 where the intensity is above 0, and None when no clip is labelled.

    Raises:
        DataError: no clip, a label that a clip does not have, or labelled and unlabelled clips mixed.
    """
    if not samples:
        raise DataError("a batch needs at least one clip; the list is empty")
    ids = None if tokenize is None else tokenize([query_text(sample.text) for sample in samples])
    vectors = None if text_vectors is None else torch.stack([_vector(text_vectors, s.clip_id) for s in samples])
    faces = torch.from_numpy(np.concatenate([sample.faces for sample in samples]))
    mels = torch.from_numpy(np.concatenate([sample.mel for sample in samples]).astype(np.float32))
    return Batch(
        clip_ids=tuple(sample.clip_id for sample in samples),
        has_text=torch.tensor([bool(sample.text.strip()) for sample in samples]),
        faces=faces.permute(0, 3, 1, 2).contiguous(),
        face_counts=torch.tensor([len(sample.faces) for sample in samples]),
        mels=mels.unsqueeze(1),
        chunk_counts=torch.tensor([len(sample.mel) for sample in samples]),
        token_ids=None if ids is None else ids[0],
        token_mask=None if ids is None else ids[1],
        text_vectors=vectors,
        labels=_targets(samples, labels),
        features=None if features is None else _feature_rows([features(sample) for sample in samples]),
    )


def _feature_rows(clip_features: Sequence[Mapping[str, np.ndarray]]) -> FeatureRows:
    return FeatureRows(
        {m: torch.from_numpy(np.concatenate([each[m] for each in clip_features])) for m in clip_features[0]},
        {m: torch.tensor([len(each[m]) for each in clip_features]) for m in clip_features[0]},
    )


def _vector(vectors: Mapping[str, np.ndarray | torch.Tensor], clip_id: str) -> torch.Tensor:
    if clip_id not in vectors:
        raise DataError(f"no text vector for clip {clip_id!r}; compute one for every clip of the corpus")
    return torch.as_tensor(vectors[clip_id], dtype=torch.float32)


def _targets(samples: Sequence[Sample], labels: Sequence[str]) -> torch.Tensor | None:
    """Return (B, E) float32 0/1, or None."""
    unlabelled = [sample.clip_id for sample in samples if sample.labels is None]
    if len(unlabelled) == len(samples):
        return None
    if unlabelled:
        raise DataError(
            f"clip {unlabelled[0]!r} has no labels but others in the batch do; keep them in separate splits"
        )
    rows = []
    for sample in samples:
        known = sample.labels or {}
        missing = [name for name in labels if name not in known]
        if missing:
            raise DataError(
                f"clip {sample.clip_id!r} has no label {missing[0]!r}, only {', '.join(known)}; use the labels in common"
            )
        rows.append([float(known[name] > 0) for name in labels])
    return torch.tensor(rows, dtype=torch.float32)


class SplitLoader:
    """Yield the batches of one split, read ahead in the background.

        loader = SplitLoader(corpus, "train", corpus.labels, batch_size=16, seed=0, shuffle=True, tokenize=...)
        for batch in loader.epoch(3, start=40):   # goes on where an interrupted epoch 3 stopped
            ...

    The order of an epoch is a function of (seed, epoch), whatever was read before.
    """

    def __init__(
        self,
        corpus: Corpus,
        split: str | None,
        labels: Sequence[str],
        *,
        batch_size: int,
        seed: int = 0,
        shuffle: bool = False,
        tokenize: Tokenize | None = None,
        text_vectors: Mapping[str, np.ndarray | torch.Tensor] | None = None,
        features: Features | None = None,
        cache_bytes: int = 2**30,
        part: tuple[int, int] = (0, 1),
        limit: int = 0,
        modalities: Sequence[str] = MODALITIES,
    ) -> None:
        """Choose what to read.

        Args:
            corpus: where from.
            split: one of the corpus's splits, or None for every clip.
            labels: order of `Batch.labels`.
            batch_size: clips per batch; the last one may be smaller.
            seed: with the epoch, decides the order when `shuffle` is set; stored order otherwise.
            shuffle: whether to shuffle.
            tokenize: see `collate`.
            text_vectors: see `collate`.
            features: see `collate`; with them, faces and mels are not read and stay empty.
            cache_bytes: the split stays in memory after the first reading if it fits; 0 for never.
            part: (rank, processes): this process gets every n-th batch, all processes equally many.
            limit: use at most so many clips, the same ones whatever the seed; 0 for all.
            modalities: of the model; clips that have none of them are left out, and counted as `left_out`.
        """
        self.rows, self.left_out = split_rows(corpus, split, labels, modalities)
        if 0 < limit < len(self.rows):
            chosen = np.sort(np.random.default_rng(0).permutation(len(self.rows))[:limit])
            self.rows = tuple(self.rows[i] for i in chosen)
        if batch_size < 1:
            raise DataError(f"batch_size is {batch_size}; it must be at least 1")
        self.corpus, self.labels, self.batch_size = corpus, tuple(labels), batch_size
        self.seed, self.shuffle, self.part = seed, shuffle, part
        self.tokenize, self.text_vectors, self.features = tokenize, text_vectors, features
        size = sum(row.n_frames * _FRAME_BYTES + row.n_chunks * _CHUNK_BYTES for row in self.rows)
        self._cache: dict[str, Sample] | None = {} if size <= cache_bytes else None

    def __len__(self) -> int:
        """Count the batches of an epoch in this process."""
        batches = -(-len(self.rows) // self.batch_size)
        return -(-batches // self.part[1])

    def order(self, epoch: int) -> list[str]:
        """List all clip ids in the order of this epoch."""
        ids = [row.clip_id for row in self.rows]
        if not self.shuffle:
            return ids
        return [ids[i] for i in np.random.default_rng([self.seed, epoch]).permutation(len(ids))]

    def batches(self, epoch: int) -> list[list[str]]:
        """List the clip ids of each batch of this process."""
        order = self.order(epoch)
        every = [order[i : i + self.batch_size] for i in range(0, len(order), self.batch_size)]
        rank, processes = self.part
        # Processes step together, so the missing batches of the last round are those from the front again.
        return [every[i % len(every)] for i in range(rank, len(self) * processes, processes)]

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Yield batches `start`, `start + 1`, ... of an epoch. Leaving the loop early stops the reading ahead."""
        plan = self.batches(epoch)[start:]
        ready: queue.Queue[Batch | BaseException | None] = queue.Queue(maxsize=_AHEAD)
        stop = threading.Event()

        def put(item: Batch | BaseException | None) -> None:
            while not stop.is_set():
                try:
                    return ready.put(item, timeout=0.1)
                except queue.Full:
                    continue

        def read() -> None:
            try:
                for ids in plan:
                    if stop.is_set():
                        return
                    put(self._batch(ids))
                put(None)
            except BaseException as error:  # handed to the reader of the loop, who raises it
                put(error)

        reader = threading.Thread(target=read, daemon=True, name="mesm-loader")
        reader.start()
        try:
            while (item := ready.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            stop.set()
            reader.join()

    def __iter__(self) -> Iterator[Batch]:
        return self.epoch(0)

    def _batch(self, ids: Sequence[str]) -> Batch:
        samples = [self._sample(clip_id) for clip_id in ids]
        return collate(samples, self.labels, self.tokenize, self.text_vectors, self.features)

    def _sample(self, clip_id: str) -> Sample:
        if self.features is not None:
            return _without_segments(self.corpus.row(clip_id))
        if self._cache is None:
            return self.corpus.read(clip_id, full=False)
        if clip_id not in self._cache:
            self._cache[clip_id] = self.corpus.read(clip_id, full=False)
        return self._cache[clip_id]


def _without_segments(row: IndexRow) -> Sample:
    """Return a clip from the index alone: text and labels, without faces and mel."""
    nothing = np.zeros((0, FACE_SIZE_PX, FACE_SIZE_PX, 3), np.uint8), np.zeros((0, MEL_BANDS, CHUNK_HOPS), np.float16)
    return Sample(row.clip_id, row.text, *nothing, row.duration_s, labels=row.labels)
