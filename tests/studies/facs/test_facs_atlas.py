"""The atlas is a table, and the table has tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesm.data import atlas
from mesm.data.region_geometry import EYE_UNITS, FIVE_POINTS, LANDMARKS, SHAPES
from mesm.data.store import Corpus
from mesm.errors import DataError
from mesm.runtime import assets
from mesm.vocabulary import ACTION_UNITS, MIRRORED_LANDMARKS

WANTED = {1, 2, 4, 5, 6, 7, 9, 10, 12, 15, 16, 17, 20, 23, 24, 25, 26, 27}


def placed(points: np.ndarray, scale: float = 16.0, turn: float = 0.0, x: float = 24.0, y: float = 18.0) -> np.ndarray:
    rotation = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return points @ rotation.T + [x, y]


def test_every_unit_is_there_once() -> None:
    assert set(atlas.UNITS) >= WANTED and set(atlas.UNITS) <= set(ACTION_UNITS)
    assert sorted(n for group in atlas.GROUPS for n in group) == sorted(atlas.UNITS)
    for group in atlas.GROUPS:  # those shown once do share a region
        assert all(SHAPES[n][0] == SHAPES[group[0]][0] for n in group)
    assert atlas.group_name((12, 15)) == "AU 12/15"
    assert all(sources and set(sources.split()) <= set("EJBM") for _, sources in SHAPES.values())


@pytest.mark.parametrize("number", atlas.UNITS)
def test_a_region_lies_inside_the_face(number: int) -> None:
    face = atlas.face_outline()
    for polygon in atlas.outline(number):
        assert atlas.inside(face, polygon[:, 0], polygon[:, 1]).all()


@pytest.mark.parametrize("number", atlas.UNITS)
def test_only_units_of_the_lids_cover_the_eye(number: int) -> None:
    x, y = np.meshgrid(np.linspace(-1, 1, 201), np.linspace(-0.1, 0.2, 61))
    eye = np.any([atlas.inside(p, x, y) for p in atlas.eye_openings()], axis=0)
    region = np.any([atlas.inside(p, x, y) for p in atlas.outline(number)], axis=0)
    covered = (eye & region).sum() / eye.sum()
    assert covered > 0.3 if number in EYE_UNITS else covered == 0


def test_the_atlas_is_mirror_symmetric() -> None:
    share = (np.arange(101) + 0.5) / 101
    x, y = 2.8 * share - 1.4, (2.8 * share - 1.05)[:, None]
    for number in atlas.UNITS:
        covered = np.any([atlas.inside(polygon, x, y) for polygon in atlas.outline(number)], axis=0)
        assert covered.sum() > 50
        assert (covered != covered[:, ::-1]).sum() <= 2  # where a cell's centre lies on an edge
    mirrored = np.array(MIRRORED_LANDMARKS)
    assert np.allclose(LANDMARKS[mirrored] * [-1, 1], LANDMARKS) and (mirrored[mirrored] == np.arange(68)).all()


turns = st.floats(-0.6, 0.6)


@given(st.floats(8, 24), turns, st.floats(10, 38), st.floats(8, 30))
@settings(max_examples=40, deadline=None)
def test_the_similarity_transform_is_found_again(scale: float, turn: float, x: float, y: float) -> None:
    points = placed(FIVE_POINTS, scale, turn, x, y)[None]
    found = atlas.similarity(points)[0]
    assert np.allclose(found[:, 2], [x, y], atol=1e-6) and np.isclose(np.hypot(*found[:, 0]), scale)
    assert np.allclose(atlas.to_canonical(points, points[0])[0], FIVE_POINTS, atol=1e-6)
    somewhere = np.array([[0.3, -0.2], [1.0, 1.0]])
    assert np.allclose(atlas.to_canonical(points, atlas.to_pixels(points, somewhere)[0])[0], somewhere, atol=1e-6)


def test_regions_follow_the_face() -> None:
    points = np.stack([placed(FIVE_POINTS, 14), placed(FIVE_POINTS, 14, x=27.0), np.full((5, 2), np.nan)])
    coverage = atlas.lay_by_points(points)
    assert coverage.shape == (3, len(atlas.UNITS) + 1, 48, 48) and coverage.min() >= 0 and coverage.max() == 1
    assert np.allclose(coverage[0, :, :, :-3], coverage[1, :, :, 3:], atol=0.12)  # three pixels to the right
    assert not coverage[2].any()
    small = atlas.lay_by_points(placed(FIVE_POINTS, 7)[None])[0]
    assert np.allclose(small.sum((1, 2)) * 4, coverage[0].sum((1, 2)), rtol=0.1)
    lids, mouth = (np.array(np.nonzero(coverage[0, atlas.COLUMN[n]] > 0.5)).mean(1)[0] for n in (5, 25))
    assert abs(lids - 18) < 1 and abs(mouth - (18 + 14 * 1.2)) < 1.5
    one = atlas.lay_by_points(points, [atlas.COLUMN[12], atlas.OVAL])
    assert np.array_equal(one, coverage[:, [atlas.COLUMN[12], atlas.OVAL]])


def test_landmarks_and_points_agree_on_the_canonical_face() -> None:
    by_points = atlas.lay_by_points(placed(FIVE_POINTS, 15, 0.1)[None])[0]
    by_landmarks = atlas.lay_by_landmarks(placed(LANDMARKS, 15, 0.1)[None])[0]
    iou = np.minimum(by_points, by_landmarks).sum((1, 2)) / np.maximum(by_points, by_landmarks).sum((1, 2))
    assert iou.min() > 0.8
    wide = LANDMARKS.copy()
    wide[48:] *= [1.4, 1]  # a wider mouth has wider lips
    moved = atlas.lay_by_landmarks(placed(wide, 15, 0.1)[None])[0]
    assert moved[atlas.COLUMN[25]].sum() > 1.2 * by_landmarks[atlas.COLUMN[25]].sum()
    assert not atlas.lay_by_landmarks(np.full((1, 68, 2), np.nan)).any()


def test_the_atlas_agrees_with_the_rendered_truth() -> None:
    """People whom the shapes were not drawn after; intersection over union by coverage."""
    corpus = Corpus(assets() / "marionette")
    found: dict[str, list[np.ndarray]] = {"points": [], "landmarks": []}
    for clip_id in corpus.ids("test")[::8]:
        sample = corpus[clip_id]
        assert sample.truth is not None
        frontal = sample.face_found & (np.abs(sample.truth.pose[:, 0]) < 0.2)
        true = atlas.true_regions(sample.truth)[frontal]
        for source, rows in found.items():
            laid = atlas.regions_of(sample, source)[0][frontal]
            rows.append(np.minimum(laid, true).sum((2, 3)) / np.maximum(laid, true).sum((2, 3)))
    points, landmarks = (np.concatenate(found[source]).mean(0) for source in ("points", "landmarks"))
    print({n: round(float(v), 2) for n, v in zip(atlas.UNITS, points, strict=True)})
    assert np.isnan(points[atlas.COLUMN[27]])  # the renderer has no such unit
    assert np.nanmean(points) >= 0.5 and np.nanmin(points) >= 0.25
    assert np.nanmean(landmarks) >= np.nanmean(points) - 0.01


def test_regions_of_a_clip_by_source() -> None:
    sample = Corpus(assets() / "marionette")[Corpus(assets() / "marionette").ids("test")[0]]
    true, head = atlas.regions_of(sample, "truth")
    points, oval = atlas.regions_of(sample, "points")
    assert true.shape == points.shape == (len(sample.faces), len(atlas.UNITS), 48, 48) and head.shape == oval.shape
    column = atlas.COLUMN[27]
    assert np.array_equal(true[:, column], points[:, column]) and not np.isnan(true).any()
    bare = replace(sample, truth=None)
    with pytest.raises(DataError, match="use --regions points"):
        atlas.regions_of(bare, "truth")
    with pytest.raises(DataError, match="no face points"):
        atlas.regions_of(replace(bare, face_points=sample.face_points[:0]))


def test_coverage_on_a_grid_keeps_the_area() -> None:
    rng = np.random.default_rng(0)
    coverage = rng.integers(0, 256, (2, 3, 48, 48), dtype=np.uint8)
    for side in (24, 12, 6):
        grid = atlas.on_grid(coverage, side, side)
        assert grid.shape == (2, 3, side, side) and np.allclose(grid.mean((2, 3)), coverage.mean((2, 3)), rtol=1e-5)
    assert np.isclose(atlas.on_grid(coverage, 24, 24)[1, 2, 5, 7], coverage[1, 2, 10:12, 14:16].mean())
    assert atlas.on_grid(np.zeros((1, 128, 32)), 64, 16).shape == (1, 64, 16)


def test_union_is_the_largest_of_the_chosen() -> None:
    coverage = np.random.default_rng(0).random((3, 4, 6, 6))
    chosen = np.array([[1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 1, 1]], bool)
    found = atlas.union(coverage, chosen)
    assert np.array_equal(found[0], np.maximum(coverage[0, 0], coverage[0, 2])) and not found[1].any()
    assert np.array_equal(found[2], coverage[2, 1:].max(0))
