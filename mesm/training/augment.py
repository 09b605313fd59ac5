"""Augmentation of a batch in training, driven by one generator so that a resumed run draws the same numbers."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from mesm.batch import Batch


def augment(batch: Batch, generator: torch.Generator) -> Batch:
    """Flip, shift, brightness and contrast of faces; a little gain and masked bands of mels.

    All segments of one utterance get the same flip, shift and gain: a clip is one shot. Loudness and pitch carry
    emotion, so the gain stays near 1 dB and the mel bands are not shifted: two bands are four semitones of a low voice.
    """
    return replace(
        batch,
        faces=_faces(batch.faces, batch.face_counts, generator),
        mels=_mels(batch.mels, batch.chunk_counts, generator),
    )


def _shift(maps_SCHW: Tensor, dy_S: Tensor, dx_S: Tensor, reach: int) -> Tensor:
    """Shift each map by (dy, dx) pixels of at most `reach`, edges repeated."""
    height, width = maps_SCHW.shape[2:]
    padded = F.pad(maps_SCHW, (reach, reach, reach, reach), mode="replicate")
    y = torch.arange(height)[None] + reach + dy_S[:, None]
    x = torch.arange(width)[None] + reach + dx_S[:, None]
    segment = torch.arange(len(maps_SCHW))[:, None, None]
    return padded[segment, :, y[:, :, None], x[:, None, :]].permute(0, 3, 1, 2)


def _faces(faces_SCHW: Tensor, counts_B: Tensor, generator: torch.Generator) -> Tensor:
    if not len(faces_SCHW):
        return faces_SCHW
    clips = len(counts_B)
    flip = torch.rand(clips, generator=generator) < 0.5
    shift = torch.randint(-2, 3, (2, clips), generator=generator)
    contrast = 1 + 0.15 * torch.randn(clips, generator=generator)
    brightness = 25 * torch.randn(clips, generator=generator)
    flip_S, dy_S, dx_S, contrast_S, brightness_S = (
        v.repeat_interleave(counts_B) for v in (flip, shift[0], shift[1], contrast, brightness)
    )
    x = faces_SCHW.float()
    x = torch.where(flip_S[:, None, None, None], x.flip(3), x)
    x = _shift(x, dy_S, dx_S, 2)
    mean = x.mean((1, 2, 3), keepdim=True)
    x = (x - mean) * contrast_S[:, None, None, None] + mean + brightness_S[:, None, None, None]
    return x.clamp(0, 255)


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
    return torch.where(hidden[:, None, :, None], x.mean((2, 3), keepdim=True), x)
