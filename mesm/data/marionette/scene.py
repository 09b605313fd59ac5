"""Render one frame: a person's head under action units, camera and light; and the surface behind each pixel."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

from mesm.data.marionette.action_units import AU_COLUMN, REGION_SHARE, displacements, face_unit, strengths
from mesm.data.marionette.head import Head
from mesm.data.marionette.identities import Identity
from mesm.data.marionette.raster import rasterise, region_shares, vertex_normals
from mesm.data.marionette.shader import COLOURS, NUMBERS, Look, Raster, Surface, shade

#: Distance of the camera, in eye-to-mouth distances; the head turns about a point so far behind the eyes.
_CAMERA, _PIVOT = 12.0, -1.3
SUPERSAMPLING = 2
#: Exponent of the camera's tone curve.
_CURVE = 0.91


@dataclass(frozen=True)
class View:
    """Hold pose in radians, camera, light, backdrop and sensor of one frame.

    Attributes:
        half: half the frame's side, in the person's eye-to-mouth distances.
        dx, dy: shift of the head in the frame, same unit.
        key, ambient: strength of the lights.
        gaze: shift of the irises, canonical decimetres.
        noise: standard deviation of the sensor's noise, full scale 1; 0 is none.
        jpeg: quality of the compression; 0 is none.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    half: float = 2.3
    dx: float = 0.0
    dy: float = 0.0
    light: tuple[float, float, float] = (-0.45, 0.55, 0.70)
    key: float = 0.62
    ambient: float = 0.30
    tint: tuple[float, float, float] = (1.0, 0.98, 0.95)
    background_top: tuple[float, float, float] = (0.55, 0.60, 0.66)
    background_bottom: tuple[float, float, float] = (0.42, 0.45, 0.50)
    gaze: tuple[float, float] = (0.0, 0.0)
    noise: float = 0.0
    jpeg: int = 0
    seed: int = 0


@dataclass(frozen=True)
class Frame:
    """Hold a rendered frame and the surface that each of its pixels shows.

    Attributes:
        image: (P, P, 3) uint8.
        points: (V, 2) projected vertices of the head in pixels.
        index, weight: the rasteriser's output at `SUPERSAMPLING` times the resolution.
        triangles: head, then hair.
    """

    image: np.ndarray
    points: np.ndarray
    index: np.ndarray
    weight: np.ndarray
    triangles: np.ndarray

    def head_share(self) -> np.ndarray:
        """Return (P, P) float32, share of each pixel covered by head, hair or shoulders."""
        return pooled((self.index >= 0).astype(np.float32))

    def regions(self, head: Head) -> np.ndarray:
        """Compute (A, P, P) float32, share of each pixel that each action unit moves."""
        size = len(self.image)
        strength = strengths(head)
        out = np.empty((len(strength), size, size), np.float32)
        region_shares(self.index, self.weight, self.triangles, strength, REGION_SHARE, SUPERSAMPLING, out)
        return out


@lru_cache(maxsize=2)
def _resting_units(head: Head) -> dict[str, np.ndarray]:
    return {
        stem: face_unit(head, f"{stem}Left") + face_unit(head, f"{stem}Right") for stem in ("eyeSquint", "eyeBlink")
    }


@lru_cache(maxsize=2)
def _pucker(head: Head) -> np.ndarray:
    return 0.7 * face_unit(head, "mouthPucker") + 0.3 * face_unit(head, "mouthFunnel")


def posed(head: Head, who: Identity, units: np.ndarray, rounding: float = 0.0) -> np.ndarray:
    """Return the head under action units. (V, 3) float32.

    Args:
        units: (A,) intensities.
        rounding: of the lips by speech, 0 to 1; it belongs to no unit of the table.
    """
    # Resting lids give way to a raised upper lid.
    relax = 1.0 - min(1.0, float(units[AU_COLUMN[5]]) * 1.2)
    shift = np.tensordot(units.astype(np.float32), displacements(head), axes=1)
    for stem, weight in who.resting.items():
        shift += np.float32(weight * relax) * _resting_units(head)[stem]
    if rounding > 0:
        shift += np.float32(rounding) * _pucker(head)
    return who.rest + np.float32(who.scale) * shift


def _rotation(view: View) -> np.ndarray:
    cy, sy, cp, sp = np.cos(view.yaw), np.sin(view.yaw), np.cos(view.pitch), np.sin(view.pitch)
    cr, sr = np.cos(view.roll), np.sin(view.roll)
    turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    nod = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    tilt = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return tilt @ nod @ turn


def _look_of(who: Identity, units: np.ndarray, view: View) -> Look:
    look = {**who.colours, "tint": view.tint}
    look["background_top"], look["background_bottom"] = view.background_top, view.background_bottom
    colours = np.array([look[name] for name in COLOURS], np.float32)

    def unit(number: int) -> float:
        return float(units[AU_COLUMN[number]])

    values = {
        "brow_thickness": who.brow_thickness,
        "beard": who.beard,
        "age": who.age,
        "stubble_scalp": who.stubble_scalp,
        "key": view.key,
        "ambient": view.ambient,
        "gaze_x": view.gaze[0],
        "gaze_y": view.gaze[1],
        "glabella": min(unit(4), 1.3),
        "nose_root": min(unit(9), 1.3),
        "nasolabial": min(max(unit(12) * 0.8, unit(9) * 0.7, unit(10) * 0.9), 1.2),
        "forehead": min(unit(1) * 0.6 + unit(2) * 0.6, 1.2),
    }
    light = np.array(view.light, np.float32)
    return Look(colours, np.array([values[name] for name in NUMBERS], np.float32), light / np.linalg.norm(light))


def pooled(fine: np.ndarray) -> np.ndarray:
    """Compute means of `SUPERSAMPLING` squared sub-pixels. (2 P, 2 P, ...) -> (P, P, ...)."""
    rows = fine[::SUPERSAMPLING] + fine[1::SUPERSAMPLING]
    return (rows[:, ::SUPERSAMPLING] + rows[:, 1::SUPERSAMPLING]) / SUPERSAMPLING**2


def _sensor(image: np.ndarray, view: View) -> np.ndarray:
    """Apply noise, eight bits, and what JPEG leaves of them. (P, P, 3) float -> uint8."""
    if view.noise > 0:
        draw = np.random.default_rng(view.seed)
        grey = draw.standard_normal((*image.shape[:2], 1), dtype=np.float32) * 0.6
        image = image + view.noise * (grey + draw.standard_normal(image.shape, dtype=np.float32) * 0.8)
    picture = (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
    if view.jpeg:
        buffer = io.BytesIO()
        Image.fromarray(picture).save(buffer, "JPEG", quality=view.jpeg)
        picture = np.asarray(Image.open(buffer))
    return picture


def render(
    head: Head, who: Identity, units: np.ndarray, view: View | None = None, size_px: int = 176, rounding: float = 0.0
) -> Frame:
    """Render one frame of `size_px` squared under (A,) intensities in the order of `AU_NUMBERS`; `rounding`: see `posed`."""
    view = view or View()
    vertices = np.concatenate([posed(head, who, units, rounding), who.hair_points])
    triangles = who.triangles
    pivot = np.array([0, 0, _PIVOT])
    points = (((vertices - who.centre) / who.unit - pivot) @ _rotation(view).T + pivot).astype(np.float32)
    fine = size_px * SUPERSAMPLING
    focal = fine / 2 / view.half * _CAMERA / (_CAMERA - points[:, 2])
    x = (fine / 2 + focal * (points[:, 0] + view.dx)).astype(np.float32)
    y = (fine / 2 - focal * (points[:, 1] + view.dy)).astype(np.float32)
    normals = np.empty_like(points)
    vertex_normals(points, triangles, normals)
    depth = np.empty((fine, fine), np.float32)
    index = np.empty((fine, fine), np.int32)
    weight = np.zeros((fine, fine, 2), np.float32)
    first_hair = len(head.triangles)
    rasterise(x, y, points[:, 2].copy(), triangles, first_hair, who.hair_attributes, depth, index, weight)
    out = np.empty((fine, fine, 3), np.float32)
    surface = Surface(head.group, head.uv, head.canonical, who.hair_attributes, normals, head.texture, head.eye_centre)
    shade(Raster(index, weight, triangles), surface, _look_of(who, units, view), out)
    seen = np.stack([x, y], axis=1)[: len(head.canonical)] / SUPERSAMPLING
    return Frame(_sensor(np.clip(pooled(out), 0, 1) ** np.float32(_CURVE), view), seen, index, weight, triangles)
