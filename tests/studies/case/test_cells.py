"""Sites of a mosaic: each pixel's site has the value and the state that the picture shows there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mesm.figures.style import LIGHT, rgb
from mesm.studies.case.cells import DROPPED, GONE, KEPT, PADDING, STATE_BIT, STEP, CellRow, cell_rows
from mesm.studies.case.mosaic import GUTTER_PX, MosaicStyle, TimeWindow, draw, face_scene, mel_scene
from tests.figures.test_mosaic import clip, face_layers, mel_layers

RNG = np.random.default_rng(5)


def site_at(row: CellRow, x: float, y: float) -> tuple[int, int, int] | None:
    """The site under a pixel's middle, as the page works it out."""
    inside = [n for n, left in enumerate(row.lefts) if left <= x < left + row.width]
    if not inside or not row.top <= y < row.top + row.height:
        return None
    height, width = row.codes.shape[1:]
    down = int((y - row.top) / row.height * height)
    return inside[0], height - 1 - down if row.flipped else down, int((x - row.lefts[inside[0]]) / row.width * width)


@pytest.mark.parametrize("window", [TimeWindow(0, 2), TimeWindow(0, 3), TimeWindow(0, 6), TimeWindow(0.5, 2)])
@pytest.mark.parametrize("modality", ["visual", "acoustic"])
def test_a_faded_pixel_belongs_to_a_dropped_site(window: TimeWindow, modality: str) -> None:
    sample, style = clip(), MosaicStyle(opacity=1.0)
    layers = face_layers() if modality == "visual" else mel_layers()
    scene = (face_scene if modality == "visual" else mel_scene)(sample, window, style, 3)
    picture, rows = draw(scene, layers), cell_rows(scene, layers)
    assert [row.layer for row in rows] == [0, 1, 2]
    for row in rows:
        hits = 0
        ground = (picture == rgb(LIGHT.ground)).all(axis=2)
        for x, y in zip(RNG.integers(GUTTER_PX, picture.shape[1], 300), RNG.integers(0, row.height, 300), strict=True):
            site = site_at(row, x + 0.5, row.top + y + 0.5)
            if site is not None:
                hits += 1
                assert ground[row.top + y, x] == (row.codes[site] >> STATE_BIT != KEPT)
        assert hits > 50


def test_the_code_holds_the_attention_and_the_state() -> None:
    layers = mel_layers()
    (row,) = cell_rows(mel_scene(clip(), TimeWindow(0, 3), MosaicStyle(layers=(1,)), 3), layers)
    layer = layers[1]
    relative = layer.attention * layer.active.sum(axis=(1, 2), keepdims=True)
    value, state = (row.codes & ((1 << STATE_BIT) - 1)) * STEP, row.codes >> STATE_BIT
    assert np.abs(value - relative).max() <= STEP / 2 + 1e-6
    assert ((state == KEPT) == layer.kept).all() and ((state == GONE) == ~layer.active).all()
    assert (state == DROPPED).any()


def test_padding_has_a_state_of_its_own() -> None:
    layers = mel_layers()
    padding = np.zeros(layers[0].kept.shape, bool)
    padding[-1, :, 8:] = True
    scene = mel_scene(clip(), TimeWindow(0, 3), MosaicStyle(layers=(0,)), 3)
    (row,) = cell_rows(scene, (replace(layers[0], padding=padding),))
    assert ((row.codes >> STATE_BIT == PADDING) == padding).all()


def test_a_clip_without_sound_has_no_sites() -> None:
    assert cell_rows(mel_scene(clip(chunks=0), TimeWindow(0, 3), MosaicStyle(), 3), mel_layers(0)) == []
