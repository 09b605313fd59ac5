"""Flags of finished clips."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesm.data.ingest import ingest_arrays
from mesm.data.marionette.action_units import AU_NUMBERS
from mesm.data.marionette.head import shared_head
from mesm.data.marionette.identities import make_identity
from mesm.data.marionette.scene import View, render
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


def test_half_of_the_frames_are_enough() -> None:
    points = np.stack([FRONT, turned(0.5), FRONT, turned(-0.5)])
    boxes = np.array([[0, 0, 48, 48]] * 4, np.float32)
    sample = replace(make_sample(frames=4), face_boxes=boxes, face_points=points, face_found=np.ones(4, bool))
    assert face_flags(sample) == ("turned_face",)
    assert face_flags(replace(sample, face_points=np.stack([FRONT, FRONT, FRONT, turned(0.5)]))) == ()


@pytest.mark.slow
@pytest.mark.parametrize(("degrees", "flags"), [(45, ("turned_face",)), (-45, ("turned_face",)), (20, ())])
def test_a_head_turned_by_45_degrees(degrees: int, flags: tuple[str, ...]) -> None:
    head = shared_head()
    view = View(yaw=float(np.deg2rad(degrees)))
    frame = render(head, make_identity(head, 0, 0), np.zeros(len(AU_NUMBERS)), view, 160)
    sample = ingest_arrays([frame.image], [0.0], None, 16_000, "Hello there.", clip_id="c")
    assert sample.quality == ("no_audio", *flags)
