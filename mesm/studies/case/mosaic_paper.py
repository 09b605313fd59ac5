"""Draw the pictures of one clip for paper: words, faces and spectrogram on one time axis with the sites that each layer
kept, and faces with outlined regions of action units.

The mosaic's pictures are those of the screen's mosaic (`mesm.studies.case.mosaic`), pixel by pixel; letters and axes are vectors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mesm.batch import Sample
from mesm.estimate import decimal_text
from mesm.figures import overlay
from mesm.figures.page import DPI, FAINT, new_figure
from mesm.records.prediction import LayerTrace
from mesm.studies.case.difference import difference_rows
from mesm.studies.case.mosaic import (
    BODY_PX,
    GUTTER_PX,
    MosaicStyle,
    Scene,
    TimeWindow,
    face_scene,
    layer_row,
    mel_scene,
)
from mesm.studies.case.region_outlines import OUTLINES, SCALE, row_of_regions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GUTTER_IN, _EDGE_IN, _GAP_IN = 0.46, 0.02, 0.035
#: Left of a difference, whose rows are named with the share that both masks keep.
_SHARED_GUTTER_IN = 0.66
#: Height of a spectrogram, as a share of the width of the axis.
_MEL_SHARE = 0.11
_AXIS_IN, _WORD_IN = 0.22, 0.115


Traces = Mapping[str, Sequence[LayerTrace]]


def plot_mosaic(
    sample: Sample, layers: Traces, window: TimeWindow, style: MosaicStyle, width: float, against: Traces | None = None
) -> Figure:
    """Draw a row of faces and one per shown layer, the spectrogram and one per shown layer, words and seconds above.

    Args:
        layers: modality -> its traced layers; empty for a model without attention.
        width: inches.
        against: layers of another prediction for the same clip: each row then shows where the two differ.
    """
    gutter = _GUTTER_IN if against is None else _SHARED_GUTTER_IN
    body = width - gutter - _EDGE_IN
    faces = face_scene(sample, window, style, len(layers.get("visual", ())))
    mel = mel_scene(sample, window, style, len(layers.get("acoustic", ())), grey=against is not None)
    span = _shown_span(sample, window)
    face_in = body * (window.face_px / BODY_PX) * (window.span_s / span)
    rows: Rows = []
    for name, modality, scene, row_in in (
        ("face", "visual", faces, face_in),
        ("voice", "acoustic", mel, _MEL_SHARE * body),
    ):
        others = None if against is None else against.get(modality, ())
        rows += _rows(name, scene, layers.get(modality, ()), style, row_in, others)
    words = _word_lines(sample, window, span, body)
    top_in = _AXIS_IN + _WORD_IN * len(words)
    height = top_in + sum(row[2] + _GAP_IN for row in rows) + _EDGE_IN
    figure = new_figure(width, height)
    figure.set_layout_engine("none")
    bounds = (gutter / width, body / width)
    _draw_axis(figure, bounds, height, window, span, words)
    y = height - top_in
    for names, parts, row_in, scene in rows:
        y -= row_in
        axes = figure.add_axes((bounds[0], y / height, bounds[1], row_in / height))
        axes.axis("off")
        axes.set(xlim=(window.start_s, window.start_s + span), ylim=(0, 1))
        _draw_parts(axes, scene, parts, window, row_in)
        middle = (y + row_in / 2) / height
        name = "\n".join(names)
        figure.text((gutter - 0.05) / width, middle, name, ha="right", va="center", fontsize=6.5, linespacing=1.3)
        y -= _GAP_IN
    return figure


def _shown_span(sample: Sample, window: TimeWindow) -> float:
    """Return the seconds that the clip fills of the axis, in whole faces: a short clip is drawn larger."""
    end = max(sample.duration_s - window.start_s, 1.0)
    return float(min(window.span_s, np.ceil(end * 2 - 1e-6) / 2))


Rows = list[tuple[tuple[str, ...], np.ndarray, float, Scene]]


def _rows(
    name: str,
    scene: Scene,
    layers: Sequence[LayerTrace],
    style: MosaicStyle,
    row_in: float,
    against: Sequence[LayerTrace] | None,
) -> Rows:
    """Return (names, pictures, inches, scene) of the first row and of each shown layer; none without faces or sound."""
    if not scene.pictures.size:
        return []
    first = _first_row(scene)
    rows: Rows = [((name,), first, row_in, scene)]
    if against is not None:
        return rows + [
            (row.label, overlay.unpacked(row.drawn), row_in, scene) for row in difference_rows(scene, layers, against)
        ]
    for number in style.layers:
        if number < len(layers):
            row = layer_row(scene, number, layers[number])
            kept = f"{decimal_text(100 * layers[number].share, 0)} %"
            ends = () if row.scale is None else (f"{decimal_text(row.scale[0], 1)}–{decimal_text(row.scale[1], 1)}×",)
            rows.append(((f"L{number + 1}, {kept}", *ends), overlay.unpacked(row.drawn), row_in, scene))
    return rows


def _first_row(scene: Scene) -> np.ndarray:
    """Return the pictures of the screen's first row: the close-ups, or the whole spectrogram."""
    top, height, width = scene.tops[0], scene.pictures.shape[1], scene.pictures.shape[2]
    cut = [scene.background[top : top + height, x : x + width] for x in scene.columns]
    parts = [np.pad(c, ((0, 0), (0, width - c.shape[1]), (0, 0)), constant_values=255) for c in cut]
    return np.stack(parts)


def _draw_parts(axes: Axes, scene: Scene, parts: np.ndarray, window: TimeWindow, row_in: float) -> None:
    """Draw each picture at its time, enlarged without smoothing until it has the resolution of print."""
    seconds_per_px = window.span_s / BODY_PX
    times = max(1, int(np.ceil(DPI * row_in / parts.shape[1])))
    for part, x in zip(parts, scene.columns, strict=True):
        left = window.start_s + (x - GUTTER_PX) * seconds_per_px
        right = left + part.shape[1] * seconds_per_px
        large = np.repeat(np.repeat(part, times, axis=0), times, axis=1)
        axes.imshow(large, extent=(left, right, 0, 1), aspect="auto", interpolation="none")
    axes.set(xlim=axes.get_xlim(), ylim=(0, 1))


WordLines = list[list[tuple[float, str]]]


def _word_lines(sample: Sample, window: TimeWindow, span: float, body: float) -> WordLines:
    """Return the words at the second at which they start, on as many lines as keep them from touching."""
    lines: list[list[tuple[float, str]]] = []
    free: list[float] = []
    letter_s = 0.053 * span / body
    for word in sample.words:
        if not window.start_s <= word.start_s < window.start_s + span:
            continue
        line = next((n for n, x in enumerate(free) if x <= word.start_s), len(free))
        if line == len(free):
            free.append(0.0)
            lines.append([])
        # A word at the end of the axis is moved left to stay on the page.
        start = min(word.start_s, window.start_s + span - letter_s * len(word.text))
        lines[line].append((max(start, window.start_s), word.text))
        free[line] = word.start_s + letter_s * (len(word.text) + 1)
    return lines


def _draw_axis(
    figure: Figure, bounds: tuple[float, float], height: float, window: TimeWindow, span: float, words: WordLines
) -> None:
    """Draw seconds on top, words below them."""
    band = _AXIS_IN + _WORD_IN * len(words)
    axes = figure.add_axes((bounds[0], 1 - band / height, bounds[1], band / height))
    axes.axis("off")
    axes.set(xlim=(window.start_s, window.start_s + span), ylim=(band, 0))
    for half in range(int(span * 2) + 1):
        time_s = window.start_s + half / 2
        axes.plot([time_s, time_s], [_AXIS_IN - 0.06, _AXIS_IN - 0.02], color=FAINT, linewidth=0.6, clip_on=False)
        if half % 2 == 0 and time_s < window.start_s + span - 0.05:
            axes.text(time_s, _AXIS_IN - 0.08, f"{time_s:g} s", color=FAINT, fontsize=6, ha="left", va="bottom")
    for number, line in enumerate(words):
        for start, text in line:
            axes.text(start, _AXIS_IN + _WORD_IN * (number + 0.45), text, fontsize=6.5, va="center", ha="left")


def plot_regions(faces: np.ndarray, kept: np.ndarray, regions: Mapping[str, np.ndarray], width: float) -> Figure:
    """Draw faces in a row, dropped sites faded, regions outlined; see `region_outlines.row_of_regions`."""
    from matplotlib.lines import Line2D

    row = row_of_regions(faces, kept, regions)
    legend_in = 0.2 if regions else 0.0
    # A single face would fill the page: none is drawn larger than a third of it.
    face_in = min(width * faces.shape[1] * SCALE / row.shape[1], width / 3)
    row_in = (face_in * row.shape[1] / (faces.shape[1] * SCALE), face_in)
    height = row_in[1] + legend_in
    figure = new_figure(width, height)
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, legend_in / height, row_in[0] / width, row_in[1] / height))
    axes.axis("off")
    times = max(1, int(np.ceil(DPI * row_in[1] / row.shape[0])))
    large = np.repeat(np.repeat(row, times, axis=0), times, axis=1)
    axes.imshow(large, aspect="auto", interpolation="none")
    if regions:
        signs = [Line2D([], [], color=c, linewidth=2, label=n) for n, c in zip(regions, OUTLINES, strict=False)]
        figure.legend(
            handles=signs, loc="lower left", ncols=len(signs), borderpad=0.1, columnspacing=0.8, handlelength=1
        )
    return figure
