"""Augment a batch in training, driven by one generator so that a resumed run draws the same numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from mesm.batch import Batch
from mesm.layers.padding import sound_columns

_REACH = 2  # pixels of a face's largest shift


def augment(
    batch: Batch, generator: torch.Generator, regions_SRHW: Tensor | None = None
) -> tuple[Batch, Tensor | None]:
    """Change flip, position, brightness and contrast of the faces, and gain and masked bands of the mels.

    All segments of one utterance get the same flip, shift and gain: a clip is one shot. Loudness and pitch carry
    emotion, so the gain stays near 1 dB and the mel bands are not shifted: two bands are four semitones of a low voice.

    Args:
        batch: raw faces and log mels.
        generator: source of the random numbers.
        regions_SRHW: (S, R, 48, 48) regions on the batch's faces, or None; they move with the faces.

    Returns:
        The batch and the regions.
    """
    move = _Move.draw(batch.face_counts, generator)
    faces = _relight(move(batch.faces.float()), batch.face_counts, generator)
    batch = replace(batch, faces=faces, mels=_mels(batch.mels, batch.chunk_counts, generator))
    return batch, None if regions_SRHW is None else move(regions_SRHW)


@dataclass(frozen=True)
class _Move:
    """Move faces: (S,) a flip, and a shift in pixels, of each."""

    flip_S: Tensor
    dy_S: Tensor
    dx_S: Tensor

    @classmethod
    def draw(cls, counts_B: Tensor, generator: torch.Generator) -> _Move:
        flip = torch.rand(len(counts_B), generator=generator) < 0.5
        shift = torch.randint(-_REACH, _REACH + 1, (2, len(counts_B)), generator=generator)
        return cls(*(v.repeat_interleave(counts_B) for v in (flip, shift[0], shift[1])))

    def __call__(self, maps_SCHW: Tensor) -> Tensor:
        if not len(maps_SCHW):
            return maps_SCHW
        flipped = torch.where(self.flip_S[:, None, None, None], maps_SCHW.flip(3), maps_SCHW)
        return _shift(flipped, self.dy_S, self.dx_S, _REACH)


def _shift(maps_SCHW: Tensor, dy_S: Tensor, dx_S: Tensor, reach: int) -> Tensor:
    """Shift each map by (dy, dx) pixels of at most `reach`, edges repeated."""
    height, width = maps_SCHW.shape[2:]
    padded = F.pad(maps_SCHW, (reach, reach, reach, reach), mode="replicate")
    y = torch.arange(height)[None] + reach + dy_S[:, None]
    x = torch.arange(width)[None] + reach + dx_S[:, None]
    segment = torch.arange(len(maps_SCHW))[:, None, None]
    return padded[segment, :, y[:, :, None], x[:, None, :]].permute(0, 3, 1, 2)


def _relight(faces_SCHW: Tensor, counts_B: Tensor, generator: torch.Generator) -> Tensor:
    """Draw contrast and brightness for each clip."""
    contrast = 1 + 0.15 * torch.randn(len(counts_B), generator=generator)
    brightness = 25 * torch.randn(len(counts_B), generator=generator)
    contrast_S, brightness_S = (v.repeat_interleave(counts_B)[:, None, None, None] for v in (contrast, brightness))
    mean = faces_SCHW.mean((1, 2, 3), keepdim=True)
    return ((faces_SCHW - mean) * contrast_S + mean + brightness_S).clamp(0, 255)


def _mels(mels_SCHW: Tensor, counts_B: Tensor, generator: torch.Generator) -> Tensor:
    if not len(mels_SCHW):
        return mels_SCHW
    clips = len(counts_B)
    gain = 0.1 * torch.randn(clips, generator=generator)  # log10 power: 1 dB is 0.1
    start = torch.randint(0, mels_SCHW.shape[2] - 8, (clips,), generator=generator)
    width = torch.randint(0, 9, (clips,), generator=generator)
    gain_S, start_S, width_S = (v.repeat_interleave(counts_B) for v in (gain, start, width))
    x = mels_SCHW + gain_S[:, None, None, None]
    band = torch.arange(x.shape[2])[None]
    hidden = (band >= start_S[:, None]) & (band < (start_S + width_S)[:, None])
    x = torch.where(hidden[:, None, :, None], x.mean((2, 3), keepdim=True), x)
    return torch.where(sound_columns(mels_SCHW, counts_B)[:, None, None], x, mels_SCHW)
