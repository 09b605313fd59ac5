"""A small corpus whose emotions can be learned: each label tints the faces, lifts some mel bands, and names a word."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np

from mesm.batch import Sample, Truth
from mesm.data.store import CorpusWriter
from mesm.vocabulary import CORPUS_LABELS

LABELS = CORPUS_LABELS["mosei"]


def tinted_sample(clip_id: str, labels: np.ndarray, split: str, rng: np.random.Generator) -> Sample:
    faces = rng.integers(0, 80, (2, 48, 48, 3), dtype=np.uint8)
    mel = rng.normal(-3, 0.5, (2, 128, 32)).astype(np.float16)
    for e in np.flatnonzero(labels):
        faces[:, 8 * e : 8 * e + 8] += np.uint8(120)
        mel[:, 20 * e : 20 * e + 20] += np.float16(3)
    said = " ".join(LABELS[e] for e in np.flatnonzero(labels)) or "nothing"
    return Sample(
        clip_id=clip_id,
        text=f"I feel {said} today",
        faces=faces,
        mel=mel,
        duration_s=1.0,
        face_times_s=np.array([0, 0.5], np.float32),
        face_boxes=np.zeros((2, 4), np.float32),
        face_found=np.ones(2, bool),
        labels={name: float(v) for name, v in zip(LABELS, labels, strict=True)},
        speaker=f"{split}-{clip_id[-1]}",
        split=split,
    )


def text_truth(labels: np.ndarray) -> Truth:
    """Truth that knows which emotions the text names; the first face's brow moves, the second's mouth is too weak."""
    named = {LABELS[e]: 1.0 for e in np.flatnonzero(labels)}
    regions = np.zeros((2, 2, 48, 48), np.uint8)
    regions[:, 0, 6:18, 8:40] = 255
    regions[:, 1, 32:42, 14:34] = 255
    return Truth(
        au_numbers=(1, 12),
        au_intensity=np.zeros((2, 2), np.float32),
        au_emotion_intensity=np.array([[0.8, 0.1], [0.0, 0.1]], np.float32),
        au_region=regions,
        head=np.zeros((2, 48, 48), np.uint8),
        landmarks=np.zeros((2, 68, 2), np.float32),
        pose=np.zeros((2, 3), np.float32),
        informative={"text": True},
        displays={"text": named},
    )


def tinted_corpus(
    folder: Path, train: int = 24, valid: int = 12, test: int = 12, *, truth: bool = False, neutral_faces: bool = False
) -> Path:
    rng = np.random.default_rng(0)
    capabilities = [*(["action_units", "regions"] if truth else []), *(["neutral_faces"] if neutral_faces else [])]
    with CorpusWriter(folder, "tinted", LABELS, capabilities=capabilities) as writer:
        for split, number in (("train", train), ("valid", valid), ("test", test)):
            for i in range(number):
                labels = (rng.random(6) < 0.3).astype(int)
                labels[i % 6] = 1
                labels[(i + 1) % 6] = 0
                sample = tinted_sample(f"{split}{i:02d}", labels, split, rng)
                writer.add(replace(sample, truth=text_truth(labels)) if truth else sample)
    return folder


def write_neutral_faces(folder: Path, count: int = 8) -> None:
    """Put random neutral faces with random regions beside a corpus."""
    rng = np.random.default_rng(0)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        image=rng.integers(0, 255, (count, 48, 48, 3), dtype=np.uint8),
        region=rng.integers(0, 255, (count, 6, 48, 48), dtype=np.uint8),
        head=np.full((count, 48, 48), 255, np.uint8),
        speaker=np.array(["a"] * count),
    )
    (folder / "neutral_faces.npz").write_bytes(buffer.getvalue())
