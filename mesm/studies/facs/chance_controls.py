"""Maps that know nothing: attention as it was before training, and the mean map of the other clips.

A uniform map has lift 1 by definition. A map of brows, eyes and mouth in general, blind to what is shown, is the mean
attention over other clips (centre bias). Attention drawn anew shows what the features alone would give (Adebayo et al.
2018, Sanity checks for saliency maps, NeurIPS). Shuffled labels are in `statistics.shuffled_labels`.
"""

from __future__ import annotations

import numpy as np


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
