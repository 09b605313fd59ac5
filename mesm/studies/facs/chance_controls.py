"""Make the centre-bias map: the mean map of the other clips.

A uniform map has lift 1 by definition. The mean attention over other clips covers brows, eyes and mouth without reading
the face. Re-initialised attention, which shows what the stems' features alone give, is
`mesm.analysis.attention_controls.control_attention`; shuffled labels are `mesm.statistics.shuffled_label_test`.
"""

from __future__ import annotations

import numpy as np


def other_clips_mean(maps_Fn: np.ndarray, clip_F: np.ndarray) -> np.ndarray:
    """Return (F, n), for each frame the mean map over the frames of all other clips; NaN with only one clip."""
    _, member = np.unique(clip_F, return_inverse=True)
    count = member.max(initial=-1) + 1
    sums = np.zeros((count, maps_Fn.shape[1]))
    np.add.at(sums, member, maps_Fn)
    frames = np.bincount(member, minlength=count)[:, None]
    others = len(maps_Fn) - frames
    means = np.divide(sums.sum(0) - sums, others, out=np.full(sums.shape, np.nan), where=others > 0)
    return means[member].astype(np.float32)
