"""Colour every pixel: skin with lips, brows, beard and the wrinkles of action units, eyes, teeth, hair."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mesm.data.marionette.head import NEEDS_EXTRA
from mesm.errors import BackendUnavailable

try:
    import numba
except ImportError as error:
    raise BackendUnavailable(NEEDS_EXTRA.format("the package numba")) from error

#: Rows of the colour table.
COLOURS = ("skin", "lip", "hair", "iris", "tint", "background_top", "background_bottom", "clothes")
#: Entries of the number vector.
NUMBERS = (
    "brow_thickness", "beard", "age", "key", "ambient", "gaze_x", "gaze_y", "glabella", "nose_root",
    "nasolabial", "forehead", "stubble_scalp",
)  # fmt: skip


class Raster(NamedTuple):
    """Hold the nearest triangle of each pixel and the weights of its corners, of `raster.rasterise`."""

    nearest: np.ndarray
    weight: np.ndarray
    triangles: np.ndarray


class Surface(NamedTuple):
    """Hold the surface of head and hair.

    Attributes:
        group: (head triangles,) part of the head; triangles beyond them are hair.
        uv: (head triangles, 3, 2) places in `texture`.
        canonical: (vertices, 3) places of the head at rest; `hair` (vertices, 3) attributes of the hair.
        normals: (vertices, 3), of the posed head.
        texture: (T, T, 3) masks of lips, mouth and lids.
        eyes: (2, ...) centres of the eyes at rest.
    """

    group: np.ndarray
    uv: np.ndarray
    canonical: np.ndarray
    hair: np.ndarray
    normals: np.ndarray
    texture: np.ndarray
    eyes: np.ndarray


class Look(NamedTuple):
    """Hold (8, 3) `COLOURS`, the vector of `NUMBERS`, and the (3,) unit vector towards the key light."""

    colours: np.ndarray
    numbers: np.ndarray
    light: np.ndarray


_SKIN, _LIP, _HAIR, _IRIS, _TINT, _TOP, _BOTTOM, _CLOTHES = range(len(COLOURS))


@numba.njit(cache=True, fastmath=True, inline="always")
def _bell(distance, width):  # type: ignore[no-untyped-def]
    square = (distance / width) ** 2
    return np.exp(-square) if square < 9.0 else 0.0


@numba.njit(cache=True, fastmath=True)
def _blend(colour, other, share):  # type: ignore[no-untyped-def]
    for k in range(3):
        colour[k] = colour[k] * (1 - share) + other[k] * share


@numba.njit(cache=True, fastmath=True)
def _wrinkles(x, ax, y, numbers):  # type: ignore[no-untyped-def]
    """Return the darkening of a point of the face by its folds, in [0, 0.6]."""
    glabella, root, fold, forehead, age = numbers[7], numbers[8], numbers[9], numbers[10], numbers[2]
    dark = 0.0
    if glabella > 0 and abs(y - 6.95) < 0.30:
        dark += 0.42 * glabella * _bell(ax - 0.065, 0.020) * _bell(y - 6.985, 0.085)
        dark += 0.20 * glabella * _bell(ax, 0.14) * _bell(y - 6.92, 0.05)
    if root > 0 and abs(y - 6.80) < 0.27:
        ripple = 0.5 + 0.5 * np.sin((y - 6.80) * 75 + ax * 14)
        dark += 0.30 * root * ripple * _bell(ax - 0.04, 0.11) * _bell(y - 6.80, 0.09)
    lines = max(forehead, 0.35 * age)
    if lines > 0 and abs(y - 7.22) < 0.36:
        dark += 0.22 * lines * max(0.0, np.sin((y - 7.10) * 62)) ** 3 * _bell(ax, 0.34) * _bell(y - 7.22, 0.12)
    folds = max(fold, 0.40 * age)
    if folds > 0 and abs(y - 6.40) < 0.45:
        along = min(max((6.54 - y) / 0.30, 0.0), 1.0)
        dark += 0.34 * folds * _bell(ax - 0.165 - 0.17 * along, 0.028) * _bell(y - 6.40, 0.15)
    if age > 0 and abs(y - 6.66) < 0.075:
        dark += 0.14 * age * _bell(ax - 0.28, 0.10) * _bell(y - 6.66, 0.025)
    return min(dark, 0.6)


@numba.njit(cache=True, fastmath=True)
def _brow(x, ax, y, thickness):  # type: ignore[no-untyped-def]
    """Return the share of the brow's hair at a point of the face."""
    along = min(max((ax - 0.11) / 0.36, 0.0), 1.0)
    centre = 7.0 + 0.07 * np.sin(np.pi * min(1.0, along * 1.15) * 0.8) - 0.06 * along * along
    distance = abs(y - centre) / (0.040 * thickness * (1 - 0.6 * along * along))
    if distance > 2.5:
        return 0.0
    ends = min(max((ax - 0.10) / 0.03, 0.0), 1.0) * min(max((0.49 - ax) / 0.06, 0.0), 1.0)
    strands = 0.74 + 0.26 * np.sin(x * 240 + y * 150) * np.sin(x * 131 - y * 90)
    return 0.88 * np.exp(-(distance**3)) * ends * strands


@numba.njit(cache=True, fastmath=True)
def _paint_skin(colour, x, y, z, lip, mouth, lid, eyes, colours, numbers):  # type: ignore[no-untyped-def]
    """Set `colour`; returns how much light reaches the point (the mouth's inside is dark)."""
    ax = abs(x)
    for k in range(3):
        colour[k] = colours[_SKIN, k]
    if y < 5.12 - 0.10 * _bell(ax, 0.5) * (z > 0):
        for k in range(3):
            colour[k] = colours[_CLOTHES, k]
        return 1.0
    if abs(y - 6.45) < 0.45 and z > 0.3:
        blush = _bell(ax - 0.38, 0.18) * _bell(y - 6.45, 0.16)
        if z > 1.2:
            blush += 0.6 * _bell(ax, 0.10) * _bell(y - 6.5, 0.1)
        colour[1] *= 1 - 0.10 * blush
        colour[2] *= 1 - 0.10 * blush
    if abs(y - eyes[0, 1]) < 0.4 and z > 0.5:
        nearest = eyes[0, 0] if x > 0 else eyes[1, 0]
        radius = np.sqrt(((x - nearest) / 1.25) ** 2 + (y - eyes[0, 1]) ** 2)
        socket = (0.15 + 0.06 * numbers[2]) * _bell(radius, 0.17)
        for k in range(3):
            colour[k] *= 1 - socket
    if lid > 0.3 and ax < 0.6:
        for k in range(3):
            colour[k] *= 1 - 0.12 * lid
    if numbers[1] > 0 and y < 6.42 and z > 0.55:
        share = numbers[1] * min(1.0, (6.42 - y) / 0.08) * (1 - lip) * min(1.0, max(0.0, (y - 5.62) / 0.1))
        share *= 0.75 + 0.25 * np.sin(x * 190 + y * 91) * np.sin(y * 170)
        _blend(colour, colours[_HAIR], 0.55 * share)
    scalp = y - 7.44 + min(max((0.98 - z) * 1.85, 0.0), 0.70)
    if numbers[11] > 0 and scalp > 0 and not (ax > 0.72 and y < 6.95):
        _blend(colour, colours[_HAIR], numbers[11] * min(1.0, scalp / 0.12))
    _blend(colour, colours[_LIP], lip * 0.85)
    light = 1.0
    if mouth > 0.02:
        share = mouth * 0.9
        colour[0] = colour[0] * (1 - share) + 0.30 * share
        colour[1] = colour[1] * (1 - share) + 0.09 * share
        colour[2] = colour[2] * (1 - share) + 0.09 * share
        if mouth > 0.5:
            light = 0.6
    if z > 0.8:
        dark = _wrinkles(x, ax, y, numbers) if z > 0.9 else 0.0
        colour[0] *= 1 - dark
        colour[1] *= 1 - dark * 1.12
        colour[2] *= 1 - dark * 1.12
        brow = _brow(x, ax, y, numbers[0])
        for k in range(3):
            colour[k] = colour[k] * (1 - brow) + colours[_HAIR, k] * 0.8 * brow
    return light


@numba.njit(cache=True, fastmath=True)
def _paint_eye(colour, dx, dy, colours):  # type: ignore[no-untyped-def]
    radius = np.sqrt(dx * dx + dy * dy)
    if radius < 0.027:
        colour[0], colour[1], colour[2] = 0.03, 0.03, 0.03
    elif radius < 0.066:
        rim = 0.5 if radius > 0.056 else 1.0
        for k in range(3):
            colour[k] = colours[_IRIS, k] * rim
    else:
        colour[0], colour[1], colour[2] = 0.90, 0.885, 0.87


@numba.njit(cache=True, fastmath=True)
def _paint_hair(colour, across, along, edge, colours):  # type: ignore[no-untyped-def]
    """Paint strands, darker towards the roots; returns the strength of the highlight."""
    fine = np.sin(across * 97 + 2.5 * np.sin(along * 5)) * np.sin(across * 41 - along * 3)
    locks = np.sin(across * 17 + 1.3 * np.sin(along * 2.1))
    shade = (0.92 + 0.20 * fine + 0.14 * locks) * (0.80 + 0.20 * min(1.0, max(edge, 0.0) / 0.12))
    for k in range(3):
        colour[k] = colours[_HAIR, k] * shade
    return 0.22 + 0.12 * fine


@numba.njit(cache=True, fastmath=True)
def _paint_head(colour, group, x, y, z, u, v, texture, eyes, colours, numbers):  # type: ignore[no-untyped-def]
    """Set `colour` of a point of skin, eye, teeth or tongue; returns its gloss and how much light reaches it."""
    if group == 0:
        size = texture.shape[0]
        row, column = min(max(int((1 - v) * size), 0), size - 1), min(max(int(u * size), 0), size - 1)
        lip, mouth, lid = texture[row, column, 0], texture[row, column, 1], texture[row, column, 2]
        return 0.10, _paint_skin(colour, x, y, z, lip, mouth, lid, eyes, colours, numbers)
    if group <= 2:
        _paint_eye(colour, x - eyes[group - 1, 0] - numbers[5], y - eyes[group - 1, 1] - numbers[6], colours)
        return 0.5, 0.92
    if group == 3:
        colour[0], colour[1], colour[2] = 0.92, 0.89, 0.82
        return 0.10, 0.80 * _bell(abs(x), 0.24)  # side teeth lie in the dark
    colour[0], colour[1], colour[2] = 0.66, 0.32, 0.32
    return 0.10, 0.60


@numba.njit(cache=True, fastmath=True)
def shade(raster, surface, look, out):  # type: ignore[no-untyped-def]
    """Light every pixel of a rasterised frame.

    Args:
        raster: a `Raster`; surface: a `Surface`; look: a `Look`.
        out: (H, W, 3) float32, light before the camera's curve; may exceed 1.
    """
    index, weight, triangles = raster
    group, uv, canonical, hair, normals, texture, eyes = surface
    colours, numbers, light = look
    height, width = index.shape
    key, ambient = numbers[3], numbers[4]
    half = np.array([light[0], light[1], light[2] + 1])
    half /= np.sqrt(np.sum(half**2))
    fill_side = 1.0 if light[0] <= 0 else -1.0
    colour = np.zeros(3, np.float32)
    n = np.zeros(3)
    p = np.zeros(3)
    for j in range(height):
        for i in range(width):
            t = index[j, i]
            if t < 0:
                _backdrop(out, j, i, height, width, colours)
                continue
            w0, w1 = weight[j, i, 0], weight[j, i, 1]
            w2 = 1 - w0 - w1
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            is_hair = t >= group.shape[0]
            length = 0.0
            for k in range(3):
                n[k] = normals[a, k] * w0 + normals[b, k] * w1 + normals[c, k] * w2
                length += n[k] * n[k]
                if is_hair:
                    p[k] = hair[a, k] * w0 + hair[b, k] * w1 + hair[c, k] * w2
                else:
                    p[k] = canonical[a, k] * w0 + canonical[b, k] * w1 + canonical[c, k] * w2
            length = 1 / (np.sqrt(length) + 1e-9)
            for k in range(3):
                n[k] *= length
            gloss, reach = 0.0, 0.45
            if is_hair:
                gloss = _paint_hair(colour, p[0], p[1], p[2], colours)
                if n[2] >= 0:
                    reach = 1.0
                else:  # the inner side of a curtain lies in the shade
                    gloss = 0.0
                    for k in range(3):
                        n[k] = -n[k]
            else:
                u = uv[t, 0, 0] * w0 + uv[t, 1, 0] * w1 + uv[t, 2, 0] * w2
                v = uv[t, 0, 1] * w0 + uv[t, 1, 1] * w1 + uv[t, 2, 1] * w2
                gloss, reach = _paint_head(colour, group[t], p[0], p[1], p[2], u, v, texture, eyes, colours, numbers)
            facing = n[0] * light[0] + n[1] * light[1] + n[2] * light[2]
            diffuse = min(max((facing + 0.25) / 1.25, 0.0), 1.0)
            fill = max(0.7 * n[0] * fill_side + 0.1 * n[1] + 0.6 * n[2], 0.0)
            mirrored = n[0] * half[0] + n[1] * half[1] + n[2] * half[2]
            glint = mirrored**28 * gloss * key / 0.62 if mirrored > 0.75 else 0.0
            open_sky = 0.80 + 0.20 * min(max(n[2] * 0.7 + n[1] * 0.3 + 0.3, 0.0), 1.0)
            level = (ambient + key * diffuse + 0.14 * fill) * reach * open_sky
            for k in range(3):
                out[j, i, k] = colour[k] * level * colours[_TINT, k] + glint


@numba.njit(cache=True, fastmath=True)
def _backdrop(out, j, i, height, width, colours):  # type: ignore[no-untyped-def]
    down = j / height
    corner = ((i / width - 0.5) ** 2 + (down - 0.5) ** 2) * 0.35
    for k in range(3):
        out[j, i, k] = (colours[_TOP, k] * (1 - down) + colours[_BOTTOM, k] * down) * (1 - corner)
