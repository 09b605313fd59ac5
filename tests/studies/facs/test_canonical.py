"""Canonical faces: maps land where the atlas says, means are over speakers, differences are tested within speakers."""

from __future__ import annotations

import numpy as np
import pytest

from mesm.data import atlas
from mesm.records.canonical import unpack, unpack_mask
from mesm.studies.facs.canonical import (
    SIZE,
    SpeakerMapSums,
    _differences,
    _mean_maps,
    difference,
    template_points,
    warp,
)

POINTS = np.array([[16, 18], [32, 18], [24, 27], [18, 36], [30, 36]], np.float32)
SPEAKERS = tuple("abcd")


def test_a_warped_map_lies_where_the_atlas_says() -> None:
    coverage = atlas.lay_by_points(POINTS[None])[:, atlas.COLUMN[25]]
    seen = warp(coverage, POINTS[None])[0]
    x, y = template_points()[..., 0], template_points()[..., 1]
    truth = np.any([atlas.inside(p, x, y) for p in atlas.outline(25)], axis=0)
    known = np.isfinite(seen)
    assert ((seen > 0.5) == truth)[known].mean() > 0.97 and known.mean() > 0.7
    assert np.isnan(warp(coverage, np.full((1, 5, 2), np.nan))).all()


def test_a_difference_is_significant_where_it_is_and_nowhere_else() -> None:
    rng = np.random.default_rng(0)
    first, second = (rng.normal(0.5, 0.05, (12, SIZE, SIZE)) for _ in range(2))
    first[:, 3:6, 4:9] += 0.3
    found = difference(first, second)
    assert found is not None and found.speakers == 12
    mask = unpack_mask(found.significant)
    assert mask[3:6, 4:9].all() and mask.sum() < 15 + 20 and unpack(found.map)[3:6, 4:9].min() > 0.2
    assert difference(first[:2], second[:2]) is None


def planted_sums() -> SpeakerMapSums:
    """Four speakers: angry frames keep everything, others half; right angry clips 1, wrong ones 0.25."""
    sums = SpeakerMapSums(("anger", "fear"), SPEAKERS, layers=2)

    def frames(value: float, count: int) -> np.ndarray:
        maps = np.full((count, 2, 2, SIZE, SIZE), value)
        maps[:, :, 1] /= 2  # the second layer keeps half of it
        return maps

    for number, speaker in enumerate(SPEAKERS):
        # The number of frames differs between speakers, and the first is seen least.
        sums.add(speaker, {"anger"}, 1.0, frames(1.0 if number else 0.2, 1 + 3 * number))
        sums.add(speaker, {"anger"}, 0.0, frames(0.25, 1))
        sums.add(speaker, {"fear"}, np.nan, frames(0.5, 2))
    return sums


def test_every_speaker_counts_once_and_layers_keep_their_order() -> None:
    maps = _mean_maps(planted_sums())
    of_speakers = [(0.2 + 0.25) / 2, (4 + 0.25) / 5, (7 + 0.25) / 8, (10 + 0.25) / 11]
    first, second = (unpack(rows) for rows in maps.kept["anger"])
    assert np.allclose(first, round(100 * np.mean(of_speakers)) / 100)
    assert second[0, 0] == pytest.approx(first[0, 0] / 2, abs=0.011)


def test_differences_are_own_minus_others_and_right_minus_wrong() -> None:
    sums = planted_sums()
    tables = _differences({"checkpoint": sums, "random": planted_sums()}, 0)
    wrong, others = tables["wrong"]["anger"], tables["others"]["fear"]
    assert wrong[0] is not None and others[0] is not None
    assert unpack(wrong[0].map)[0, 0] == pytest.approx((-0.05 + 3 * 0.75) / 4, abs=0.01)
    assert unpack(others[0].map)[0, 0] < -0.1 and wrong[0].speakers == 4
    assert tables["wrong"]["fear"] == (None, None)  # no clip with a label shows it
    assert all(d is not None and not unpack(d.map).any() for d in tables["random"]["anger"])
