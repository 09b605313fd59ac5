"""Coverage of action units' regions in one clip: counted on the layer's grid, against as many sites anywhere."""

from __future__ import annotations

import numpy as np
import pytest

from mesm.batch import Sample
from mesm.data import atlas
from mesm.records.prediction import LayerTrace
from mesm.studies.case.region_outlines import GAP_PX, SCALE, draw_regions
from mesm.studies.case.regions import clip_regions

POINTS = np.array([[16, 18], [32, 18], [24, 27], [18, 36], [30, 36]], np.float32)


def sample(found: tuple[bool, ...] = (True, False)) -> Sample:
    count = len(found)
    return Sample(
        "c",
        "hello",
        np.full((count, 48, 48, 3), 200, np.uint8),
        np.zeros((0, 128, 32), np.float16),
        1.0,
        face_points=np.stack([POINTS if f else np.full((5, 2), np.nan, np.float32) for f in found]),
        face_found=np.array(found),
    )


def layer(kept: np.ndarray) -> LayerTrace:
    return LayerTrace(kept / max(kept.sum(), 1), kept.astype(bool), np.ones_like(kept, bool))


def test_keeping_everything_covers_everything_as_chance_would() -> None:
    regions, usable = clip_regions(sample(), [layer(np.ones((2, 24, 24))), layer(np.ones((2, 6, 6)))])
    assert usable.tolist() == [0]
    assert {r.name for r in regions} >= {"AU 1", "AU 12/15", "AU 23/24/25"}
    for region in regions:
        assert region.covered == pytest.approx((1, 1)) and region.chance == (1, 1) and region.active is None
        assert region.coverage.shape == (1, 48, 48)


def test_a_mask_on_the_mouth_covers_the_mouth() -> None:
    kept = np.zeros((2, 12, 12))
    kept[:, 8:] = 1  # the lower third of the crop
    regions, _ = clip_regions(sample(), [layer(kept)])
    by = {r.name: r for r in regions}
    assert by["AU 1"].covered[0] == 0 and by["AU 23/24/25"].covered[0] > 0.8
    assert by["AU 1"].chance[0] == pytest.approx(1 / 3)


def test_without_a_face_there_is_nothing() -> None:
    assert clip_regions(sample((False,)), [layer(np.ones((1, 6, 6)))])[0] == []
    assert clip_regions(sample(), [])[0] == []


def test_the_picture_outlines_what_is_asked_for() -> None:
    faces = np.full((2, 48, 48, 3), 200, np.uint8)
    kept = np.zeros((2, 24, 24), bool)
    kept[:, :12] = True
    coverage = atlas.lay_by_points(np.stack([POINTS, POINTS]))
    plain = draw_regions(faces, kept, {})
    size = 48 * SCALE
    assert plain.shape == (size, 2 * size + GAP_PX, 3)
    assert (plain[: size // 2, :size] == 200).all() and (plain[size // 2 :, :size] > 200).all()
    outlined = draw_regions(faces, kept, {"AU 12/15": coverage[:, atlas.COLUMN[12]]})
    changed = (outlined[:size, : 2 * size + GAP_PX] != plain).any(-1)
    assert changed.any() and not changed[: size // 2].any()  # the corners of the mouth lie below
