"""Fit the similarity transform (turn, scale, shift) of a face from its five points."""

from __future__ import annotations

import numpy as np


def fit_similarity(source_P2: np.ndarray, target_SP2: np.ndarray) -> np.ndarray:
    """Fit, by least squares, the similarity transform that takes P source points nearest to each face's points.

    Args:
        source_P2: x, y.
        target_SP2: the same points of S faces; NaN where unknown.

    Returns:
        (S, 2, 3) M with target = M[:, :2] @ source + M[:, 2]; NaN for a face with an unknown point.
    """
    x, y = source_P2.T
    one, none = np.ones(len(x)), np.zeros(len(x))
    rows = np.concatenate([np.stack([x, -y, one, none], 1), np.stack([y, x, none, one], 1)])
    target = np.asarray(target_SP2, float).transpose(0, 2, 1).reshape(-1, 2 * len(x))
    a, b, right, down = (target @ np.linalg.pinv(rows).T).T
    return np.stack([np.stack([a, -b, right], 1), np.stack([b, a, down], 1)], 1)
