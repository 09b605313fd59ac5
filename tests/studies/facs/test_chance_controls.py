"""The mean map of the other clips against means made by hand."""

from __future__ import annotations

import numpy as np

from mesm.studies.facs.estimates import other_clips_mean


def test_the_centre_bias_map_leaves_the_clip_out() -> None:
    maps, clip = np.arange(12.0).reshape(4, 3), np.array([7, 7, 9, 3])
    found = other_clips_mean(maps, clip)
    assert np.allclose(found[0], maps[2:].mean(0)) and np.allclose(found[2], maps[[0, 1, 3]].mean(0))
    assert np.isnan(other_clips_mean(maps, np.zeros(4, int))).all()
