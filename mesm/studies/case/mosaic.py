"""Draw the pictures of one clip: faces, spectrogram and words on one time axis, with the sites that each layer kept.

One picture per modality, of a size that depends on the clip alone: moving top-p never moves anything on the page.
Nearest neighbour everywhere: a cell of a mask is a block of pixels with sharp borders. The parts that do not depend
on top-p are a `Scene`, made once; `draw` lays a trace over it.

The spectrogram is drawn in viridis under a mask, else in grey: a heat map's cividis must not be confused with it, and a
mark must be seen on it.

Shape legend: S segments, H W pixels or cells, F hops of the spectrogram (12.5 ms each).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from mesm.batch import CHUNK_HOPS, CHUNK_MS, FACE_SIZE_PX, LOUD_FRACTION, MEL_BANDS, Sample
from mesm.estimate import decimal_text
from mesm.figures import overlay
from mesm.figures.lettering import Canvas
from mesm.figures.style import rgb, theme
from mesm.records.prediction import LayerTrace

OVERLAYS: tuple[str, ...] = ("mask", "heat map", "red tint", "contours", "points")
#: Of the opacity of a red tint, which must leave the picture visible.
TINT = 0.6
GUTTER_PX = 170
BODY_PX = 1200
GAP_PX = 6
AXIS_PX = 32
WORDS_PX = 72
#: Seconds on the axis -> pixels of screen per pixel of a 48-px face. A face fills its half second but for a gap.
SPANS_S: dict[float, int] = {2.0: 6, 3.0: 4, 4.0: 3, 6.0: 2}
HOPS_PER_S = 1000 * CHUNK_HOPS / CHUNK_MS
#: Mel bands no frequency bin falls into at 16 kHz and 400 points (see `Sample.mel`).
EMPTY_BANDS = (0, 3, 6, 13)
#: Under a heat map, how far sites fade that an earlier layer dropped.
GONE_OPACITY = 0.85
_WHITE = overlay.packed(np.full((1, 3), 255, np.uint8))[0]


@dataclass(frozen=True)
class TimeWindow:
    """Hold the part of a clip that is shown, and its scale.

    Attributes:
        start_s: second at the left end.
        span_s: seconds on the whole axis, one of `SPANS_S`.
    """

    start_s: float = 0.0
    span_s: float = 6.0

    @property
    def face_px(self) -> int:
        """Return the side of a face, in pixels."""
        return SPANS_S[self.span_s] * FACE_SIZE_PX

    def x(self, time_s: float) -> int:
        """Return the column of a time, from the left end of the picture."""
        return GUTTER_PX + round((time_s - self.start_s) * BODY_PX / self.span_s)


@dataclass(frozen=True)
class MosaicStyle:
    """Hold how a mosaic is drawn.

    Attributes:
        overlay: one of `OVERLAYS`.
        opacity: of the overlay, in [0, 1].
        layers: indices of the attention layers shown, a row each.
        loudest_only: draw only the highest tenth of the mel values, as the paper's Figure 4 does.
        dark: for a dark screen.
    """

    overlay: str = "mask"
    opacity: float = 0.8
    layers: tuple[int, ...] = (0, 1, 2)
    loudest_only: bool = False
    dark: bool = False


@dataclass(frozen=True)
class Axis:
    """Hold the positions of the pixels along one side of a picture in the model's input.

    Attributes:
        position: of each pixel's middle, in pixels of a 48-px face, in mel bands or in hops of its chunk.
        size: of the whole side in the same unit.
        scale: pixels per unit.
    """

    position: np.ndarray
    size: int
    scale: float

    def cells(self, count: int) -> np.ndarray:
        """Return the site that each pixel belongs to if the side has `count` sites."""
        # A pixel's middle may lie on the border of two sites; rounding must not put it into the lower one.
        return np.floor(self.position * count / self.size + 1e-6).astype(int)

    def offsets(self, count: int) -> np.ndarray:
        """Return whole pixels from the middle of that site."""
        cell = self.size / count
        return np.floor((self.position % cell - cell / 2) * self.scale + 1e-6).astype(int)


@dataclass(frozen=True)
class Scene:
    """Hold everything of a mosaic that does not depend on a trace.

    Attributes:
        background: (H, W, 3) uint8 with axis, words and the first row.
        pictures: (n, h, w) uint32 what the layers are drawn over, packed (see `overlay.packed`).
        touched: the same with the overlay's colour laid on everywhere; under a heat map, sunk into the ground.
        columns: left end of each picture.
        tops: upper end of the first row and of each layer's.
        names: what stands left of the first row.
        segments: the segment each pixel belongs to, (n, 1, 1) or (1, 1, w).
        rows: vertical axis of a picture.
        across: horizontal axis.
    """

    style: MosaicStyle
    background: np.ndarray
    pictures: np.ndarray
    touched: np.ndarray
    columns: tuple[int, ...]
    tops: tuple[int, ...]
    names: tuple[str, ...]
    segments: np.ndarray
    rows: Axis
    across: Axis

    def pixels(self, maps: np.ndarray) -> np.ndarray:
        """Return (S, H, W) maps of a layer at the pictures' size: (n, h, w)."""
        y, x = self.rows.cells(maps.shape[1]), self.across.cells(maps.shape[2])
        # Columns first: whole rows are then copied, which is several times as fast as picking pixel by pixel.
        columns = np.moveaxis(maps[self.segments[:, 0], :, x[None, :]], 2, 1)
        return np.ascontiguousarray(columns)[:, y]


def fit_window(duration_s: float, start_s: float = 0.0) -> TimeWindow:
    """Return the shortest time window that holds the clip; six seconds from `start_s` of a longer one."""
    longest = max(SPANS_S)
    if duration_s > longest:
        return TimeWindow(min(max(start_s, 0.0), duration_s), longest)
    return TimeWindow(0.0, min(span for span in SPANS_S if span >= duration_s))


def face_scene(sample: Sample, window: TimeWindow, style: MosaicStyle, layers: int = 3) -> Scene:
    """Build time axis, words, faces, and room for a row of faces per shown layer.

    Args:
        layers: how many the model has; 0 for one without attention.
    """
    side, first = window.face_px, AXIS_PX + WORDS_PX
    tops = _tops(first, side, style, layers)
    canvas = Canvas(tops[-1] + side + GAP_PX, GUTTER_PX + BODY_PX, theme(style.dark))
    _draw_axis(canvas, sample, window)
    times = sample.face_times_s if len(sample.face_times_s) == len(sample.faces) else 0.5 * np.arange(len(sample.faces))
    shown = np.flatnonzero((times >= window.start_s) & (times < window.start_s + window.span_s))
    columns = tuple(window.x(float(times[s])) for s in shown)
    for picture, x in zip(_eye_faces(sample, shown, side), columns, strict=True):
        canvas.paste(x, first, picture)
    if not len(sample.faces):
        canvas.write(GUTTER_PX + 8, first + 8, "no picture in this clip", faint=True)
    for s, x in zip(shown, columns, strict=True):
        if len(sample.face_found) == len(sample.faces) and not sample.face_found[s]:
            canvas.tag(x + 3, first + 3, "no face")
    factor = side // FACE_SIZE_PX
    axis = Axis((np.arange(side) + 0.5) / factor, FACE_SIZE_PX, factor)
    faces = np.repeat(np.repeat(sample.faces[shown], factor, axis=1), factor, axis=2)
    return _scene(style, canvas, faces, columns, tops, ("face",), shown[:, None, None], axis, axis)


def mel_scene(sample: Sample, window: TimeWindow, style: MosaicStyle, layers: int = 3, grey: bool = False) -> Scene:
    """Build the spectrogram on the time axis of `face_scene`, low frequencies at the bottom, and room for a row per layer.

    Args:
        layers: how many the model has.
        grey: for colours of another meaning to be laid over it.
    """
    tops = _tops(0, MEL_BANDS, style, layers)
    canvas = Canvas(tops[-1] + MEL_BANDS + GAP_PX, GUTTER_PX + BODY_PX, theme(style.dark))
    hops = (window.start_s + (np.arange(BODY_PX) + 0.5) * window.span_s / BODY_PX) * HOPS_PER_S
    hops = hops[hops < len(sample.mel) * CHUNK_HOPS]
    heard = np.floor(hops + 1e-6).astype(int)  # see Axis.cells
    if len(sample.mel):
        loudness = mel_loudness(sample.mel, style.loudest_only)[::-1]
        picture = overlay.colours(loudness, "viridis" if style.overlay == "mask" and not grey else "gray")[
            None, :, heard
        ]
    else:
        picture = np.zeros((1, MEL_BANDS, 0, 3), np.uint8)
        canvas.write(GUTTER_PX + 8, 8, "no sound in this clip", faint=True)
    canvas.paste(GUTTER_PX, 0, picture[0])
    chunks = heard // CHUNK_HOPS
    bands = Axis(MEL_BANDS - 0.5 - np.arange(MEL_BANDS), MEL_BANDS, 1)
    across = Axis(hops - chunks * CHUNK_HOPS, CHUNK_HOPS, BODY_PX / window.span_s / HOPS_PER_S)
    names = ("voice", "mel bands")
    return _scene(style, canvas, picture, (GUTTER_PX,), tops, names, chunks[None, None, :], bands, across)


def _tops(first: int, height: int, style: MosaicStyle, layers: int) -> tuple[int, ...]:
    rows = 1 + sum(number < layers for number in style.layers)
    return tuple(first + (height + GAP_PX) * row for row in range(rows))


def _scene(
    style: MosaicStyle,
    canvas: Canvas,
    pictures: np.ndarray,
    columns: tuple[int, ...],
    tops: tuple[int, ...],
    names: tuple[str, ...],
    segments: np.ndarray,
    rows: Axis,
    across: Axis,
) -> Scene:
    colours = theme(style.dark)
    if style.overlay == "heat map":
        pictures = overlay.blend(overlay.grey(pictures), (0, 0, 0), style.opacity)
        touched = overlay.blend(pictures, (0, 0, 0), GONE_OPACITY)
    else:
        colour = colours.ground if style.overlay == "mask" else colours.mark
        touched = overlay.blend(pictures, rgb(colour), style.opacity * (TINT if style.overlay == "red tint" else 1))
    words = overlay.packed(pictures), overlay.packed(touched)
    return Scene(style, canvas.picture(), *words, columns, tops, names, segments, rows, across)


@dataclass(frozen=True)
class LayerRow:
    """Hold one layer's row.

    Attributes:
        label: left of it.
        drawn: (n, h, w) uint32 packed pictures, see `overlay.packed`.
        scale: lowest and highest value of a heat map.
    """

    label: tuple[str, ...]
    drawn: np.ndarray
    scale: tuple[float, float] | None = None


def draw(scene: Scene, layers: Sequence[LayerTrace] = ()) -> np.ndarray:
    """Draw a scene with a row for each shown layer of a trace.

    Returns:
        (H, W, 3) uint8.
    """
    shown = [number for number in scene.style.layers if number < len(layers)] if scene.pictures.size else []
    return compose(scene, [layer_row(scene, number, layers[number]) for number in shown])


def compose(scene: Scene, rows: Sequence[LayerRow]) -> np.ndarray:
    """Draw a scene with these rows, from the top: (H, W, 3) uint8."""
    picture = scene.background.copy()
    gutter = Canvas(len(picture), GUTTER_PX, theme(scene.style.dark))
    gutter.label(0, scene.tops[0], scene.names)
    height = scene.pictures.shape[1]
    for row, top in zip(rows, scene.tops[1:], strict=False):
        gutter.label(0, top, row.label)
        if row.scale is not None:
            gutter.scale(*row.scale, top, height)
        for part, x in zip(overlay.unpacked(row.drawn), scene.columns, strict=True):
            width = max(0, min(part.shape[1], picture.shape[1] - x))
            picture[top : top + height, x : x + width] = part[:, :width]
    letters = gutter.picture()
    picture[scene.tops[0] :, :GUTTER_PX] = letters[scene.tops[0] :]
    return picture


#: Distance of the hatching's lines along a row of pixels.
_HATCH_PX = 6


def layer_row(scene: Scene, number: int, layer: LayerTrace) -> LayerRow:
    """Return the sites that one layer kept, over the pictures of a scene."""
    if scene.style.overlay == "heat map":
        drawn, low, high = _heated(scene, layer)
        return LayerRow(
            row_name(number, layer, f"{decimal_text(low, 2)}–{high:.3g}×"), hatched(scene, layer, drawn), (low, high)
        )
    selected = _selected(scene, layer)
    drawn = np.where(selected, scene.touched, scene.pictures)
    if scene.style.overlay in ("contours", "points"):
        drawn[overlay.halo(selected)] = _WHITE
    return LayerRow(row_name(number, layer), hatched(scene, layer, drawn))


def hatched(scene: Scene, layer: LayerTrace, drawn: np.ndarray) -> np.ndarray:
    """Draw hatching over the padding after the end of the sound, whatever the layer keeps of it."""
    if layer.padding is None or not layer.has_padding:
        return drawn
    colours = theme(scene.style.dark)
    ground, line = overlay.packed(np.array([rgb(colours.ground), rgb(colours.faint)], np.uint8))
    y, x = np.ogrid[: drawn.shape[1], : drawn.shape[2]]
    return np.where(scene.pixels(layer.padding), np.where((x + y) % _HATCH_PX == 0, line, ground), drawn)


def _selected(scene: Scene, layer: LayerTrace) -> np.ndarray:
    """Return a mask of the pixels that get the overlay's colour."""
    kept = scene.pixels(layer.kept)
    if scene.style.overlay == "red tint":
        return kept
    if scene.style.overlay == "contours":
        return overlay.border(kept)
    if scene.style.overlay == "points":
        height, width = layer.kept.shape[1:]
        return overlay.dots(kept, (scene.rows.offsets(height), scene.across.offsets(width)))
    return ~kept


def _heated(scene: Scene, layer: LayerTrace) -> tuple[np.ndarray, float, float]:
    """Return the packed pictures under a layer's attention, and its lowest and highest value relative to uniform.

    The range is the whole clip's, so that the colours of its parts compare.
    """
    relative = overlay.relative_attention(layer.attention, layer.active)
    low, high = overlay.value_range(relative, layer.active)
    ground, opacity = rgb(theme(scene.style.dark).ground), scene.style.opacity
    colours = overlay.blend(overlay.colours((relative - low) / (high - low)), (0, 0, 0), 1 - opacity)
    sunk = overlay.blend(colours, ground, GONE_OPACITY)
    colours = np.where(layer.active[..., None], colours, sunk)
    under = np.where(scene.pixels(layer.active), scene.pictures, scene.touched)
    # Both are already at their share of the whole: no byte's sum exceeds 255, so words can be added.
    return under + scene.pixels(overlay.packed(colours)), low, high


def row_name(number: int, layer: LayerTrace, values: str = "") -> tuple[str, ...]:
    """Return the label of a layer's row: its name, the share that it kept, its grid or the range of its values."""
    height, width = layer.kept.shape[1:]
    return f"L{number + 1}", f"kept {decimal_text(100 * layer.share, 0)} %", values or f"{height} × {width}"


def mel_loudness(mel: np.ndarray, loudest_only: bool = False) -> np.ndarray:
    """Scale (chunks, 128, 32) log10 power to (128, F) in [0, 1]: 0 is the 5th, 1 the 99.5th percentile of the clip's values.

    Bands that are always empty do not count.

    Args:
        loudest_only: everything but the highest tenth of the values is 0.
    """
    values = mel.transpose(1, 0, 2).reshape(MEL_BANDS, -1).astype(np.float32)
    low, high, loudest = np.percentile(np.delete(values, EMPTY_BANDS, axis=0), [5, 99.5, 100 * (1 - LOUD_FRACTION)])
    scaled = np.clip((values - low) / max(high - low, 1e-3), 0, 1)
    return np.where(values > loudest, scaled, 0) if loudest_only else scaled


def _eye_faces(sample: Sample, shown: np.ndarray, side: int) -> list[np.ndarray]:
    """Return the larger crops where there are any, for the first row; the other rows show the model's input."""
    large = len(sample.faces_large) == len(sample.faces)
    faces = (sample.faces_large if large else sample.faces)[shown]
    method = Image.Resampling.BILINEAR if large else Image.Resampling.NEAREST
    return [np.asarray(Image.fromarray(face).resize((side, side), method)) for face in faces]


def _draw_axis(canvas: Canvas, sample: Sample, window: TimeWindow) -> None:
    """Draw seconds, with a tick every half, and each word at its start."""
    canvas.label(0, 2, ("seconds",))
    for half in range(int(window.span_s * 2)):
        time_s = window.start_s + half / 2
        canvas.tick(window.x(time_s), f"{time_s:.1f}" if half % 2 == 0 else "", AXIS_PX)
    approximate = any(word.approximate for word in sample.words)
    canvas.label(0, AXIS_PX + 3, ("words", "(about)") if approximate else ("words",))
    inside = [w for w in sample.words if w.end_s > window.start_s and w.start_s < window.start_s + window.span_s]
    canvas.words([(max(window.x(w.start_s), GUTTER_PX), w.text) for w in inside], AXIS_PX, WORDS_PX)
