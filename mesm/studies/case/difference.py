"""Two traces of one clip over each other: what both kept, and what only one of them did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mesm.batch import Sample
from mesm.figures import overlay
from mesm.figures.style import EMOTION_COLOURS, rgb
from mesm.records.prediction import LayerTrace
from mesm.studies.case.mosaic import Look, Row, Scene, Strip, compose, face_scene, mel_scene

#: Blue and orange of Okabe & Ito: told apart by every common colour vision, and in grey by their lightness.
FIRST_COLOUR, SECOND_COLOUR = EMOTION_COLOURS["sadness"], EMOTION_COLOURS["happiness"]
TINT = 0.55


def difference_mosaics(
    sample: Sample,
    first: dict[str, tuple[LayerTrace, ...]],
    second: dict[str, tuple[LayerTrace, ...]],
    strip: Strip,
    look: Look,
) -> tuple[np.ndarray, np.ndarray]:
    """Faces and spectrogram with a row per layer: blue only the first kept it, orange only the second, faded neither.

    Args:
        first: modality -> layers of a trace of this clip.
        second: of another trace of the same clip, on the same grids.

    Returns:
        Two (H, W, 3) uint8 pictures.
    """
    plain = replace(look, overlay="mask")
    faces = face_scene(sample, strip, plain, len(first.get("visual", ())))
    sounds = mel_scene(sample, strip, plain, len(first.get("acoustic", ())), grey=True)
    return (
        _draw(faces, first.get("visual", ()), second.get("visual", ())),
        _draw(sounds, first.get("acoustic", ()), second.get("acoustic", ())),
    )


def overlap(first: LayerTrace, second: LayerTrace) -> float:
    """Sites that both kept, of those that either did; 1 where neither kept any."""
    either = int((first.kept | second.kept).sum())
    return int((first.kept & second.kept).sum()) / either if either else 1.0


def difference_caption(
    first: Sequence[LayerTrace], second: Sequence[LayerTrace], shown: Sequence[int], names: tuple[str, str]
) -> str:
    """What to see in a difference, and how much of it there is."""
    shares = [f"L{n + 1} {100 * overlap(first[n], second[n]):.0f} %" for n in shown if n < min(len(first), len(second))]
    return (
        f"Blue: only {names[0]} keeps it. Orange: only {names[1]} does. Clear: both. Faded: neither. "
        f"Shared, of what either keeps: {', '.join(shares) or 'nothing to compare'}."
    )


def difference_rows(scene: Scene, first: Sequence[LayerTrace], second: Sequence[LayerTrace]) -> list[Row]:
    """A row per layer that both traces have and the scene's look shows."""
    shown = [n for n in scene.look.layers if n < min(len(first), len(second))] if scene.pictures.size else []
    clear = overlay.unpacked(scene.pictures)
    tints = [overlay.packed(overlay.blend(clear, rgb(c), TINT)) for c in (FIRST_COLOUR, SECOND_COLOUR)]
    rows = []
    for number in shown:
        ours, theirs = scene.pixels(first[number].kept), scene.pixels(second[number].kept)
        drawn = np.where(ours, np.where(theirs, scene.pictures, tints[0]), np.where(theirs, tints[1], scene.touched))
        label = (f"L{number + 1}", f"shared {100 * overlap(first[number], second[number]):.0f} %")
        rows.append(Row(label, drawn))
    return rows


def _draw(scene: Scene, first: Sequence[LayerTrace], second: Sequence[LayerTrace]) -> np.ndarray:
    return compose(scene, difference_rows(scene, first, second))
