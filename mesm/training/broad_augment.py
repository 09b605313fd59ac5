"""Augment a batch for data of other cameras, rooms and recorders: the broad form of `augment`.

Faces: the usual changes of geometry, light, colour, optics and compression, one draw per clip, since a clip is one shot.
All clips of a batch are changed at once: torchvision's transforms, one call per clip, take twice the time of a training
step of a quarter-width network (9.8 against 1.3 ms a face on one core). Voices: the length of
the vocal tract, tempo, gain, noise, reverberation, frequency response and masks on the log mel, which is what a corpus
stores. Pitch and tempo carry emotion, but they differ more between speakers than between emotions: with the first two
changes a linear score of the voice's statistics reaches AUC .88 on actors that it never heard instead of .86, a hidden layer
.90 instead of .87 (benchmarks/README.md, People).
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from mesm.batch import MEL_FLOOR, Batch
from mesm.layers.padding import sound_columns
from mesm.layers.standardise import LUMA

#: Geometry: crops of other detectors, heads that are not upright. Largest turn and shear in degrees, shift as a share of
#: the crop, range of the scale.
_TURN_DEG, _SHEAR_DEG, _SHIFT, _SCALE = 12.0, 5.0, 0.07, (0.85, 1.25)
#: Light and colour: largest relative change of brightness, contrast, saturation, and of single channels.
_BRIGHTNESS, _CONTRAST, _SATURATION, _CAST = 0.5, 0.5, 0.5, 0.15
_GREY_CHANCE, _COLOUR_CHANCE = 0.3, 0.8
#: Optics and compression: side length of a low resolution, quality of JPEG, share and height of an occlusion.
_LOW_RESOLUTION_CHANCE, _LOW_RESOLUTION_PX = 0.35, (16, 40)
_JPEG_CHANCE, _JPEG_QUALITY = 0.15, (20, 80)
_OCCLUSION_CHANCE, _OCCLUSION_PX = 0.2, (8, 20)
_NOISE_FACE_CHANCE, _NOISE_FACE = 0.3, 10.0
#: Standard deviations and chances on the log10 scale of the mel power; 1 dB is 0.1.
_GAIN, _TILT, _RIPPLE = 1.0, 0.15, 0.1
#: Largest change of the mel axis (vocal tract length perturbation, Jaitly & Hinton 2013) and of the tempo, as exponents of e.
_TRACT, _TEMPO = 0.12, 0.15
_CUT_CHANCE, _SILENCE = 0.75, 3.5
_NOISE_CHANCE, _ROOM_CHANCE, _BAND_LIMIT_CHANCE = 0.35, 0.2, 0.15


def broad_augment(
    batch: Batch, generator: torch.Generator, regions_SRHW: Tensor | None = None, *, keep_places: bool = False
) -> tuple[Batch, Tensor | None]:
    """Change geometry, light, colour and optics of the faces, and vocal tract, tempo, level, noise, room and response of the
    voices; another tempo can make a clip a chunk longer or shorter.

    Args:
        batch: raw faces and log mels.
        generator: source of the random numbers.
        regions_SRHW: (S, R, 48, 48) regions on the batch's faces, or None; they move with the faces.
        keep_places: keep what lies in a cell of a mel there: no other vocal tract, no other tempo, and no silent chunks cut
            before and after the speech of most clips.

    Returns:
        The batch and the regions.
    """
    faces, regions = _faces(batch.faces.float(), batch.face_counts, regions_SRHW, generator)
    mels, chunk_counts = _mels(batch.mels, batch.chunk_counts, generator, keep_places)
    return replace(batch, faces=faces, mels=mels, chunk_counts=chunk_counts), regions


def _faces(
    faces_SCHW: Tensor, counts_B: Tensor, regions_SRHW: Tensor | None, generator: torch.Generator
) -> tuple[Tensor, Tensor | None]:
    if not len(faces_SCHW):
        return faces_SCHW, regions_SRHW
    clips = len(counts_B)
    clip_S = torch.arange(clips).repeat_interleave(counts_B)
    grid_SHW2 = F.affine_grid(_geometry(clips, generator), [clips, 1, *faces_SCHW.shape[2:]], align_corners=False)[
        clip_S
    ]
    light_B = _light(clips, generator)
    low_B = _chosen(_LOW_RESOLUTION_CHANCE, _LOW_RESOLUTION_PX, clips, generator)
    jpeg_B = _chosen(_JPEG_CHANCE, _JPEG_QUALITY, clips, generator)
    covered_BHW = _occlusion(clips, faces_SCHW.shape[2], generator)
    noise_B = _NOISE_FACE * torch.rand(clips, generator=generator)
    noise_B = noise_B * (torch.rand(clips, generator=generator) < _NOISE_FACE_CHANCE)
    faces = F.grid_sample(faces_SCHW, grid_SHW2, padding_mode="border", align_corners=False)
    brightness_S, contrast_S, saturation_S = (value_B[clip_S, None, None, None] for value_B in light_B[:-1])
    faces = _relight(faces, brightness_S, contrast_S, saturation_S, light_B[-1][clip_S])
    faces = _low_resolution(faces, low_B[clip_S])
    faces = torch.where(covered_BHW[clip_S, None], faces.new_tensor(110.0), faces)
    faces = _jpeg(faces, jpeg_B[clip_S])
    faces = faces + noise_B[clip_S, None, None, None] * torch.randn(faces.shape, generator=generator)
    if regions_SRHW is not None:
        regions_SRHW = F.grid_sample(regions_SRHW.float(), grid_SHW2, align_corners=False)
    return faces.clamp(0, 255), regions_SRHW


def _between(low: float, high: float, count: int, generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(count, generator=generator)


def _chosen(chance: float, bounds: tuple[int, int], clips: int, generator: torch.Generator) -> Tensor:
    """Draw (B,) integers in `bounds` for a share of the clips, 0 for the others."""
    value_B = torch.randint(bounds[0], bounds[1] + 1, (clips,), generator=generator)
    return value_B * (torch.rand(clips, generator=generator) < chance)


def _geometry(clips: int, generator: torch.Generator) -> Tensor:
    """Draw (B, 2, 3) affine maps from the crop's coordinates in [-1, 1] to the source's: flip, turn, shear, scale, shift."""
    turn, shear = (torch.deg2rad(_between(-most, most, clips, generator)) for most in (_TURN_DEG, _SHEAR_DEG))
    scale = _between(*_SCALE, clips, generator)
    flip = 1 - 2 * (torch.rand(clips, generator=generator) < 0.5).float()
    shift_B2 = 2 * _SHIFT * (2 * torch.rand(clips, 2, generator=generator) - 1)
    cos, sin = torch.cos(turn) / scale, torch.sin(turn) / scale
    across, down = cos + sin * torch.tan(shear), sin - cos * torch.tan(shear)
    return torch.stack([flip * across, -flip * sin, shift_B2[:, 0], down, cos, shift_B2[:, 1]], 1).view(clips, 2, 3)


def _light(clips: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Draw factors of (B,) brightness, contrast and saturation, and (B, 3) of the channels; 1 where nothing changes."""
    acts = torch.rand(clips, generator=generator) < _COLOUR_CHANCE
    brightness, contrast, saturation = (
        torch.where(acts, _between(1 - reach, 1 + reach, clips, generator), torch.ones(clips))
        for reach in (_BRIGHTNESS, _CONTRAST, _SATURATION)
    )
    grey = torch.rand(clips, generator=generator) < _GREY_CHANCE
    cast_B3 = 1 + _CAST * (2 * torch.rand(clips, 3, generator=generator) - 1) * (acts & ~grey)[:, None]
    return brightness, contrast, saturation * ~grey, cast_B3


def _relight(faces_SCHW: Tensor, brightness: Tensor, contrast: Tensor, saturation: Tensor, cast_S3: Tensor) -> Tensor:
    luma = (faces_SCHW * faces_SCHW.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
    faces = (luma + saturation * (faces_SCHW - luma)) * cast_S3[:, :, None, None]
    mean = luma.mean((2, 3), keepdim=True)
    return ((mean + contrast * (faces - mean)) * brightness).clamp(0, 255)


def _low_resolution(faces_SCHW: Tensor, size_S: Tensor) -> Tensor:
    """Resize the faces with a size above 0 to it and back."""
    faces = faces_SCHW.clone()
    for size in size_S.unique().tolist():
        if size:
            small = F.interpolate(faces_SCHW[size_S == size], (size, size), mode="bilinear", antialias=True)
            faces[size_S == size] = F.interpolate(small, faces.shape[2:], mode="bilinear")
    return faces


def _jpeg(faces_SCHW: Tensor, quality_S: Tensor) -> Tensor:
    """Compress the faces with a quality above 0 and decode them."""
    from torchvision.transforms.v2 import functional as vision  # takes longer to import than torch

    faces = faces_SCHW.clone()
    for segment in torch.nonzero(quality_S).flatten().tolist():
        coded = faces_SCHW[segment].clamp(0, 255).to(torch.uint8)
        faces[segment] = vision.jpeg(coded, int(quality_S[segment])).float()
    return faces


def _occlusion(clips: int, size: int, generator: torch.Generator) -> Tensor:
    """Draw (B, size, size) rectangles, True where a clip's faces are covered."""
    height = _chosen(_OCCLUSION_CHANCE, _OCCLUSION_PX, clips, generator)
    width = _between(*_OCCLUSION_PX, clips, generator)
    top, left = ((torch.rand(clips, generator=generator) * size).long() for _ in range(2))
    line = torch.arange(size)
    rows = (line >= top[:, None]) & (line < (top + height)[:, None])
    columns = (line >= left[:, None]) & (line < (left + width)[:, None])
    return rows[:, :, None] & columns[:, None, :]


def _mels(mels_SCHW: Tensor, counts_B: Tensor, generator: torch.Generator, keep_places: bool) -> tuple[Tensor, Tensor]:
    """Change each clip's chunks, and cut the silent ones before and after the speech of some clips."""
    if not len(mels_SCHW):
        return mels_SCHW, counts_B
    clips = []
    for clip in mels_SCHW.split(counts_B.tolist()):
        if len(clip) and not keep_places and float(torch.rand(1, generator=generator)) < _CUT_CHANCE:
            loud = torch.nonzero(clip.amax((1, 2, 3)) > clip.max() - _SILENCE).flatten()
            clip = clip[int(loud[0]) : int(loud[-1]) + 1]
        clips.append(_changed(clip, generator, keep_places) if len(clip) else clip)
    return torch.cat(clips), torch.tensor([len(clip) for clip in clips], dtype=counts_B.dtype)


def _changed(clip_SCHW: Tensor, generator: torch.Generator, keep_places: bool) -> Tensor:
    """Change the sound of one clip's (S, 1, bands, hops) chunks, and pad its last one again."""
    sound_SW = sound_columns(clip_SCHW, torch.tensor([len(clip_SCHW)]))
    sound_TF = clip_SCHW[:, 0].permute(0, 2, 1)[sound_SW]
    if not keep_places:
        tract, tempo = (math.exp(float(_between(-most, most, 1, generator))) for most in (_TRACT, _TEMPO))
        sound_TF = _stretch(sound_TF, tract, tempo)
    sound_TF = _voice(sound_TF, generator)
    hops = clip_SCHW.shape[3]
    padded_TF = F.pad(sound_TF, (0, 0, 0, -len(sound_TF) % hops), value=math.log10(MEL_FLOOR))
    return padded_TF.unflatten(0, (-1, hops)).permute(0, 2, 1).unsqueeze(1)


def _voice(x_TF: Tensor, generator: torch.Generator) -> Tensor:
    """Change one clip's (hops, bands) log10 mel power."""

    def uniform(low: float, high: float) -> float:
        return low + (high - low) * float(torch.rand(1, generator=generator))

    def chance(share: float) -> bool:
        return uniform(0, 1) < share

    bands, top = x_TF.shape[1], float(x_TF.max())
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
    return x_TF


_LN10 = 2.302585


def _stretch(x_TF: Tensor, tract: float, tempo: float) -> Tensor:
    """Stretch the mel axis from its lower end, its upper end repeated or cut, and the time."""
    hops, bands = max(1, round(len(x_TF) * tempo)), x_TF.shape[1]
    x_TF = F.interpolate(x_TF.T[None], hops, mode="linear")[0].T
    band_F = (torch.arange(bands) * tract).clamp(max=bands - 1)
    low_F = band_F.long()
    return torch.lerp(x_TF[:, low_F], x_TF[:, (low_F + 1).clamp(max=bands - 1)], band_F - low_F)


def _reverberate(x_TF: Tensor, decay: float) -> Tensor:
    """Add the room's tail: power that falls by `decay` per hop, over 12 hops."""
    power = torch.pow(10.0, x_TF)
    tail = sum(
        decay**k * torch.cat([power.new_zeros(k, power.shape[1]), power[: len(power) - k]])
        for k in range(1, min(12, len(power)))
    )
    return torch.log10(power + tail)
