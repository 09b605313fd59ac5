"""The live pictures of one clip: faces, spectrogram and words on one time axis, with what each layer kept.

One picture per modality, of a size that depends on the clip alone: moving top-p never moves anything on the page.
Nearest neighbour everywhere: a cell of a mask is a block of pixels with sharp borders.

The spectrogram is drawn in viridis, or in grey under a heat map, whose cividis it must not be taken for.

Shape legend: S faces, H W pixels or cells, F hops of the spectrogram (12.5 ms each).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from mesm.batch import CHUNK_HOPS, CHUNK_MS, FACE_SIZE_PX, MEL_BANDS, Sample
from mesm.figures import overlay
from mesm.figures.lettering import Canvas
from mesm.figures.style import rgb, theme
from mesm.records import LayerTrace

OVERLAYS: tuple[str, ...] = ("mask", "heat map", "contours", "points")
GUTTER_PX = 116
BODY_PX = 1200
GAP_PX = 6
AXIS_PX = 28
WORDS_PX = 60
#: Seconds on the axis -> pixels of screen per pixel of a 48-px face. A face fills its half second but for a gap.
SPANS_S: dict[float, int] = {4.0: 3, 6.0: 2}
HOPS_PER_S = 1000 * CHUNK_HOPS / CHUNK_MS
#: Mel bands no frequency bin falls into at 16 kHz and 400 points (see `Sample.mel`).
EMPTY_BANDS = (0, 3, 6, 13)
#: The paper's Figure 4 draws only the highest tenth of the mel values.
LOUDEST_SHARE = 0.1


@dataclass(frozen=True)
class Strip:
    """The part of a clip that is shown, and its scale.

    Attributes:
        start_s: second at the left end.
        span_s: seconds on the whole axis, one of `SPANS_S`.
    """

    start_s: float = 0.0
    span_s: float = 6.0

    @property
    def face_px(self) -> int:
        """Side of a face."""
        return SPANS_S[self.span_s] * FACE_SIZE_PX

    def x(self, time_s: float) -> int:
        """Column of a time, from the left end of the picture."""
        return GUTTER_PX + round((time_s - self.start_s) * BODY_PX / self.span_s)


@dataclass(frozen=True)
class Look:
    """How a mosaic is drawn.

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


def fit_strip(duration_s: float, start_s: float = 0.0) -> Strip:
    """The shortest axis that holds the clip; six seconds from `start_s` of a longer one."""
    longest = max(SPANS_S)
    if duration_s > longest:
        return Strip(min(max(start_s, 0.0), duration_s), longest)
    return Strip(0.0, min(span for span in SPANS_S if span >= duration_s))


def face_mosaic(sample: Sample, layers: tuple[LayerTrace, ...], strip: Strip, look: Look) -> np.ndarray:
    """Time axis, words, faces, and a row of faces per layer.

    Args:
        layers: the visual layers of a trace; empty for a model without attention.

    Returns:
        (H, W, 3) uint8, W always the same, H by the number of rows and the strip's scale.
    """
    shown = [layer for layer in look.layers if layer < len(layers)]
    side = strip.face_px
    pitch = side + GAP_PX
    canvas = Canvas(AXIS_PX + WORDS_PX + pitch * (1 + len(shown)), GUTTER_PX + BODY_PX, theme(look.dark))
    _draw_axis(canvas, sample, strip)
    if not len(sample.faces):
        canvas.label(0, AXIS_PX + WORDS_PX, ("face",))
        canvas.write(GUTTER_PX + 8, AXIS_PX + WORDS_PX + 8, "no picture in this clip", faint=True)
        return canvas.picture()
    times = sample.face_times_s if len(sample.face_times_s) == len(sample.faces) else 0.5 * np.arange(len(sample.faces))
    columns = [(s, strip.x(float(t))) for s, t in enumerate(times) if 0 <= float(t) - strip.start_s < strip.span_s]
    indices = np.array([s for s, _ in columns], int)
    faces = overlay_size(sample.faces[indices], side)
    rows: list[tuple[tuple[str, ...], np.ndarray]] = [(("face",), _eye_faces(sample, indices, side))]
    for number in shown:
        layer = select(layers[number], indices)
        kept, active = (overlay.enlarge(m, side, side) for m in (layer.kept, layer.active))
        values, (low, high) = heat_values(layers[number], indices)
        cell = side // layer.kept.shape[1]
        offsets = overlay.cell_offsets(side, cell)
        drawn = draw_overlay(faces, kept, active, overlay.enlarge(values, side, side), (offsets, offsets), look)
        canvas.scale(low, high, AXIS_PX + WORDS_PX + pitch * len(rows), side, look.overlay == "heat map")
        rows.append((row_name(number, layers[number]), drawn))
    for row, (name, pictures) in enumerate(rows):
        top = AXIS_PX + WORDS_PX + pitch * row
        canvas.label(0, top, name)
        for picture, (_, x) in zip(pictures, columns, strict=True):
            canvas.paste(x, top, picture)
    if len(sample.face_found) == len(sample.faces):
        for s, x in columns:
            if not sample.face_found[s]:
                canvas.tag(x + 3, AXIS_PX + WORDS_PX + 3, "no face found")
    return canvas.picture()


def mel_mosaic(sample: Sample, layers: tuple[LayerTrace, ...], strip: Strip, look: Look) -> np.ndarray:
    """The spectrogram, low notes at the bottom, and a row of it per layer, on the axis of `face_mosaic`."""
    shown = [layer for layer in look.layers if layer < len(layers)]
    pitch = MEL_BANDS + GAP_PX
    canvas = Canvas(pitch * (1 + len(shown)), GUTTER_PX + BODY_PX, theme(look.dark))
    if not len(sample.mel):
        canvas.label(0, 0, ("voice",))
        canvas.write(GUTTER_PX + 8, 8, "no sound in this clip", faint=True)
        return canvas.picture()
    hops = hop_columns(strip, len(sample.mel))
    loudness = mel_loudness(sample.mel, look.loudest_only)[None, ::-1][:, :, hops]
    picture = overlay.colours(loudness, "gray" if look.overlay == "heat map" else "viridis")
    rows: list[tuple[tuple[str, ...], np.ndarray]] = [(("voice", "mel bands"), picture)]
    for number in shown:
        layer = layers[number]
        kept, active = (_along_time(m)[None, ::-1][:, :, hops] for m in (layer.kept, layer.active))
        values, (low, high) = heat_values(layer, np.arange(len(layer.kept)))
        offsets = (
            overlay.cell_offsets(MEL_BANDS, MEL_BANDS // layer.kept.shape[1]),
            _hop_offsets(strip, CHUNK_HOPS // layer.kept.shape[2])[: len(hops)],
        )
        drawn = draw_overlay(picture, kept, active, _along_time(values)[None, ::-1][:, :, hops], offsets, look)
        canvas.scale(low, high, pitch * len(rows), MEL_BANDS, look.overlay == "heat map")
        rows.append((row_name(number, layer), drawn))
    for row, (name, pictures) in enumerate(rows):
        canvas.label(0, pitch * row, name)
        canvas.paste(GUTTER_PX, pitch * row, pictures[0])
    return canvas.picture()


def draw_overlay(
    pictures: np.ndarray,
    kept: np.ndarray,
    active: np.ndarray,
    values: np.ndarray,
    offsets: tuple[np.ndarray, np.ndarray],
    look: Look,
) -> np.ndarray:
    """One layer over a stack of pictures of the same size.

    Args:
        pictures: (S, H, W, 3) uint8.
        kept: (S, H, W) bool, at the pictures' size; `active` and `values` (in [0, 1]) likewise.
        offsets: distance of rows and of columns from the middle of their site, in pixels.
    """
    colours = theme(look.dark)
    if look.overlay == "heat map":
        return overlay.heat(pictures, values, active, look.opacity, rgb(colours.ground))
    if look.overlay == "contours":
        return overlay.outline(pictures, kept, look.opacity, rgb(colours.mark))
    if look.overlay == "points":
        return overlay.points(pictures, kept, offsets, look.opacity, rgb(colours.mark))
    return overlay.fade_dropped(pictures, kept, look.opacity, rgb(colours.ground))


def select(layer: LayerTrace, segments: np.ndarray) -> LayerTrace:
    """The layer on some of its segments."""
    return LayerTrace(layer.attention[segments], layer.kept[segments], layer.active[segments], layer.backends)


def heat_values(layer: LayerTrace, segments: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """Attention of some segments in [0, 1] between the clip's lowest and highest, and these two.

    They are multiples of an even attention. The range is the whole clip's, so that the colours of its parts compare.
    """
    relative = overlay.relative_attention(layer.attention, layer.active)
    low, high = overlay.value_range(relative, layer.active)
    return (relative[segments] - low) / (high - low), (low, high)


def row_name(number: int, layer: LayerTrace) -> tuple[str, ...]:
    """What stands left of a layer's row: its name, its grid, the share it kept."""
    height, width = layer.kept.shape[1:]
    share = layer.kept.mean() if layer.kept.size else 0.0
    return f"L{number + 1}", f"{height} × {width}", f"kept {share:.0%}"


def overlay_size(faces: np.ndarray, side: int) -> np.ndarray:
    """Square faces enlarged without smoothing; `side` is a multiple of theirs."""
    factor = side // faces.shape[1]
    return np.repeat(np.repeat(faces, factor, axis=1), factor, axis=2)


def _eye_faces(sample: Sample, indices: np.ndarray, side: int) -> np.ndarray:
    """The larger crops where there are any: the first row is for the eye, the others show what the model sees."""
    if len(sample.faces_large) != len(sample.faces):
        return overlay_size(sample.faces[indices], side)
    large = sample.faces_large[indices]
    if large.shape[1] == side:
        return large
    resized = [np.asarray(Image.fromarray(f).resize((side, side), Image.Resampling.BILINEAR)) for f in large]
    return np.stack(resized) if resized else np.zeros((0, side, side, 3), np.uint8)


def _column_hops(strip: Strip) -> np.ndarray:
    """(BODY_PX,) time of each column's middle, in hops from the start of the clip."""
    return (strip.start_s + (np.arange(BODY_PX) + 0.5) * strip.span_s / BODY_PX) * HOPS_PER_S


def hop_columns(strip: Strip, chunks: int) -> np.ndarray:
    """For each column of the picture the hop that it shows, up to the end of the clip's sound."""
    hops = np.floor(_column_hops(strip) + 1e-6).astype(int)  # a column's middle may lie on the border of two
    return hops[hops < chunks * CHUNK_HOPS]


def _hop_offsets(strip: Strip, cell_hops: int) -> np.ndarray:
    """Distance of each column from the middle of its site of `cell_hops` hops, in whole pixels."""
    offsets_px = (_column_hops(strip) % cell_hops - cell_hops / 2) * BODY_PX / strip.span_s / HOPS_PER_S
    return np.floor(offsets_px).astype(int)


def mel_loudness(mel: np.ndarray, loudest_only: bool = False) -> np.ndarray:
    """(chunks, 128, 32) log10 power -> (128, F) in [0, 1]: 0 is the 5th, 1 the 99.5th percentile of the clip's values.

    Bands that are always empty do not count.

    Args:
        loudest_only: everything but the highest tenth of the values is 0.
    """
    values = mel.transpose(1, 0, 2).reshape(MEL_BANDS, -1).astype(np.float32)
    low, high, loudest = np.percentile(np.delete(values, EMPTY_BANDS, axis=0), [5, 99.5, 100 * (1 - LOUDEST_SHARE)])
    scaled = np.clip((values - low) / max(high - low, 1e-3), 0, 1)
    return np.where(values > loudest, scaled, 0) if loudest_only else scaled


def _along_time(maps: np.ndarray) -> np.ndarray:
    """(chunks, H, W) of a layer -> (128, F): every site as large as the mel values that it stands for."""
    return overlay.enlarge(maps, MEL_BANDS, CHUNK_HOPS).transpose(1, 0, 2).reshape(MEL_BANDS, -1)


def _draw_axis(canvas: Canvas, sample: Sample, strip: Strip) -> None:
    """Seconds, a tick every half; words where they are said."""
    canvas.label(0, 2, ("seconds",))
    for half in range(int(strip.span_s * 2)):
        time_s = strip.start_s + half / 2
        canvas.tick(strip.x(time_s), f"{time_s:.1f}" if half % 2 == 0 else "", AXIS_PX)
    approximate = any(word.approximate for word in sample.words)
    canvas.label(0, AXIS_PX + 3, ("words", "(about)") if approximate else ("words",))
    inside = [w for w in sample.words if w.end_s > strip.start_s and w.start_s < strip.start_s + strip.span_s]
    canvas.words([(max(strip.x(w.start_s), GUTTER_PX), w.text) for w in inside], AXIS_PX, WORDS_PX)
