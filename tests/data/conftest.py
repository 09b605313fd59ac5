"""Fixtures of the data tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from tests.data.made_clips import tone, write_clip


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """(360, 512, 3) uint8: Eileen Collins, NASA, public domain; one face about 92 px wide."""
    return np.ascontiguousarray(data.astronaut()[:360])


@pytest.fixture(scope="session")
def astronaut_clip(astronaut: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1.5 s of the astronaut moving sideways, 10 frames/s, with a tone."""
    frames = [np.roll(astronaut, 4 * i, axis=1) for i in range(15)]
    return write_clip(tmp_path_factory.mktemp("clips") / "astronaut.mp4", frames, waveform=tone(1.5))


@pytest.fixture
def make_clip(tmp_path: Path) -> Callable[..., Path]:
    """`write_clip` into this test's folder, by file name."""

    def make(name: str, *args: object, **options: object) -> Path:
        return write_clip(tmp_path / name, *args, **options)  # type: ignore[arg-type]

    return make
