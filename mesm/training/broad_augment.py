"""Augment a batch for data of other cameras, rooms and recorders: the broad form of `augment`.

Faces: torchvision's transforms in the usual form for faces, one draw per clip, since a clip is one shot. Voices: gain,
noise, reverberation, frequency response and masks on the log mel, which is what a corpus stores; pitch and tempo are
left alone, since they carry emotion.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from mesm.batch import Batch

#: Geometry of a face, which its regions follow: crops of other detectors, heads that are not upright.
_GEOMETRY = v2.Compose(
    [
        v2.RandomHorizontalFlip(),
        v2.RandomAffine(
            degrees=12, translate=(0.07, 0.07), scale=(0.85, 1.25), shear=5, interpolation=v2.InterpolationMode.BILINEAR
        ),
    ]
)
#: Light, colour, optics and compression, on uint8 pictures.
_APPEARANCE = v2.Compose(
    [
        v2.RandomGrayscale(0.3),
        v2.RandomApply([v2.ColorJitter(brightness=0.5, contrast=0.5, saturation=0.5, hue=0.05)], 0.8),
        v2.RandomApply([v2.GaussianBlur(5, sigma=(0.2, 1.5))], 0.25),
        v2.RandomApply([v2.JPEG((20, 80))], 0.2),
        v2.RandomErasing(0.2, scale=(0.02, 0.12), value=110),
    ]
)
_LOW_RESOLUTION_PX = (16, 40)
#: Standard deviations and chances on the log10 scale of the mel power; 1 dB is 0.1.
_GAIN, _TILT, _RIPPLE = 1.0, 0.3, 0.15
_NOISE_CHANCE, _ROOM_CHANCE, _BAND_LIMIT_CHANCE = 0.5, 0.3, 0.25


def broad_augment(
    batch: Batch, generator: torch.Generator, regions_SRHW: Tensor | None = None
) -> tuple[Batch, Tensor | None]:
    """Change geometry, light, colour and optics of the faces, and level, noise, room and response of the voices.

    Args:
        batch: raw faces and log mels.
        generator: source of the random numbers.
        regions_SRHW: (S, R, 48, 48) regions on the batch's faces, or None; they move with the faces.

    Returns:
        The batch and the regions.
    """
    seed = int(torch.randint(0, 2**31, (1,), generator=generator))
    with torch.random.fork_rng(devices=[]):  # torchvision draws from the global generator
        torch.manual_seed(seed)
        faces, regions = _faces(batch.faces, batch.face_counts, regions_SRHW)
    return replace(batch, faces=faces, mels=_mels(batch.mels, batch.chunk_counts, generator)), regions


def _faces(faces_SCHW: Tensor, counts_B: Tensor, regions_SRHW: Tensor | None) -> tuple[Tensor, Tensor | None]:
    counts, clips = counts_B.tolist(), []
    moved: list[Tensor] = []
    regions = [None] * len(counts) if regions_SRHW is None else list(regions_SRHW.split(counts))
    for face_SCHW, region_SRHW in zip(faces_SCHW.split(counts), regions, strict=True):
        if not len(face_SCHW):
            continue
        picture = tv_tensors.Image(face_SCHW.to(torch.uint8))
        if region_SRHW is None:
            picture = _GEOMETRY(picture)
        else:
            picture, region = _GEOMETRY(picture, tv_tensors.Image(region_SRHW))
            moved.append(region.as_subclass(Tensor))
        picture = _with_noise(_low_resolution(_APPEARANCE(picture).as_subclass(Tensor).float()))
        clips.append(picture.clamp(0, 255))
    return torch.cat(clips) if clips else faces_SCHW, torch.cat(moved) if moved else regions_SRHW


def _low_resolution(faces_SCHW: Tensor) -> Tensor:
    if float(torch.rand(1)) >= 0.25:
        return faces_SCHW
    size = int(torch.randint(*_LOW_RESOLUTION_PX, (1,)))
    small = v2.functional.resize(faces_SCHW, [size, size], antialias=True)
    return v2.functional.resize(small, list(faces_SCHW.shape[2:]), antialias=True)


def _with_noise(faces_SCHW: Tensor) -> Tensor:
    strength = 10 * float(torch.rand(1)) if float(torch.rand(1)) < 0.3 else 0.0
    return faces_SCHW + strength * torch.randn_like(faces_SCHW)


def _mels(mels_SCHW: Tensor, counts_B: Tensor, generator: torch.Generator) -> Tensor:
    if not len(mels_SCHW):
        return mels_SCHW
    clips = mels_SCHW.split(counts_B.tolist())
    return torch.cat([_voice(clip, generator) if len(clip) else clip for clip in clips])


def _voice(mel_SCHW: Tensor, generator: torch.Generator) -> Tensor:
    """Change one clip's (S, 1, bands, hops) log10 mel power."""

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand(1, generator=generator))

    def chance(share: float) -> bool:
        return uniform(0, 1) < share

    count, _, bands, hops = mel_SCHW.shape
    x_TF = mel_SCHW[:, 0].permute(0, 2, 1).reshape(count * hops, bands)
    top = float(x_TF.max())
    if chance(_ROOM_CHANCE):
        x_TF = _reverberate(x_TF, 10 ** -uniform(0.15, 0.6))
    frequency_F = torch.linspace(-1, 1, bands)
    response_F = _TILT * float(torch.randn(1, generator=generator)) * frequency_F
    phase = uniform(0, 6.3)
    response_F = response_F + _RIPPLE * torch.sin(frequency_F * uniform(2, 9) + phase)
    if chance(_BAND_LIMIT_CHANCE):
        edge = int(uniform(0.55, 0.9) * bands)
        response_F[edge:] -= torch.linspace(0, 4, bands - edge)
    x_TF = x_TF + response_F
    if chance(_NOISE_CHANCE):
        slope = uniform(-1.0, 0.3) * frequency_F
        noise_F = top - uniform(1.5, 4.5) + slope
        flutter = 0.15 * torch.randn(x_TF.shape, generator=generator)
        x_TF = torch.logaddexp(x_TF * _LN10, (noise_F + flutter) * _LN10) / _LN10
    x_TF = x_TF + _GAIN * float(torch.randn(1, generator=generator))
    mean = x_TF.mean()
    start, width = int(uniform(0, bands - 12)), int(uniform(0, 13))
    x_TF = x_TF.index_fill(1, torch.arange(start, start + width), float(mean))
    if len(x_TF) > 40:
        start, width = int(uniform(0, len(x_TF) - 12)), int(uniform(0, 13))
        x_TF = x_TF.index_fill(0, torch.arange(start, start + width), float(mean))
    return x_TF.reshape(count, hops, bands).permute(0, 2, 1).unsqueeze(1)


_LN10 = 2.302585


def _reverberate(x_TF: Tensor, decay: float) -> Tensor:
    """Add the room's tail: power that falls by `decay` per hop, over 12 hops."""
    power = torch.pow(10.0, x_TF)
    tail = sum(
        decay**k * torch.cat([power.new_zeros(k, power.shape[1]), power[: len(power) - k]])
        for k in range(1, min(12, len(power)))
    )
    return torch.log10(power + tail)
