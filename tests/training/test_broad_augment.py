"""Broad augmentation: each part acts, a clip is one shot, and regions move as their faces."""

from __future__ import annotations

import torch

from mesm.batch import Batch
from mesm.training import broad_augment as broad
from mesm.training.broad_augment import broad_augment


def batch_of(faces: torch.Tensor, mels: torch.Tensor, per_clip: int = 1) -> Batch:
    clips = len(faces) // per_clip
    counts = torch.full((clips,), per_clip)
    return Batch(
        clip_ids=tuple(map(str, range(clips))), has_text=torch.ones(clips).bool(), faces=faces, face_counts=counts,
        mels=mels, chunk_counts=counts,
    )  # fmt: skip


def dots(count: int) -> torch.Tensor:
    """A bright square on grey, in each face."""
    faces = torch.full((count, 3, 48, 48), 110, dtype=torch.uint8)
    faces[:, :, 14:24, 28:38] = 230
    return faces


def centre(maps_SHW: torch.Tensor) -> torch.Tensor:
    """Centre of mass in pixels: (S, 2)."""
    grid = torch.arange(48.0)
    total = maps_SHW.sum((1, 2))
    return torch.stack([(maps_SHW.sum(2) * grid).sum(1) / total, (maps_SHW.sum(1) * grid).sum(1) / total], 1)


def test_regions_follow_their_faces() -> None:
    faces = dots(60)
    regions = (faces[:, :1] > 200).float()
    out, moved = broad_augment(batch_of(faces, torch.zeros(60, 1, 128, 32)), torch.Generator().manual_seed(0), regions)
    assert moved is not None
    bright = out.faces.mean(1)
    contrast = bright.amax((1, 2)) - bright.median(2).values.median(1).values
    visible = contrast > 40  # neither occluded nor without contrast
    mask = (bright > (bright.amax((1, 2)) - contrast / 2)[:, None, None]).float()[visible]
    gap = (centre(mask) - centre(moved[visible, 0])).norm(dim=1)
    assert int(visible.sum()) > 25 and float(gap.median()) < 1.0
    assert float((centre(moved[:, 0]) - centre(regions[:, 0])).norm(dim=1).std()) > 1, "faces move"


def test_a_clip_is_one_shot_and_clips_differ() -> None:
    out, _ = broad_augment(batch_of(dots(40), torch.zeros(40, 1, 128, 32), 4), torch.Generator().manual_seed(3))
    clips = out.faces.reshape(10, 4, 3, 48, 48)
    centres = torch.stack([centre((clip.mean(1) - 110).abs()) for clip in clips])
    assert float(centres.std(1).median()) < 0.7 < float(centres.mean(1).std(0).min())


def test_some_faces_are_grey_and_none_leaves_the_range() -> None:
    faces = torch.randint(0, 256, (200, 3, 48, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    out, _ = broad_augment(batch_of(faces, torch.zeros(200, 1, 128, 32)), torch.Generator().manual_seed(0))
    assert float(out.faces.min()) >= 0 and float(out.faces.max()) <= 255
    spread = out.faces.std(1).mean((1, 2))
    assert 0.2 < float((spread < 12).float().mean()) < 0.5


def test_level_noise_and_response_of_voices_vary() -> None:
    generator = torch.Generator().manual_seed(1)
    mels = torch.randn(120, 1, 128, 32, generator=generator) - 3
    mels[:, :, :, :16] -= 4  # half of each chunk is quiet
    out, _ = broad_augment(
        batch_of(torch.zeros(120, 3, 48, 48), mels), torch.Generator().manual_seed(0), keep_places=True
    )
    gain = (out.mels - mels)[:, 0, :, 16:].median(2).values.median(1).values
    assert 0.7 < float(gain.std()) < 1.3
    quiet = (out.mels[:, 0, :, :16].mean((1, 2)) - gain) - mels[:, 0, :, :16].mean((1, 2))
    assert 0.2 < float((quiet > 0.5).float().mean()) < 0.9, "noise and rooms fill the pauses of some clips"
    assert torch.isfinite(out.mels).all()


def test_the_generator_decides_and_the_global_one_is_left_alone() -> None:
    batch = batch_of(dots(8), torch.randn(8, 1, 128, 32))
    before = torch.random.get_rng_state()
    first, _ = broad_augment(batch, torch.Generator().manual_seed(5))
    assert torch.equal(torch.random.get_rng_state(), before)
    again, _ = broad_augment(batch, torch.Generator().manual_seed(5))
    other, _ = broad_augment(batch, torch.Generator().manual_seed(6))
    assert torch.equal(first.faces, again.faces) and torch.equal(first.mels, again.mels)
    assert not torch.equal(first.faces, other.faces) and not torch.equal(first.mels, other.mels)


def test_clips_without_faces_or_voice_pass() -> None:
    batch = batch_of(torch.zeros(0, 3, 48, 48), torch.zeros(0, 1, 128, 32))
    out, regions = broad_augment(batch, torch.Generator().manual_seed(0), None)
    assert not len(out.faces) and not len(out.mels) and regions is None


def test_silence_around_the_speech_is_cut_from_most_clips() -> None:
    mels = torch.full((60, 1, 128, 32), -9.0)
    mels.view(10, 6, -1)[:, 2:4] = -2.0
    out, _ = broad_augment(batch_of(torch.zeros(60, 3, 48, 48), mels, 6), torch.Generator().manual_seed(0))
    cut = [count in (2, 3) for count in out.chunk_counts.tolist()]  # three where the tempo is slower
    assert 5 <= sum(cut) <= 9 and int(out.chunk_counts.sum()) == len(out.mels)
    assert all(5 <= count <= 7 for count, short in zip(out.chunk_counts.tolist(), cut, strict=True) if not short)
    whole, _ = broad_augment(
        batch_of(torch.zeros(60, 3, 48, 48), mels, 6), torch.Generator().manual_seed(0), keep_places=True
    )
    assert whole.chunk_counts.tolist() == [6] * 10


def test_the_mel_axis_and_the_time_are_stretched() -> None:
    x_TF = torch.zeros(100, 128)
    x_TF[60:, 50] = 1.0
    for tract, tempo in ((1.0, 1.0), (1.1, 0.9), (0.9, 1.12)):
        out = broad._stretch(x_TF, tract, tempo)
        assert out.shape == (round(100 * tempo), 128)
        assert int(out[-1].argmax()) == round(50 / tract), "a band lies at its place divided by the factor"
        assert abs(int((out.sum(1) > 0.25).nonzero()[0]) - 60 * tempo) <= 1
    assert torch.equal(broad._stretch(x_TF, 1.0, 1.0), x_TF)
    assert broad._stretch(x_TF[:1], 1.0, 0.5).shape == (1, 128), "a single hop stays"
