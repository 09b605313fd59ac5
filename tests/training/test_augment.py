"""Augmentation: each part acts, and regions move exactly as their faces."""

from __future__ import annotations

import torch

from mesm.batch import Batch
from mesm.training.augment import augment


def batch_of(faces: torch.Tensor, mels: torch.Tensor) -> Batch:
    """One clip per face and mel chunk."""
    count = len(faces)
    ones = torch.ones(count, dtype=torch.long)
    return Batch(
        clip_ids=tuple(map(str, range(count))), has_text=ones.bool(), faces=faces, face_counts=ones, mels=mels,
        chunk_counts=ones,
    )  # fmt: skip


def test_faces_are_flipped_and_shifted_and_the_regions_with_them() -> None:
    ramp = torch.arange(48.0).expand(40, 3, 48, 48).contiguous() + 100  # brighter to the right
    batch = batch_of(ramp, torch.zeros(40, 1, 128, 32))
    out, regions = augment(batch, torch.Generator().manual_seed(0), ramp[:, :1] - 100)
    assert regions is not None
    rising = regions[:, 0, 24, 40] > regions[:, 0, 24, 8]
    assert 8 < int(rising.sum()) < 32, "about half of them are flipped"
    brighter = out.faces[:, 0, 24, 40] > out.faces[:, 0, 24, 8]
    assert torch.equal(rising, brighter)
    assert set((regions[rising][:, 0, 24, 24] - 24).int().tolist()) == {-2, -1, 0, 1, 2}


def test_brightness_and_contrast_vary_by_clip() -> None:
    faces = torch.full((200, 3, 48, 48), 100.0)
    faces[..., 24:] = 140.0
    out, _ = augment(batch_of(faces, torch.zeros(200, 1, 128, 32)), torch.Generator().manual_seed(0))
    brightness = out.faces.mean((1, 2, 3)) - 120
    assert 20 < float(brightness.std()) < 30 and abs(float(brightness.mean())) < 6
    contrast = (out.faces.amax((1, 2, 3)) - out.faces.amin((1, 2, 3))) / 40
    assert 0.12 < float(contrast.std()) < 0.18 and 0.95 < float(contrast.mean()) < 1.05


def test_mels_get_a_gain_and_a_masked_band() -> None:
    generator = torch.Generator().manual_seed(1)
    mels = torch.randn(300, 1, 128, 32, generator=generator)
    out, _ = augment(batch_of(torch.zeros(300, 3, 48, 48), mels), torch.Generator().manual_seed(0))
    masked = (out.mels[:, 0].std(2) < 1e-4).sum(1)  # bands that are constant over time
    assert set(masked.tolist()) == set(range(9)), "0 to 8 bands"
    gain = (out.mels - mels)[:, 0, :, 0].median(1).values
    assert 0.08 < float(gain.std()) < 0.12, "1 dB of log10 power is 0.1"
