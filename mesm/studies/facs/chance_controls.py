"""Maps that know nothing: attention as it was before training, and the mean map of the other clips.

A uniform map has lift 1 by definition. A map of brows, eyes and mouth in general, blind to what is shown, is the mean
attention over other clips (centre bias). Attention drawn anew shows what the features alone would give (Adebayo et al.
2018, Sanity checks for saliency maps, NeurIPS). Shuffled labels are in `statistics.shuffled_labels`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from mesm.layers.sparse_vgg import SparseVGG
from mesm.models import EmotionModel


def _sparse_cnns(model: EmotionModel) -> Iterator[SparseVGG]:
    for branch in model.branches.values():
        if isinstance(cnn := getattr(branch, "cnn", None), SparseVGG):
            yield cnn


@contextmanager
def untrained_attention(model: EmotionModel, seed: int, gate: str | None = None) -> Iterator[None]:
    """Within: the attention has fresh initial weights, and the gate is another if given; left as found, even on error.

    `gate="hard"` is the paper's: its attention gets no gradient and stays as it was initialised.
    """
    cnns = list(_sparse_cnns(model))
    before = [(cnn.config, {k: v.clone() for k, v in cnn.attention.state_dict().items()}) for cnn in cnns]
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(seed)
            for cnn in cnns:
                cnn.config = replace(cnn.config, gate=gate or cnn.config.gate)
                for attention in cnn.attention:
                    for layer in attention.modules():
                        if isinstance(layer, nn.Linear):
                            layer.reset_parameters()
                    if attention.bilinear is not None:
                        nn.init.zeros_(attention.bilinear.weight)  # type: ignore[union-attr, arg-type]
        yield
    finally:
        for cnn, (config, state) in zip(cnns, before, strict=True):
            cnn.config = config
            cnn.attention.load_state_dict(state)


def other_clips_mean(maps_Fn: np.ndarray, clip_F: np.ndarray) -> np.ndarray:
    """(F, n) for each frame the mean map over the frames of all other clips; NaN when there is only one clip."""
    _, member = np.unique(clip_F, return_inverse=True)
    count = member.max(initial=-1) + 1
    sums = np.zeros((count, maps_Fn.shape[1]))
    np.add.at(sums, member, maps_Fn)
    frames = np.bincount(member, minlength=count)[:, None]
    others = len(maps_Fn) - frames
    means = np.divide(sums.sum(0) - sums, others, out=np.full(sums.shape, np.nan), where=others > 0)
    return means[member].astype(np.float32)
