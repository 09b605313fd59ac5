"""Draw the paper's Figures 3 and 4: the sites that each layer keeps, on a face per emotion and on one spectrogram."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from mesm.batch import CHUNK_HOPS, CHUNK_MS, FACE_SIZE_PX, Sample
from mesm.figures import overlay
from mesm.figures.page import DPI, FAINT, new_figure
from mesm.figures.style import LIGHT, rgb
from mesm.records.prediction import LayerTrace
from mesm.studies.case.mosaic import mel_loudness
from mesm.studies.case.six import ShownFace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Share of red in a kept site of a face.
TINT = 0.5
_WIDE_IN = 4.5
_GUTTER_IN, _GAP_IN, _HEAD_IN = 0.17, 0.03, 0.15
#: Height of a spectrogram and room for the name left of it, inches; share of a site's pitch that its dot takes.
_MEL_IN, _MEL_GUTTER_IN, _DOT_SHARE = 0.74, 0.3, 0.75
#: Room for the axis below the last spectrogram, inches.
_FOOT_IN = 0.36


def tinted_face(face: np.ndarray, kept: np.ndarray, side: int) -> np.ndarray:
    """Return a (h, w, 3) uint8 face at this many pixels, its kept sites of a (H, W) map tinted red."""
    large = enlarged(face, side)
    cells = np.arange(side) * len(kept) // side
    red = overlay.blend(large, rgb(LIGHT.mark), TINT)
    return np.where(kept[np.ix_(cells, cells)][..., None], red, large)


def enlarged(face: np.ndarray, side: int) -> np.ndarray:
    """Return a face at this many pixels: the model's own 48 px as sharp squares, a close-up smoothly."""
    method = Image.Resampling.NEAREST if len(face) == FACE_SIZE_PX else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(face).resize((side, side), method))


def plot_six(faces: Sequence[ShownFace], width: float) -> Figure:
    """Draw a face per emotion: the frame, then what each layer keeps, in red; three rows of two emotions where it is wide."""
    beside = 2 if width > _WIDE_IN and len(faces) > 1 else 1
    layers = max(len(face.layers) for face in faces)
    lines, across = -(-len(faces) // beside), 1 + layers
    block = (width - _GAP_IN * 4 * (beside - 1)) / beside
    side = (block - _GUTTER_IN - _GAP_IN * across) / across
    height = _HEAD_IN + lines * (side + _GAP_IN)
    figure = new_figure(width, height)
    figure.set_layout_engine("none")
    pixels = int(np.ceil(DPI * side / FACE_SIZE_PX)) * FACE_SIZE_PX
    for number, shown in enumerate(faces):
        line, column = number % lines, number // lines
        left = column * (block + 4 * _GAP_IN)
        top = _HEAD_IN + line * (side + _GAP_IN)
        figure.text(
            (left + _GUTTER_IN / 2) / width, 1 - (top + side / 2) / height, shown.emotion, rotation=90, ha="center",
            va="center", fontsize=7,
        )  # fmt: skip
        face = _display_face(shown)
        pictures = [enlarged(face, pixels)]
        pictures += [tinted_face(face, layer.kept[shown.number], pixels) for layer in shown.layers]
        for place, picture in enumerate(pictures):
            x = left + _GUTTER_IN + place * (side + _GAP_IN)
            axes = figure.add_axes((x / width, 1 - (top + side) / height, side / width, side / height))
            axes.axis("off")
            axes.imshow(picture, interpolation="none", aspect="auto")
            if line == 0:
                name = "frame" if place == 0 else f"L{place}"
                figure.text(
                    (x + side / 2) / width, 1 - _HEAD_IN / 2 / height, name, ha="center", va="center", fontsize=7
                )
    return figure


def _display_face(shown: ShownFace) -> np.ndarray:
    sample = shown.sample
    large = len(sample.faces_large) == len(sample.faces)
    face: np.ndarray = (sample.faces_large if large else sample.faces)[shown.number]
    return face


def plot_mel(sample: Sample, layers: Sequence[LayerTrace], width: float) -> Figure:
    """Draw the highest tenth of the mel values in grey, then over them a red point per site that each layer keeps.

    Points of the end of the last chunk, where there is no sound, are left out.
    """
    rows, row_in = 1 + len(layers), _MEL_IN if width < _WIDE_IN else 1.25 * _MEL_IN
    height = rows * (row_in + _GAP_IN) + _FOOT_IN
    figure = new_figure(width, height)
    figure.set_layout_engine("none")
    hops_s = CHUNK_MS / CHUNK_HOPS / 1000
    # The mel of a clip ends with its last chunk; the sound may end before.
    end = min(sample.duration_s, len(sample.mel) * CHUNK_MS / 1000) or 1.0
    ink = 1 - 0.75 * mel_loudness(sample.mel, loudest_only=True)
    ink = ink[:, : int(np.ceil(end / hops_s))]
    body = width - _MEL_GUTTER_IN - 0.08
    for row in range(rows):
        bottom = height - 0.03 - (row + 1) * row_in - row * _GAP_IN
        axes = figure.add_axes((_MEL_GUTTER_IN / width, bottom / height, body / width, row_in / height))
        axes.imshow(
            np.repeat(overlay.colours(ink, "gray"), 4, axis=1), extent=(0, ink.shape[1] * hops_s, 0, 1), aspect="auto",
            origin="lower", interpolation="none",
        )  # fmt: skip
        axes.set(xlim=(0, end), ylim=(0, 1), yticks=[])
        axes.spines[:].set(visible=True, color=FAINT, linewidth=0.5)
        axes.set_ylabel("mel" if row == 0 else f"L{row}", rotation=0, ha="right", va="center")
        if row:
            _draw_points(axes, layers[row - 1].kept, end, (body, row_in))
        if row < rows - 1:
            axes.set_xticks([])
        else:
            axes.set_xlabel("seconds")
    return figure


def _draw_points(axes: Axes, kept: np.ndarray, end: float, size_in: tuple[float, float]) -> None:
    """Draw a red point in the middle of every kept site of (chunks, H, W), as large as the sites' pitch allows."""
    chunk, band, step = np.nonzero(kept)
    _, bands, steps = kept.shape
    x = (chunk + (step + 0.5) / steps) * CHUNK_MS / 1000
    y = (band + 0.5) / bands
    heard = x < end
    pitch_pt = 72 * min(size_in[1] / bands, size_in[0] * CHUNK_MS / 1000 / steps / end)
    axes.scatter(
        x[heard], y[heard], s=(_DOT_SHARE * pitch_pt) ** 2, color=LIGHT.mark, linewidths=0, marker="o"
    )  # fmt: skip
