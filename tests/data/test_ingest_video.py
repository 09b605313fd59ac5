"""Which frame is taken when, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from mesm.data.ingest.media import Limits
from mesm.data.ingest.video import FrameSampler, read_picture
from mesm.errors import DataError
from tests.data.made_clips import grey, held_upright, write_clip

Make = Callable[..., Path]


def levels(sampler: FrameSampler) -> tuple[list[float], list[int]]:
    """Times and mean greys of the sampled frames."""
    pairs = [(time, float(frame.mean())) for time, frame in sampler]
    return [time for time, _ in pairs], [round(mean) for _, mean in pairs]


def shown_at(times_ms: list[int], at_ms: int) -> int:
    """Index of the frame that a player shows: the oracle of the sampling rule."""
    return max((i for i, time in enumerate(times_ms) if time <= at_ms), default=0)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(10, 900), min_size=1, max_size=9))
def test_any_frame_rate(tmp_path: Path, gaps_ms: list[int]) -> None:
    times_ms = [0, *np.cumsum(gaps_ms).tolist()]
    greys = [20 + 24 * (i % 9) for i in range(len(times_ms))]
    path = write_clip(tmp_path / "v.mkv", [grey(g) for g in greys], times_ms, options={"crf": "1"})
    times_s, seen = levels(FrameSampler(path))
    assert times_s == [0.5 * i for i in range(len(times_s))]
    # Whether the last frame, whose length containers round, is still shown at the last instant is left open.
    assert len(times_s) in {-(-times_ms[-1] // 500) + k for k in (0, 1)} | {1}
    for time_s, level in zip(times_s, seen, strict=True):
        assert abs(level - greys[shown_at(times_ms, round(1000 * time_s))]) <= 6


def test_one_frame(make_clip: Make) -> None:
    assert levels(FrameSampler(make_clip("one.mp4", [grey(90)])))[0] == [0.0]


@pytest.mark.parametrize("fps", [1, 240])
def test_slow_and_fast(make_clip: Make, fps: int) -> None:
    frames = [grey(60 + 60 * (i >= fps)) for i in range(2 * fps)]
    times_s, seen = levels(FrameSampler(make_clip("v.mp4", frames, fps=fps, last_ms=1000 // fps)))
    assert times_s == [0.0, 0.5, 1.0, 1.5]
    assert np.allclose(seen, [60, 60, 120, 120], atol=4)


def test_container_without_presentation_times(make_clip: Make) -> None:
    frames = [grey(40 + 10 * i) for i in range(16)]
    path = make_clip("v.avi", frames, codec="mpeg4", options={"bf": "2"})
    times_s, seen = levels(FrameSampler(path))
    assert times_s == [0.0, 0.5, 1.0, 1.5]
    assert np.allclose(seen, [40, 90, 140, 190], atol=12)


def test_part_of_a_clip(make_clip: Make) -> None:
    frames = [grey(20 + 5 * i) for i in range(40)]
    path = make_clip("v.mp4", frames, options={"g": "12"})
    sampler = FrameSampler(path, start_s=2.2, end_s=3.4)
    times_s, seen = levels(sampler)
    assert times_s == [0.0, 0.5, 1.0]
    assert np.allclose(seen, [20 + 5 * 22, 20 + 5 * 27, 20 + 5 * 32], atol=4)
    assert sampler.end_s == pytest.approx(1.2)


def test_phone_held_upright(make_clip: Make) -> None:
    stored = np.zeros((48, 64, 3), np.uint8)
    stored[:24] = 200  # bright upper half: the right half once turned clockwise
    (_, frame), *_ = FrameSampler(held_upright(make_clip("v.mp4", [stored] * 3), 48))
    assert frame.shape == (64, 48, 3)
    assert frame[:, 30:].mean() > 150 > 50 > frame[:, :18].mean()


def test_wide_pixels_are_made_square(make_clip: Make) -> None:
    path = make_clip("v.mkv", [grey(90)] * 3, options={"aspect": "2:1"})
    (_, frame), *_ = FrameSampler(path)
    assert frame.shape == (48, 128, 3)


@pytest.mark.parametrize(
    ("limits", "word"),
    [(Limits(max_duration_s=1), "lasts"), (Limits(max_pixels=1000), "pixels"), (Limits(max_frames=2), "goes on")],
)
def test_limits(make_clip: Make, limits: Limits, word: str) -> None:
    path = make_clip("v.mp4", [grey(90)] * 20)
    with pytest.raises(DataError, match=word):
        list(FrameSampler(path, limits=limits))


def test_damaged_in_the_middle_goes_on(make_clip: Make) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (30, 48, 64, 3), dtype=np.uint8)
    path = make_clip("v.mp4", list(noise), options={"g": "5", "bf": "0"})
    content = bytearray(path.read_bytes())
    middle = content.index(b"mdat") + 20_000
    content[middle : middle + 3000] = bytes(3000)
    path.write_bytes(content)
    sampler = FrameSampler(path)
    assert len(levels(sampler)[0]) == 6
    assert sampler.broken


def test_picture_is_turned_by_its_tag(tmp_path: Path) -> None:
    picture = Image.fromarray(np.repeat(np.arange(40, dtype=np.uint8)[:, None, None], 60, 1).repeat(3, 2))
    exif = Image.Exif()
    exif[274] = 6  # turn by 90 degrees clockwise
    picture.save(tmp_path / "p.png", exif=exif)
    upright = read_picture(tmp_path / "p.png")
    assert upright.shape == (60, 40, 3)
    assert upright[0, 0, 0] == 39 and upright[0, -1, 0] == 0


def test_picture_refused(tmp_path: Path) -> None:
    (tmp_path / "p.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    with pytest.raises(DataError, match="cannot be read"):
        read_picture(tmp_path / "p.png")
    Image.new("RGB", (100, 100)).save(tmp_path / "big.jpg")
    with pytest.raises(DataError, match="100 x 100 pixels"):
        read_picture(tmp_path / "big.jpg", Limits(max_pixels=99))
