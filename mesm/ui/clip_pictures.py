"""Draw the mosaics of a clip as PNG; the last ones are kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import streamlit as st

from mesm.figures.png import encode_png
from mesm.records.prediction import LayerTrace, Prediction, Trace
from mesm.studies.case.cells import CellRow, cell_rows
from mesm.studies.case.difference import difference_mosaics
from mesm.studies.case.mosaic import MosaicStyle, Scene, TimeWindow, draw, face_scene, mel_scene
from mesm.ui.clip_cache import clip_cache
from mesm.ui.corpora import Case, hides_faces


def draw_clip(
    case: Case, prediction: Prediction | None, source: str, window: TimeWindow, style: MosaicStyle
) -> tuple[bytes, bytes]:
    """Draw the faces and the spectrogram of a clip with what each layer kept.

    Args:
        source: digest of the weights that made the prediction; "" without one.
    """
    trace = prediction.trace if prediction else None
    return _draw_clip(case, hides_faces(case.licence), source, trace.top_p if trace else 1.0, window, style, trace)


@clip_cache(st.cache_data, max_entries=24)
def _draw_clip(
    _case: Case,
    clip: str,
    is_hidden: bool,
    source: str,
    top_p: float,
    window: TimeWindow,
    style: MosaicStyle,
    _trace: Trace | None,
) -> tuple[bytes, bytes]:
    layers = _trace.layers if _trace else {}
    faces, sounds = layers.get("visual", ()), layers.get("acoustic", ())
    scenes = _scenes(_case, is_hidden, window, style, len(faces), len(sounds))
    with ThreadPoolExecutor(1) as second:  # numpy and zlib let both run at once
        face_png = second.submit(lambda: encode_png(draw(scenes[0], faces)))
        mel_png = encode_png(draw(scenes[1], sounds))
        return face_png.result(), mel_png


@clip_cache(st.cache_resource, max_entries=4)
def _scenes(
    _case: Case, clip: str, is_hidden: bool, window: TimeWindow, style: MosaicStyle, faces: int, sounds: int
) -> tuple[Scene, Scene]:
    return face_scene(_case.shown, window, style, faces), mel_scene(_case.shown, window, style, sounds)


def locate_cells(
    case: Case, layers: dict[str, tuple[LayerTrace, ...]], window: TimeWindow, style: MosaicStyle
) -> tuple[list[CellRow], list[CellRow]]:
    """Return the sites of the two pictures of `draw_clip`: faces, spectrogram."""
    faces, sounds = layers.get("visual", ()), layers.get("acoustic", ())
    scenes = _scenes(case, hides_faces(case.licence), window, style, len(faces), len(sounds))
    return cell_rows(scenes[0], faces), cell_rows(scenes[1], sounds)


def draw_difference(
    case: Case,
    first: dict[str, tuple[LayerTrace, ...]],
    second: dict[str, tuple[LayerTrace, ...]],
    window: TimeWindow,
    style: MosaicStyle,
) -> tuple[bytes, bytes]:
    """Draw two traces of a clip over each other: faces, spectrogram."""
    faces, sounds = difference_mosaics(case.shown, first, second, window, style)
    return encode_png(faces), encode_png(sounds)
