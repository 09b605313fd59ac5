"""Rasterise triangles on one core: vertex normals, depth buffer with strands of hair, regions of action units."""

from __future__ import annotations

import numpy as np

from mesm.data.marionette.head import NEEDS_EXTRA
from mesm.errors import BackendUnavailable

try:
    import numba
except ImportError as error:
    raise BackendUnavailable(NEEDS_EXTRA.format("the package numba")) from error

#: How far the ends of strands stand out from the smooth edge of the hair, decimetres; and strands per unit of the
#: coordinate across them, locks and single ones.
_RAGGED, _LOCKS, _STRANDS = 0.045, 23, 75


@numba.njit(cache=True, fastmath=True, inline="always")
def _chance(cell):  # type: ignore[no-untyped-def]
    """Return a number in [0, 1) that looks random, the same for the same cell."""
    value = np.sin(cell * 12.9898) * 43758.5453
    return value - np.floor(value)


@numba.njit(cache=True, fastmath=True)
def vertex_normals(points, triangles, out):  # type: ignore[no-untyped-def]
    """Compute area-weighted unit normals. points (V, 3), triangles (T, 3), out (V, 3)."""
    out[:] = 0
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ux, uy, uz = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1], points[b, 2] - points[a, 2]
        vx, vy, vz = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1], points[c, 2] - points[a, 2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for k in (a, b, c):
            out[k, 0] += nx
            out[k, 1] += ny
            out[k, 2] += nz
    for i in range(out.shape[0]):
        length = np.sqrt(out[i, 0] ** 2 + out[i, 1] ** 2 + out[i, 2] ** 2) + 1e-12
        for k in range(3):
            out[i, k] /= length


@numba.njit(cache=True, fastmath=True)
def rasterise(x, y, z, triangles, first_hair, hair, depth, index, weight):  # type: ignore[no-untyped-def]
    """Find the nearest triangle of every pixel.

    Args:
        x, y, z: (V,) pixel coordinates and depth, larger z is nearer.
        triangles: (T, 3); from `first_hair` on they are hair: seen from both sides, and cut away pixel by pixel.
        hair: (V, 3) of each vertex: coordinate across the strands, along them, distance inside the hair's edge.
        depth, index, weight: (H, W), (H, W), (H, W, 2) outputs; index -1 is background.
    """
    height, width = depth.shape
    depth[:] = -1e9
    index[:] = -1
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        x0, x1, x2, y0, y1, y2 = x[a], x[b], x[c], y[a], y[b], y[c]
        area = (y1 - y2) * (x0 - x2) + (x2 - x1) * (y0 - y2)
        if t < first_hair:
            if area >= -1e-9:  # seen from behind
                continue
        elif abs(area) < 1e-9 or max(hair[a, 2], hair[b, 2], hair[c, 2]) < -_RAGGED:
            continue
        left = max(int(np.floor(min(x0, x1, x2) - 0.5)), 0)
        right = min(int(np.ceil(max(x0, x1, x2) - 0.5)), width - 1)
        top = max(int(np.floor(min(y0, y1, y2) - 0.5)), 0)
        bottom = min(int(np.ceil(max(y0, y1, y2) - 0.5)), height - 1)
        inverse = 1 / area
        for j in range(top, bottom + 1):
            for i in range(left, right + 1):
                px, py = i + 0.5, j + 0.5
                w0 = ((y1 - y2) * (px - x2) + (x2 - x1) * (py - y2)) * inverse
                w1 = ((y2 - y0) * (px - x2) + (x0 - x2) * (py - y2)) * inverse
                w2 = 1 - w0 - w1
                if w0 < -1e-6 or w1 < -1e-6 or w2 < -1e-6:
                    continue
                d = w0 * z[a] + w1 * z[b] + w2 * z[c]
                if d <= depth[j, i]:
                    continue
                if t >= first_hair:
                    across = w0 * hair[a, 0] + w1 * hair[b, 0] + w2 * hair[c, 0]
                    edge = w0 * hair[a, 2] + w1 * hair[b, 2] + w2 * hair[c, 2]
                    ends = 0.45 * _chance(np.floor(across * _LOCKS)) + 0.55 * _chance(np.floor(across * _STRANDS))
                    if edge + _RAGGED * (2 * ends - 1) < 0:
                        continue
                depth[j, i] = d
                index[j, i] = t
                weight[j, i, 0], weight[j, i, 1] = w0, w1


@numba.njit(cache=True, fastmath=True)
def region_shares(index, weight, triangles, strength, threshold, factor, out):  # type: ignore[no-untyped-def]
    """Compute the share of every pixel whose surface moves by more than `threshold` of the unit's largest shift.

    Args:
        index, weight: of `rasterise`, at `factor` times the resolution of the output per axis.
        strength: (A, V) in [0, 1]; triangles beyond those of the head (hair) belong to no region.
        out: (A, h, w) float32.
    """
    out[:] = 0
    units, vertices = strength.shape
    part = 1.0 / (factor * factor)
    for j in range(index.shape[0]):
        for i in range(index.shape[1]):
            t = index[j, i]
            if t < 0:
                continue
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            if max(a, b, c) >= vertices:
                continue
            w0, w1 = weight[j, i, 0], weight[j, i, 1]
            for u in range(units):
                if strength[u, a] * w0 + strength[u, b] * w1 + strength[u, c] * (1 - w0 - w1) > threshold:
                    out[u, j // factor, i // factor] += part
