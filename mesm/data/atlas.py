"""Lay the atlas on faces: the share of each pixel of a crop that belongs to each action unit's region.

It is laid by MTCNN's five points (a similarity transform), by 68 landmarks (a thin-plate spline, finer), or by the truth
of a rendered face (`regions_of`). Overlap with attention is computed on the attention's own grid by area coverage
(`on_grid`), never on a smoothly upsampled picture.

Shapes: S faces, A units in the order of `UNITS`, crops of 48 x 48 pixels, coordinates x, y in pixels of the crop.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from mesm.batch import FACE_SIZE_PX, Sample, Truth
from mesm.data.region_geometry import EYE_OPENING, FACE_OVAL, FIVE_POINTS, LANDMARKS, SHAPES
from mesm.data.similarity import fit_similarity
from mesm.errors import DataError

#: Order of the units in every coverage array.
UNITS: tuple[int, ...] = tuple(SHAPES)
COLUMN: dict[int, int] = {number: column for column, number in enumerate(UNITS)}
#: Units that share a region are shown once.
GROUPS: tuple[tuple[int, ...], ...] = (
    (1,), (2,), (4,), (5,), (6,), (7,), (9,), (10,), (12, 15), (16,), (17, 26), (20,), (23, 24, 25), (27,), (45,),
)  # fmt: skip
SOURCES = ("truth", "points", "landmarks")

#: Canonical coordinates that the lookup picture covers: x and y of its corner, width and height; cells per unit.
_LEFT, _TOP, _WIDE, _HIGH = -1.6, -1.3, 3.2, 3.4
_CELLS = 100
#: Samples along each side of a crop's pixel.
_FINE = 3
#: Column of the face's oval, after the units.
OVAL = len(UNITS)


def group_name(group: tuple[int, ...]) -> str:
    """Return the name of a region group, such as `AU 12/15`."""
    return "AU " + "/".join(map(str, group))


def outline(number: int) -> list[np.ndarray]:
    """Return the polygons (n, 2) of one unit's region on both halves of the canonical face."""
    return [side for half in SHAPES[number][0] for side in _both_sides(half)]


def eye_openings() -> list[np.ndarray]:
    """Return the eyes between their lids, polygons (n, 2) in canonical coordinates."""
    return _both_sides(EYE_OPENING)


def face_outline() -> np.ndarray:
    """Return the face's outline as one polygon (n, 2) in canonical coordinates."""
    half = np.array(FACE_OVAL)
    return np.concatenate([half, half[-2:0:-1] * [-1, 1]])


def _both_sides(half: list[tuple[float, float]]) -> list[np.ndarray]:
    points = np.array(half)
    return [points, points * [-1, 1]]


def inside(polygon: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return whether points lie in a polygon (n, 2), by the parity of the edges that a ray to the right crosses."""
    odd = np.zeros(np.broadcast(x, y).shape, bool)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if y0 != y1:
            crosses = (y0 > y) != (y1 > y)
            odd ^= crosses & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return odd


@lru_cache(maxsize=1)
def _lookup() -> np.ndarray:
    """Return the canonical face as a picture: one bit per unit, and one for the face's oval."""
    x = _LEFT + (np.arange(round(_WIDE * _CELLS)) + 0.5) / _CELLS
    y = (_TOP + (np.arange(round(_HIGH * _CELLS)) + 0.5) / _CELLS)[:, None]
    bits = inside(face_outline(), x, y).astype(np.uint32) << OVAL
    for column, number in enumerate(UNITS):
        for polygon in outline(number):
            bits |= inside(polygon, x, y).astype(np.uint32) << column
    return bits


def similarity(points_S52: np.ndarray) -> np.ndarray:
    """Fit by least squares the similarity transform from canonical coordinates to each face's points.

    Args:
        points_S52: eyes, nose, corners of the mouth in pixels of the crop (`Sample.face_points`); NaN where unknown.

    Returns:
        (S, 2, 3): pixel = M[:, :2] @ canonical + M[:, 2]; NaN for a face without points.
    """
    return fit_similarity(FIVE_POINTS, points_S52)


def to_canonical(points_S52: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Convert pixels of the crop to canonical coordinates by the five points. (..., 2) pixels -> (S, ..., 2), NaN if unknown."""
    transform = similarity(points_S52)
    shift = transform[:, :, 2].reshape(-1, *[1] * (np.ndim(pixels) - 1), 2)
    turn = transform[:, :, :2]
    size = (turn[:, :, 0] ** 2).sum(1)[:, None, None]
    back = turn.transpose(0, 2, 1) / np.where(size > 1e-9, size, np.nan)
    return np.einsum("s...j,sij->s...i", np.asarray(pixels, float)[None] - shift, back, optimize=True)


def to_pixels(points_S52: np.ndarray, canonical: np.ndarray) -> np.ndarray:
    """Convert canonical coordinates to pixels of the crop: the inverse of `to_canonical`. (..., 2) -> (S, ..., 2)."""
    transform = similarity(points_S52)
    shift = transform[:, :, 2].reshape(-1, *[1] * (np.ndim(canonical) - 1), 2)
    return np.einsum("...j,sij->s...i", np.asarray(canonical, float), transform[:, :, :2]) + shift


def _looked_up(canonical: np.ndarray, columns: Sequence[int]) -> np.ndarray:
    """Return coverage (S, columns, 48, 48) float32 from canonical coordinates (S, 144, 144, 2); 0 at NaN coordinates."""
    picture = _lookup()
    column = np.floor((canonical[..., 0] - _LEFT) * _CELLS)
    row = np.floor((canonical[..., 1] - _TOP) * _CELLS)
    within = (column >= 0) & (column < picture.shape[1]) & (row >= 0) & (row < picture.shape[0])
    place = np.where(within, row * picture.shape[1] + column, 0).astype(np.int32)
    bits = np.where(within, picture.ravel()[place], np.uint32(0))
    size = FACE_SIZE_PX
    coverage = np.empty((len(bits), len(columns), size, size), np.float32)
    for i, layer in enumerate(columns):
        one = (bits & np.uint32(1 << layer) > 0).view(np.uint8).reshape(-1, size, _FINE, size, _FINE)
        # A slice for each sample of a pixel: sums over short axes are slow.
        coverage[:, i] = sum(one[:, :, y, :, x] for y in range(_FINE) for x in range(_FINE))
    return coverage / np.float32(_FINE**2)


def lay_by_points(points_S52: np.ndarray, columns: Sequence[int] = range(len(SHAPES) + 1)) -> np.ndarray:
    """Lay the atlas by the five points.

    Args:
        columns: units by their place in `UNITS`; `OVAL` is the face's oval.

    Returns:
        Coverage (S, columns, 48, 48) in [0, 1]; 0 for a face without points.
    """
    at = (np.arange(FACE_SIZE_PX * _FINE) + 0.5) / _FINE  # a pixel spans [k, k + 1)
    return _looked_up(to_canonical(points_S52, np.stack(np.meshgrid(at, at), axis=-1)), columns)


#: Mean five points of MTCNN in Marionette's training crops, which are cut as those of recorded clips are.
MEAN_POINTS = np.array([[14.6, 19.3], [35.1, 19.5], [24.7, 28.9], [16.2, 36.7], [33.0, 36.8]], np.float32)


def lay_by_known_points(sample: Sample) -> np.ndarray:
    """Lay the units on a clip's crops by their five points, or by `MEAN_POINTS` where a crop has none.

    Returns:
        Coverage (S, A, 48, 48) in [0, 1].
    """
    points_S52 = np.tile(MEAN_POINTS, (len(sample.faces), 1, 1))
    if len(sample.face_points) == len(points_S52):
        known_S = np.isfinite(sample.face_points).all((1, 2))
        points_S52[known_S] = sample.face_points[known_S]
    return lay_by_points(points_S52, range(OVAL))


#: Landmarks that bend the atlas: brows, nose, eyes, mouth and the chin; the jaw's sides turn with the head's yaw.
_BENDING = np.array([8, *range(17, 68)])
#: Cells of the lattice on which the bending is computed; between them it is interpolated.
_LATTICE = 24
_STIFFNESS = 0.02


def lay_by_landmarks(landmarks_S682: np.ndarray) -> np.ndarray:
    """Lay the atlas bent onto dlib's 68 landmarks by a thin-plate spline (Bookstein 1989, IEEE TPAMI 11(6):567-585).

    Returns:
        Coverage (S, A + 1, 48, 48) in [0, 1], the face's oval last; 0 for a face with an unknown landmark.
    """
    from scipy.interpolate import RBFInterpolator  # takes long to import, and few callers have landmarks

    at = (np.arange(_LATTICE + 1) * FACE_SIZE_PX / _LATTICE) / FACE_SIZE_PX
    lattice = np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2)
    fine = (np.arange(FACE_SIZE_PX * _FINE) + 0.5) / (FACE_SIZE_PX * _FINE) * _LATTICE
    low = np.minimum(fine.astype(int), _LATTICE - 1)
    share = fine - low
    canonical = np.full((len(landmarks_S682), len(fine), len(fine), 2), np.nan)
    for s, points in enumerate(np.asarray(landmarks_S682, float)[:, _BENDING] / FACE_SIZE_PX):
        if np.isfinite(points).all():
            spline = RBFInterpolator(points, LANDMARKS[_BENDING], smoothing=_STIFFNESS, kernel="thin_plate_spline")
            coarse = spline(lattice).reshape(_LATTICE + 1, _LATTICE + 1, 2)
            rows = coarse[low] + share[:, None, None] * (coarse[low + 1] - coarse[low])
            canonical[s] = rows[:, low] + share[None, :, None] * (rows[:, low + 1] - rows[:, low])
    return _looked_up(canonical, range(len(UNITS) + 1))


def true_regions(truth: Truth) -> np.ndarray:
    """Return a rendered face's own regions (S, A, 48, 48) in [0, 1]; units that the renderer lacks (27) are NaN."""
    regions = np.full((len(truth.head), len(UNITS), FACE_SIZE_PX, FACE_SIZE_PX), np.nan, np.float32)
    for column, number in enumerate(truth.au_numbers):
        if number in COLUMN:
            regions[:, COLUMN[number]] = truth.au_region[:, column] / np.float32(255)
    return regions


def regions_of(sample: Sample, source: str = "points") -> tuple[np.ndarray, np.ndarray]:
    """Return the regions of a clip's faces and the face's (or head's) own extent.

    Args:
        source: `truth` (rendered faces; what the renderer lacks comes from the points), `points`, or `landmarks` (the
            truth's own).

    Returns:
        Coverage (S, A, 48, 48) in [0, 1] and (S, 48, 48); all 0 where no face was found.

    Raises:
        DataError: the clip lacks what the source needs.
    """
    if len(sample.face_points) != len(sample.faces):
        raise DataError(f"clip {sample.clip_id!r} has no face points; ingest it again")
    if source == "points":
        laid = lay_by_points(sample.face_points)
        return laid[:, :OVAL], laid[:, OVAL]
    if sample.truth is None:
        raise DataError(f"clip {sample.clip_id!r} is not rendered and has no {source}; use --regions points")
    if source == "landmarks":
        laid = lay_by_landmarks(sample.truth.landmarks)
        return laid[:, :OVAL], laid[:, OVAL]
    regions = true_regions(sample.truth)
    missing = [c for c, number in enumerate(UNITS) if number not in sample.truth.au_numbers]
    regions[:, missing] = lay_by_points(sample.face_points, missing)
    return regions, sample.truth.head / np.float32(255)


def usable_faces(sample: Sample) -> np.ndarray:
    """Return (S,) bool, frames with a detected face and its five points."""
    if len(sample.face_found) != len(sample.faces) or len(sample.face_points) != len(sample.faces):
        return np.zeros(len(sample.faces), bool)
    return np.asarray(sample.face_found, bool) & np.isfinite(sample.face_points).all((1, 2))


def on_grid(coverage: np.ndarray, height: int, width: int) -> np.ndarray:
    """Compute the coverage of an attention grid's cells: the mean over each cell's pixels. (..., H, W) -> (..., height, width)."""
    tall, wide = coverage.shape[-2:]
    assert tall % height == 0 and wide % width == 0, f"{tall} x {wide} pixels do not divide into {height} x {width}"
    y, x = tall // height, wide // width
    cells = coverage.reshape(*coverage.shape[:-2], height, y, width, x)
    # A slice for each pixel of a cell: sums over short axes are slow.
    total = np.zeros((*coverage.shape[:-2], height, width), np.float32)
    for i in range(y):
        for j in range(x):
            total += cells[..., i, :, j]
    return total / np.float32(x * y)


def union(coverage: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Compute the coverage of the union of the chosen units: the largest of theirs in each pixel.

    Args:
        coverage: (S, A, H, W).
        chosen: (A,) or (S, A) bool.

    Returns:
        (S, H, W), 0 where none is chosen.
    """
    largest = np.zeros_like(coverage[:, 0])
    chosen_SA = np.broadcast_to(chosen, coverage.shape[:2])
    for a in np.flatnonzero(chosen_SA.any(0)):
        rows = np.flatnonzero(chosen_SA[:, a])
        largest[rows] = np.maximum(largest[rows], coverage[rows, a])
    return largest
