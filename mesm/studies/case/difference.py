"""Lay two traces of one clip over each other: sites that both kept, sites that only one of them kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mesm.batch import Sample
from mesm.estimate import decimal_text
from mesm.figures import overlay
from mesm.figures.style import EMOTION_COLOURS, rgb
from mesm.records.prediction import LayerTrace
from mesm.studies.case.mosaic import LayerRow, MosaicStyle, Scene, TimeWindow, compose, face_scene, hatched, mel_scene

#: Blue and orange of Okabe & Ito: told apart by every common colour vision, and in grey by their lightness.
FIRST_COLOUR, SECOND_COLOUR = EMOTION_COLOURS["sadness"], EMOTION_COLOURS["happiness"]
TINT = 0.55


def difference_mosaics(
    sample: Sample,
    first: dict[str, tuple[LayerTrace, ...]],
    second: dict[str, tuple[LayerTrace, ...]],
    window: TimeWindow,
    style: MosaicStyle,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw faces and spectrogram with a row per layer; blue: only the first kept it, orange: only the second, faded: neither.

    Args:
        first: modality -> layers of a trace of this clip.
        second: of another trace of the same clip, on the same grids.

    Returns:
        Two (H, W, 3) uint8 pictures.
    """
    plain = replace(style, overlay="mask")
    faces = face_scene(sample, window, plain, len(first.get("visual", ())))
    sounds = mel_scene(sample, window, plain, len(first.get("acoustic", ())), grey=True)
    return (
        compose(faces, difference_rows(faces, first.get("visual", ()), second.get("visual", ()))),
        compose(sounds, difference_rows(sounds, first.get("acoustic", ()), second.get("acoustic", ()))),
    )


def overlap(first: LayerTrace, second: LayerTrace) -> float:
    """Return the intersection over union of two layers' kept sites without padding, in [0, 1]; 1 where neither kept any."""
    one, other = first.kept_inside, second.kept_inside
    either = int((one | other).sum())
    return int((one & other).sum()) / either if either else 1.0


def overlaps(first: Sequence[LayerTrace], second: Sequence[LayerTrace], shown: Sequence[int]) -> dict[int, float]:
    """Return layer (from 0) -> `overlap`, for the shown layers that both traces have."""
    return {n: overlap(first[n], second[n]) for n in shown if n < min(len(first), len(second))}


def difference_caption(shares: Mapping[int, float], names: tuple[str, str]) -> str:
    """Return the legend of a difference, and the overlap of the masks per layer."""
    parts = ", ".join(f"L{number + 1} {decimal_text(100 * share, 0)} %" for number, share in shares.items())
    return (
        f"Blue: kept only by {names[0]}. Orange: kept only by {names[1]}. Full colour: kept by both. Faded: by neither. "
        f"Overlap of the kept sites (intersection over union): {parts or 'nothing to compare'}."
    )


def difference_rows(scene: Scene, first: Sequence[LayerTrace], second: Sequence[LayerTrace]) -> list[LayerRow]:
    """Return a row per layer that both traces have and the scene's style shows."""
    shares = overlaps(first, second, scene.style.layers) if scene.pictures.size else {}
    clear = overlay.unpacked(scene.pictures)
    tints = [overlay.packed(overlay.blend(clear, rgb(c), TINT)) for c in (FIRST_COLOUR, SECOND_COLOUR)]
    rows = []
    for number, share in shares.items():
        ours, theirs = scene.pixels(first[number].kept), scene.pixels(second[number].kept)
        drawn = np.where(ours, np.where(theirs, scene.pictures, tints[0]), np.where(theirs, tints[1], scene.touched))
        label = (f"L{number + 1}", f"shared {decimal_text(100 * share, 0)} %")
        rows.append(LayerRow(label, hatched(scene, first[number], drawn)))
    return rows
