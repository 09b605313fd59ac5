"""Build hair as a shell of its own: rays from inside the skull find the scalp, a style lifts them off it.

A style is a cap over the scalp and, where hair is long, a curtain that falls from ear level. The shell ends where its
`edge` (distance inside the hairline) falls below zero; the rasteriser cuts it there strand by strand.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mesm.data.marionette.head import SKIN, Head

_COLUMNS, _ROWS, _CURTAIN_ROWS = 56, 20, 9
#: Elevation of the last row of the cap: below the ears, so that it reaches the nape.
_LOWEST = np.radians(-42)
_EAR_LEVEL = np.radians(-4)
#: The ray origin, canonical: between the ears.
_CENTRE = np.array([0.0, 6.95, 0.32])
#: Height of the hairline at the forehead, canonical, and how far it lies below that at each depth z: the temple's
#: corner, the sideburn, round the ear, the nape.
_FOREHEAD_Y = 7.46
_LINE_Z = (-0.3, 0.1, 0.45, 0.6, 0.78, 0.98)
_LINE_DROP = (1.19, 1.09, 0.73, 0.69, 0.38, 0.0)


@dataclass(frozen=True)
class HairStyle:
    """Describe one way to wear hair. Lengths in decimetres.

    Attributes:
        lift: how far it stands off the scalp on top; `side_lift` at the sides.
        line: added to the height of the hairline at the forehead; negative is a fringe.
        receding: how far it draws back over the temples.
        crown: height above which the scalp is bare; large is not bald.
        length: how far the curtain falls below ear level; 0 is none.
        opening: half angle of the curtain's opening round the face, degrees.
        wave: amplitude of the strands' waves.
    """

    lift: float
    side_lift: float
    line: float = 0.0
    receding: float = 0.0
    crown: float = 9.0
    length: float = 0.0
    opening: float = 72.0
    wave: float = 0.0


STYLES: dict[str, HairStyle] = {
    "cropped": HairStyle(0.040, 0.022, receding=0.05),
    "short": HairStyle(0.13, 0.050, receding=0.04),
    "full": HairStyle(0.20, 0.10, line=-0.03, wave=0.02),
    "fringe": HairStyle(0.13, 0.09, line=-0.20),
    "bob": HairStyle(0.15, 0.14, line=0.05, length=0.75, opening=60),
    "bob_fringe": HairStyle(0.14, 0.14, line=-0.20, length=0.85, opening=58),
    "long": HairStyle(0.13, 0.13, line=0.06, length=1.75, opening=62, wave=0.03),
    "thinning": HairStyle(0.06, 0.045, line=0.06, receding=0.14),
    "bald": HairStyle(0.055, 0.055, crown=7.25),
}


@lru_cache(maxsize=2)
def _scalp(head: Head) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Intersect each ray of the cap with the skin: vertices (R, C, 3), weights (R, C, 3), directions, hit (R, C)."""
    azimuth = np.linspace(-np.pi, np.pi, _COLUMNS + 1)
    elevation = np.linspace(np.radians(88), _LOWEST, _ROWS)
    ring = np.cos(elevation)[:, None]
    direction = np.stack(
        [
            ring * np.sin(azimuth),
            np.broadcast_to(np.sin(elevation)[:, None], (_ROWS, _COLUMNS + 1)),
            ring * np.cos(azimuth),
        ],
        axis=-1,
    )
    skin = head.triangles[(head.group == SKIN) & ~np.isin(head.triangles, head.ears).any(axis=1)]
    a, b, c = (head.canonical[skin[:, k]].astype(np.float64) - _CENTRE for k in range(3))
    vertices = np.zeros((*direction.shape[:2], 3), np.int64)
    weights = np.zeros(direction.shape)
    hit = np.zeros(direction.shape[:2], bool)
    normal = np.cross(b - a, c - a)
    for place in np.ndindex(hit.shape):
        d = direction[place]
        facing = normal @ d
        with np.errstate(divide="ignore", invalid="ignore"):
            far = np.einsum("ij,ij->i", normal, a) / facing
            point = far[:, None] * d
            w0 = np.einsum("ij,ij->i", np.cross(c - b, point - b), normal) / np.einsum("ij,ij->i", normal, normal)
            w1 = np.einsum("ij,ij->i", np.cross(a - c, point - c), normal) / np.einsum("ij,ij->i", normal, normal)
        inside = (facing > 1e-12) & (far > 0) & (w0 >= -1e-6) & (w1 >= -1e-6) & (w0 + w1 <= 1 + 1e-6)
        if inside.any():
            best = np.flatnonzero(inside)[np.argmax(far[inside])]
            vertices[place], weights[place] = skin[best], (w0[best], w1[best], 1 - w0[best] - w1[best])
            hit[place] = True
    return vertices, weights, direction, hit


def _closed(grid: np.ndarray, hit: np.ndarray) -> np.ndarray:
    """Fill the holes that the left-out ears leave, along each row of a (R, C, 3) grid."""
    grid = grid.copy()
    columns = np.arange(grid.shape[1])
    for row, met in zip(grid, hit, strict=True):
        for k in range(3):
            row[:, k] = np.interp(columns, columns[met], row[met, k])
    return grid


def _ease(value: np.ndarray, width: float) -> np.ndarray:
    share = np.clip(value / width, 0, 1)
    return share * share * (3 - 2 * share)


def _grid_triangles(rows: int, columns: int, first: int) -> np.ndarray:
    index = first + np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    return np.concatenate([np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)])


def hair_shell(head: Head, rest: np.ndarray, style: HairStyle) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Build the hair of one person.

    Args:
        rest: (V, 3) the person's neutral head.

    Returns:
        Points (H, 3); triangles (T, 3) that index them; and per point (H, 3) the coordinate across the strands,
        along them, and the distance inside the hairline.
    """
    vertices, weights, direction, hit = _scalp(head)
    skin = _closed(np.einsum("rck,rckd->rcd", weights, rest[vertices]), hit)
    canonical = _closed(np.einsum("rck,rckd->rcd", weights, head.canonical[vertices]), hit)
    azimuth = np.arctan2(direction[..., 0], direction[..., 2])
    turned = np.abs(np.degrees(azimuth))
    temple = np.exp(-(((turned - 42) / 20) ** 2))
    y, z = canonical[..., 1], canonical[..., 2]
    edge = y - _FOREHEAD_Y - style.line * np.exp(-((turned / 55) ** 4)) - style.receding * temple
    edge += np.interp(z, _LINE_Z, _LINE_DROP)
    if style.length:
        covered = (turned - style.opening) / 90
        edge = np.maximum(edge, np.minimum(covered, 0.3))
    edge = np.minimum(edge, (style.crown - y) * 0.8)
    upwards = np.clip((y - 7.1) / 0.5, 0, 1)
    lift = (style.side_lift + (style.lift - style.side_lift) * upwards) * (0.25 + 0.75 * _ease(edge, 0.16))
    waves = style.wave * np.sin(azimuth * 9) * np.sin(y * 14)
    cap = skin + direction * (lift + waves)[..., None]
    across = azimuth * 0.9
    strands = np.stack([across, np.broadcast_to(np.arange(_ROWS)[:, None] / 10, across.shape), edge], axis=-1)
    points, attributes = [cap.reshape(-1, 3)], [strands.reshape(-1, 3)]
    triangles = [_grid_triangles(_ROWS, _COLUMNS + 1, 0)]
    if style.length:
        fall, more = _curtain(cap, azimuth[0], style)
        triangles.append(_grid_triangles(_CURTAIN_ROWS, _COLUMNS + 1, cap.shape[0] * cap.shape[1]))
        points.append(fall.reshape(-1, 3))
        attributes.append(more.reshape(-1, 3))
    return (
        np.concatenate(points).astype(np.float32),
        np.concatenate(triangles).astype(np.int32),
        np.concatenate(attributes).astype(np.float32),
    )


def _curtain(cap: np.ndarray, azimuth: np.ndarray, style: HairStyle) -> tuple[np.ndarray, np.ndarray]:
    """Build hair that falls from the cap's row at ear level: points and strand attributes, (rows, columns, 3)."""
    elevation = np.linspace(np.radians(88), _LOWEST, _ROWS)
    start = int(np.argmin(np.abs(elevation - _EAR_LEVEL))) - 3
    ring = cap[start]
    down = np.linspace(0, 1, _CURTAIN_ROWS)[:, None]
    middle = np.array([0.0, 0.0, 0.25])
    outwards = ring - middle
    spread = 1.0 + 0.05 * np.sin(down * np.pi) - 0.06 * down**2
    waves = style.wave * np.sin(azimuth * 9 + down * 11)
    points = np.empty((_CURTAIN_ROWS, len(azimuth), 3))
    points[..., 0] = outwards[:, 0] * (spread + waves)
    points[..., 2] = middle[2] + outwards[:, 2] * (spread + waves)
    reach = style.length + 0.35
    points[..., 1] = ring[:, 1] - reach * down
    turned = np.abs(np.degrees(azimuth))
    opening = (turned - style.opening) / 90 - 0.04 * down
    edge = np.minimum(np.broadcast_to(opening, points.shape[:2]), (1 - down) * reach - 0.02)
    across = np.broadcast_to(azimuth * 0.9, points.shape[:2])
    along = np.broadcast_to(start / 10 + down * 1.5, points.shape[:2])
    return points, np.stack([across, along, edge], axis=-1)
