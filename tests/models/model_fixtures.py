"""Small models and batches of random clips."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
import torch

from mesm.batch import Batch, FeatureRows
from mesm.config import FeatureModelConfig, MESMConfig, ModelConfig

TINY = MESMConfig(
    width=0.125,
    text_dim=16,
    head_dim=32,
    transformer_dim=16,
    transformer_layers=1,
    transformer_feedforward=32,
    dropout=0.0,
)


#: Columns of the features in `random_batch`: text, visual, acoustic.
FEATURE_DIMS = (8, 5, 6)


def tiny(name: str, **changes: Any) -> ModelConfig:
    """`TINY` as another model; changes that this model has no setting for are left out."""
    config = TINY.as_model(name)
    if isinstance(config, FeatureModelConfig):
        changes = {"feature_dims": FEATURE_DIMS, **changes}
    return replace(
        config, **{key: value for key, value in changes.items() if key in {field.name for field in fields(config)}}
    )


def random_batch(face_counts: list[int], chunk_counts: list[int], seed: int = 0, text_dim: int = 16) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    clips = len(face_counts)
    # Rows of features per clip: words, action units twice a face, and three per chunk.
    counts = {
        "text": [2 + i % 3 for i in range(clips)],
        "visual": [2 * n for n in face_counts],
        "acoustic": [3 * n for n in chunk_counts],
    }
    return Batch(
        clip_ids=tuple(f"clip{i}" for i in range(clips)),
        has_text=torch.ones(clips, dtype=torch.bool),
        faces=torch.randint(0, 256, (sum(face_counts), 3, 48, 48), dtype=torch.uint8, generator=generator),
        face_counts=torch.tensor(face_counts),
        mels=2 * torch.randn(sum(chunk_counts), 1, 128, 32, generator=generator) - 2,
        chunk_counts=torch.tensor(chunk_counts),
        text_vectors=torch.randn(clips, text_dim, generator=generator),
        features=FeatureRows(
            {
                m: torch.randn(sum(counts[m]), dim, generator=generator)
                for m, dim in zip(counts, FEATURE_DIMS, strict=True)
            },
            {m: torch.tensor(n) for m, n in counts.items()},
        ),
    )


def member(batch: Batch, b: int) -> Batch:
    """The clip b of a batch as a batch of its own."""
    faces = batch.faces.split(batch.face_counts.tolist())[b]
    mels = batch.mels.split(batch.chunk_counts.tolist())[b]
    assert batch.text_vectors is not None and batch.features is not None
    one = slice(b, b + 1)
    rows = {m: v.split(batch.features.counts[m].tolist())[b] for m, v in batch.features.values.items()}
    features = FeatureRows(rows, {m: n[one] for m, n in batch.features.counts.items()})
    return replace(
        batch, clip_ids=batch.clip_ids[one], has_text=batch.has_text[one], faces=faces, face_counts=batch.face_counts[one],
        mels=mels, chunk_counts=batch.chunk_counts[one], text_vectors=batch.text_vectors[one],
        features=features,
    )  # fmt: skip


@pytest.fixture
def batch() -> Batch:
    return random_batch([2, 1, 3], [1, 3, 2])
