"""Flags of finished clips."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mesm.data.quality import face_flags, nose_offsets
from tests.data.made_samples import make_sample

FRONT = np.array([[16, 20], [32, 20], [24, 28], [18, 36], [30, 36]], np.float32)


def turned(share: float) -> np.ndarray:
    points = FRONT.copy()
    points[2, 0] += share * 16
    return points


def test_a_turned_head_whatever_its_tilt() -> None:
    angle = np.deg2rad(40)
    tilt = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = np.stack([FRONT, turned(0.5), turned(-0.5)])
    np.testing.assert_allclose(nose_offsets(points), [0, 0.5, -0.5], atol=1e-6)
    np.testing.assert_allclose(nose_offsets(points @ tilt.T), [0, 0.5, -0.5], atol=1e-6)
    assert np.isfinite(nose_offsets(np.zeros((1, 5, 2)))).all()


def test_flags() -> None:
    boxes = np.array([[0, 0, 20, 22]] * 3, np.float32)
    result = np.array([True, True, False])
    points = np.stack([turned(0.5), turned(0.6), np.full((5, 2), np.nan)])
    sample = replace(make_sample(frames=3), face_boxes=boxes, face_points=points, face_found=result)
    assert face_flags(sample) == ("tiny_face", "turned_face")
    assert face_flags(replace(sample, face_boxes=boxes * 2, face_points=points * 0 + FRONT)) == ()
    assert face_flags(replace(sample, face_found=np.zeros(3, bool))) == ()
