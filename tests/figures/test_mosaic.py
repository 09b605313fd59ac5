"""Pixels of the live pictures, each from a site worked out by hand or by a slow loop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mesm.batch import Sample, Word
from mesm.figures import overlay
from mesm.figures.lettering import text_px
from mesm.figures.style import DARK, LIGHT, rgb, theme
from mesm.records.prediction import LayerTrace
from mesm.studies.case.mosaic import (
    AXIS_PX,
    BODY_PX,
    EMPTY_BANDS,
    GAP_PX,
    GUTTER_PX,
    OVERLAYS,
    WORDS_PX,
    Axis,
    MosaicStyle,
    TimeWindow,
    draw,
    face_scene,
    fit_window,
    layer_row,
    mel_loudness,
    mel_scene,
)

TOP = AXIS_PX + WORDS_PX


def face_mosaic(sample: Sample, layers: Sequence[LayerTrace], window: TimeWindow, style: MosaicStyle) -> np.ndarray:
    return draw(face_scene(sample, window, style, len(layers)), layers)


def mel_mosaic(sample: Sample, layers: Sequence[LayerTrace], window: TimeWindow, style: MosaicStyle) -> np.ndarray:
    return draw(mel_scene(sample, window, style, len(layers)), layers)


RNG = np.random.default_rng(0)


def clip(frames: int = 5, chunks: int = 6, seed: int = 0) -> Sample:
    rng = np.random.default_rng(seed)
    return Sample(
        "c",
        "one two",
        rng.integers(0, 256, (frames, 48, 48, 3), dtype=np.uint8),
        rng.normal(-3, 1, (chunks, 128, 32)).astype(np.float16),
        duration_s=max(frames / 2, chunks * 0.4),
        face_times_s=np.arange(frames, dtype=np.float32) / 2,
        face_found=np.ones(frames, bool),
        words=(Word("one", 0.0, 0.5), Word("two", 0.5, 1.0, approximate=True)),
    )


def layer(segments: int, height: int, width: int, share: float = 0.5, seed: int = 0) -> LayerTrace:
    rng = np.random.default_rng(seed)
    active = rng.random((segments, height, width)) < 0.9
    kept = active & (rng.random(active.shape) < share)
    attention = rng.random(active.shape).astype(np.float32) * active
    return LayerTrace(attention / attention.sum(axis=(1, 2), keepdims=True), kept, active)


def face_layers(frames: int = 5) -> tuple[LayerTrace, ...]:
    return tuple(layer(frames, 24 >> i, 24 >> i, seed=i) for i in range(3))


def mel_layers(chunks: int = 6) -> tuple[LayerTrace, ...]:
    return tuple(layer(chunks, 64 >> i, 16 >> i, seed=i) for i in range(3))


def faded(pixel: np.ndarray, opacity: float, ground: tuple[int, int, int]) -> np.ndarray:
    return np.array([p + (g - int(p)) * opacity for p, g in zip(pixel.tolist(), ground, strict=True)])


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_dropped_site_of_a_face_fades_and_a_kept_one_stays(number: int) -> None:
    sample, layers, window = clip(), face_layers(), TimeWindow(0, 6)
    picture = face_mosaic(sample, layers, window, MosaicStyle(opacity=0.75))
    grid = 24 >> number
    px = window.face_px // 48
    top = TOP + (window.face_px + GAP_PX) * (1 + number)
    for s, y, x in RNG.integers(0, (5, 48, 48), (200, 3)):
        pixel = picture[top + px * y, GUTTER_PX + 100 * s + px * x].astype(int)
        want = sample.faces[s, y, x].astype(float)
        if not layers[number].kept[s, y * grid // 48, x * grid // 48]:
            want = faded(sample.faces[s, y, x], 0.75, rgb(LIGHT.ground))
        assert np.abs(pixel - want).max() <= 1.01


def test_a_site_of_the_spectrogram_is_where_its_time_and_its_band_are() -> None:
    sample, layers, window = clip(), mel_layers(), TimeWindow(0, 4)
    picture = mel_mosaic(sample, layers, window, MosaicStyle(opacity=1.0))
    loudness = mel_loudness(sample.mel)
    for number in range(3):
        height, width = layers[number].kept.shape[1:]
        top = (128 + GAP_PX) * (1 + number)
        for column, band in RNG.integers(0, (round(2.4 / 4 * BODY_PX), 128), (200, 2)):
            chunk, hop = divmod((2 * column + 1) * 4 * 80 // (2 * BODY_PX), 32)  # 80 hops a second
            want = overlay.colours(loudness[band, chunk * 32 + hop], "viridis")
            if not layers[number].kept[chunk, band * height // 128, hop * width // 32]:
                want = np.array(rgb(LIGHT.ground))
            found = picture[top + 127 - band, GUTTER_PX + column]
            assert np.abs(found.astype(int) - want.astype(int)).max() <= 1


def test_the_picture_ends_with_the_sound() -> None:
    picture = mel_mosaic(clip(chunks=6), mel_layers(), TimeWindow(0, 4), MosaicStyle())
    end = GUTTER_PX + round(2.4 / 4 * BODY_PX)
    assert (picture[:, end:] == rgb(LIGHT.ground)).all()
    assert (picture[:, end - 1] != rgb(LIGHT.ground)).any()


@pytest.mark.parametrize("style", OVERLAYS)
@pytest.mark.parametrize("dark", [False, True])
def test_size_does_not_depend_on_what_was_kept(style: str, dark: bool) -> None:
    sample, window = clip(), fit_window(2.5)
    sizes = set()
    for share in (0.05, 0.5, 1.0):
        faces = tuple(layer(5, 24 >> i, 24 >> i, share) for i in range(3))
        mels = tuple(layer(6, 64 >> i, 16 >> i, share) for i in range(3))
        style = MosaicStyle(overlay=style, dark=dark)
        sizes.add((face_mosaic(sample, faces, window, style).shape, mel_mosaic(sample, mels, window, style).shape))
    assert len(sizes) == 1


def test_the_two_pictures_share_one_time_axis() -> None:
    sample = clip()
    faces, mels = (f(sample, (), TimeWindow(0, 6), MosaicStyle()) for f in (face_mosaic, mel_mosaic))
    assert faces.shape[1] == mels.shape[1] == GUTTER_PX + BODY_PX <= 1460  # more, and Streamlit would scale it down


def enlarge(maps: np.ndarray, factor: int) -> np.ndarray:
    return maps.repeat(factor, axis=1).repeat(factor, axis=2)


def test_a_kept_site_has_its_outline_inside() -> None:
    kept = np.zeros((1, 6, 6), bool)
    kept[0, 2, 3] = True
    line = overlay.border(enlarge(kept, 16))[0]
    rows, columns = np.nonzero(line)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (32, 47, 48, 63)
    assert not line[35:44, 51:60].any()
    assert not overlay.border(np.ones((1, 96, 96), bool)).any()


@given(st.integers(2, 16), st.floats(0.05, 0.95), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_points_mark_kept_sites_and_no_others(cell: int, share: float, seed: int) -> None:
    kept = np.random.default_rng(seed).random((2, 6, 6)) < share
    offsets = Axis((np.arange(6 * cell) + 0.5) / cell, 6, cell).offsets(6)
    marked = overlay.dots(enlarge(kept, cell), (offsets, offsets))
    assert (marked.reshape(2, 6, cell, 6, cell).any(axis=(2, 4)) == kept).all()


def test_heat_goes_from_the_clips_lowest_to_its_highest() -> None:
    sample, layers, window = clip(), face_layers(), TimeWindow(0, 6)
    picture = face_mosaic(sample, layers, window, MosaicStyle("heat map", 1.0))
    relative = layers[2].attention * layers[2].active.sum(axis=(1, 2), keepdims=True)
    top = TOP + (window.face_px + GAP_PX) * 3
    for value, colour in ((relative[layers[2].active].min(), (0, 34, 78)), (relative.max(), (254, 232, 56))):
        s, y, x = np.argwhere((relative == value) & layers[2].active)[0]
        found = picture[top + 16 * y + 8, GUTTER_PX + 100 * s + 16 * x + 8]
        assert np.abs(found.astype(int) - colour).max() <= 2
    s, y, x = np.argwhere(~layers[2].active)[0]
    assert picture[top + 16 * y + 8, GUTTER_PX + 100 * s + 16 * x + 8].min() > 200  # sunk into the white ground


def test_an_even_attention_is_one() -> None:
    active = RNG.random((3, 6, 6)) < 0.6
    even = active / active.sum(axis=(1, 2), keepdims=True)
    assert np.allclose(overlay.relative_attention(even, active)[active], 1)


def test_loudest_tenth() -> None:
    mel = RNG.normal(-3, 1, (4, 128, 32)).astype(np.float16)
    mel[:, list(EMPTY_BANDS)] = -10
    shown = np.delete(mel_loudness(mel, loudest_only=True), EMPTY_BANDS, axis=0) > 0
    assert abs(shown.mean() - 0.1) < 0.005
    assert not mel_loudness(mel, loudest_only=True)[list(EMPTY_BANDS)].any()


def test_silence_is_drawn() -> None:
    silent = mel_loudness(np.full((2, 128, 32), -10, np.float16))
    assert np.isfinite(silent).all() and silent.max() <= 1


@given(st.floats(0.1, 600), st.floats(0, 600))
@settings(max_examples=60, deadline=None)
def test_a_strip_holds_the_clip_or_six_seconds_of_it(duration_s: float, start_s: float) -> None:
    window = fit_window(duration_s, start_s)
    assert 0 <= window.start_s <= duration_s
    assert window.span_s >= min(duration_s, 6)
    assert window.x(window.start_s) == GUTTER_PX and window.x(window.start_s + window.span_s) == GUTTER_PX + BODY_PX


def test_without_a_face_or_a_sound_there_is_a_sentence() -> None:
    nothing = Sample("n", "", np.zeros((0, 48, 48, 3), np.uint8), np.zeros((0, 128, 32), np.float16), 1.0)
    for picture in (
        face_mosaic(nothing, (), TimeWindow(0, 4), MosaicStyle()),
        mel_mosaic(nothing, (), TimeWindow(0, 4), MosaicStyle()),
    ):
        assert (picture[:, GUTTER_PX:] != rgb(LIGHT.ground)).any()


def test_a_frame_without_a_face_is_tagged() -> None:
    sample = clip()
    found = np.array([True, False, True, True, True])
    tagged = face_mosaic(Sample(**{**vars(sample), "face_found": found}), (), TimeWindow(0, 6), MosaicStyle())
    plain = face_mosaic(sample, (), TimeWindow(0, 6), MosaicStyle())
    columns = np.nonzero((tagged != plain).any(axis=(0, 2)))[0]
    assert columns.min() >= GUTTER_PX + 100 and columns.max() < GUTTER_PX + 260


def test_dark_ground_is_the_dark_themes() -> None:
    assert (face_mosaic(clip(), (), TimeWindow(0, 6), MosaicStyle(dark=True))[-1, -1] == rgb(DARK.ground)).all()
    assert theme(True) is DARK


@pytest.mark.parametrize("overlay_name", ["mask", "heat map"])
def test_the_label_of_a_row_fits_beside_it(overlay_name: str) -> None:
    """In the smallest picture, of a clip of six seconds, with a colour bar at the right of the gutter."""
    whole = layer(5, 24, 24, share=2)
    row = layer_row(face_scene(clip(), TimeWindow(0.0, 6.0), MosaicStyle(overlay_name)), 0, whole)
    assert row.label[:2] == ("L1", f"kept {100 * whole.share:.0f} %") and len(row.label) == 3
    assert (row.label[2] == "24 × 24") == (overlay_name == "mask")
    assert max(text_px(line, small=True) for line in row.label) <= GUTTER_PX - 24
    lettered = draw(face_scene(clip(), TimeWindow(0.0, 6.0), MosaicStyle(overlay_name)), (whole,))
    top = AXIS_PX + WORDS_PX + 96 + GAP_PX
    assert (lettered[top + 92 : top + 96, : GUTTER_PX - 24] == rgb(LIGHT.ground)).all(), (
        "the last line is cut or too low"
    )
