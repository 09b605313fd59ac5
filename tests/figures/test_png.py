"""The PNG writer against Pillow's reader."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from mesm.figures.png import encode_png


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 13, 3), (300, 200, 3)])
def test_pillow_reads_what_was_written(shape: tuple[int, int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    image = Image.open(io.BytesIO(encode_png(picture)))
    image.verify()
    assert (np.asarray(Image.open(io.BytesIO(encode_png(picture)))) == picture).all()


def test_enlarged_pictures_are_small() -> None:
    cells = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    enlarged = np.repeat(np.repeat(cells, 8, axis=0), 8, axis=1)
    assert len(encode_png(enlarged)) < enlarged.nbytes / 15
