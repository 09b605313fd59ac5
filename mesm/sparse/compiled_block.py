"""Compile a sparse block behind its selection: gate, convolutions on the kept sites, pool, in one call (float32, CPU, inference).

Each convolution runs in one of two ways. By pairs (`compiled.convolve_rows`): only neighbours that are kept are multiplied, but
each pair loads and stores its sum. By tiles (`compiled_maps.convolve_places`): all nine neighbours are multiplied, zeros where
they are not kept, and a sum is stored once. With few channels and many sites the second is faster; `suits_tiles` decides.
"""

from __future__ import annotations

import numpy as np

from mesm.sparse.compiled import LANES, _list_blocks, _list_pairs, _max_rows, _select_rows, compiled, convolve_rows
from mesm.sparse.compiled_maps import BLOCK_FLOATS, LEAST_PLACES, TILE, convolve_places

#: Multiply-adds, per output channel, that cost as much as loading and storing the sums of one pair (measured on AVX2).
PAIR_COST = 20


@compiled()
def count_pairs(mask_SHW: np.ndarray) -> int:
    """Count the pairs of neighbouring active sites, each with itself included: those of a rulebook."""
    (s, h, w), pairs = mask_SHW.shape, 0
    column_W = np.zeros(w + 2, np.int64)  # sums of three rows, with a frame
    for segment in range(s):
        for y in range(h):
            for x in range(w):
                column_W[x + 1] = mask_SHW[segment, y, x]
            if y > 0:
                for x in range(w):
                    column_W[x + 1] += mask_SHW[segment, y - 1, x]
            if y < h - 1:
                for x in range(w):
                    column_W[x + 1] += mask_SHW[segment, y + 1, x]
            for x in range(w):
                pairs += (column_W[x] + column_W[x + 1] + column_W[x + 2]) * mask_SHW[segment, y, x]
    return pairs


@compiled()
def suits_tiles(num_pairs: int, kept: int, channels: int) -> bool:
    """Return whether a convolution that reads `channels` runs faster by tiles than by pairs."""
    return num_pairs * (channels + PAIR_COST) > 9 * kept * channels


@compiled()
def scatter_rows(
    rows_NC: np.ndarray, first: int, mask_SHW: np.ndarray, framed_SHWC: np.ndarray, places_N: np.ndarray
) -> int:
    """Write rows to the mask's sites in maps with a frame of one, zeros elsewhere, and where each site's window begins.

    Args:
        rows_NC: one per active site, from row `first` on.
        first: see `rows_NC`.
        mask_SHW: the sites.
        framed_SHWC: written, (S, H + 2, W + 2, C).
        places_N: written, in places of the framed maps; behind the sites the last one, up to a whole tile.

    Returns:
        The number of sites.
    """
    (s, h, w), count = mask_SHW.shape, 0
    for segment in range(s):
        for y in range(h + 2):
            for x in range(w + 2):
                inside = 0 < y <= h and 0 < x <= w
                if inside and mask_SHW[segment, y - 1, x - 1]:
                    for c in range(rows_NC.shape[1]):
                        framed_SHWC[segment, y, x, c] = rows_NC[first + count, c]
                    places_N[count] = (segment * (h + 2) + y - 1) * (w + 2) + x - 1
                    count += 1
                else:
                    for c in range(rows_NC.shape[1]):
                        framed_SHWC[segment, y, x, c] = 0
    if count:
        for spare in range(count, -(-count // TILE) * TILE):
            places_N[spare] = places_N[count - 1]
    return count


@compiled()
def _by_tiles(
    rows_NC: np.ndarray,
    kept_SHW: np.ndarray,
    panels: tuple[np.ndarray, ...],
    biases: tuple[np.ndarray, ...],
    count: int,
    steps_92: np.ndarray,
) -> np.ndarray:
    """Compute the first `count` convolutions, some segments at a time, whose maps stay in the cache from one to the next."""
    (s, h, w), (kept, stride) = kept_SHW.shape, rows_NC.shape
    widest = 0
    for number in range(count - 1):
        widest = max(widest, panels[number].shape[1] * LANES)
    area = (h + 2) * (w + 2)
    together = max(1, BLOCK_FLOATS // (area * (stride + widest)), -(-LEAST_PLACES * s // max(kept, 1)))
    together = min(together, s)
    framed = np.empty((together, h + 2, w + 2, stride), np.float32)
    between = np.empty((2 if count > 2 else 1, together * area * widest), np.float32)
    places = np.empty(together * h * w + TILE, np.int64)
    source, destination, offsets = (
        np.empty(len(places), np.int64),
        np.empty(len(places), np.int64),
        np.empty(9, np.int64),
    )
    out = np.empty((kept, panels[count - 1].shape[1] * LANES), np.float32)
    first = 0
    for segment in range(0, s, together):
        mask_SHW = kept_SHW[segment : segment + together]
        sites = scatter_rows(rows_NC, first, mask_SHW, framed, places)
        x, width_in = framed.reshape(-1), stride
        for number in range(count):
            weight, last = panels[number], number == count - 1
            channels, width = weight.shape[2], weight.shape[1] * LANES
            target = out.reshape(-1) if last else between[number % 2]
            if not last:
                for i in range(len(mask_SHW) * area * width):
                    target[i] = 0
            for n in range(-(-sites // TILE) * TILE):
                source[n] = places[n] * width_in
                destination[n] = (first + min(n, sites - 1) if last else places[n] + w + 3) * width
            for r in range(9):
                offsets[r] = ((steps_92[r, 0] + 1) * (w + 2) + steps_92[r, 1] + 1) * width_in
            height = max(LEAST_PLACES, BLOCK_FLOATS // (channels + width)) // TILE * TILE
            for start in range(0, sites, height):
                convolve_places(
                    x, weight.reshape(-1), biases[number], source, destination, offsets, channels,
                    weight.shape[1] * channels * LANES, target, start, min(sites, start + height), 0, weight.shape[1], 0, 0,
                )  # fmt: skip
            x, width_in = target, width
        first += sites
    return out


@compiled()
def _by_pairs(
    rows_NC: np.ndarray,
    kept_SHW: np.ndarray,
    panels: tuple[np.ndarray, ...],
    biases: tuple[np.ndarray, ...],
    start: int,
    steps_92: np.ndarray,
) -> np.ndarray:
    (s, h, w), kept = kept_SHW.shape, len(rows_NC)
    rank, place = np.empty(s * (h + 2) * (w + 2), np.int32), np.empty(kept, np.int32)
    for i in range(len(rank)):
        rank[i] = -1
    source, destination = np.empty(9 * kept + 1, np.int32), np.empty(9 * kept + 1, np.int32)
    starts = np.zeros(10, np.int64)
    _list_pairs(kept_SHW, kept_SHW, steps_92, rank, place, source, destination, starts)
    for number in range(start, len(panels)):
        weight = panels[number]
        rows_NC = without_spare_lanes(rows_NC, weight.shape[2])
        out = np.empty((kept, weight.shape[1] * LANES), np.float32)
        height = max(LEAST_PLACES, BLOCK_FLOATS // (rows_NC.shape[1] + out.shape[1]))
        for first in range(0, kept, height):
            last = min(kept, first + height)
            convolve_rows(
                rows_NC, weight, biases[number], True, out, source, destination, starts, first, last, 0, weight.shape[1]
            )
        rows_NC = out
    return rows_NC


@compiled()
def without_spare_lanes(rows_NC: np.ndarray, width: int) -> np.ndarray:
    """Return the rows without the lanes behind a width that is no multiple of theirs."""
    if rows_NC.shape[1] == width:
        return rows_NC
    narrow = np.empty((len(rows_NC), width), np.float32)
    for row in range(len(rows_NC)):
        for c in range(width):
            narrow[row, c] = rows_NC[row, c]
    return narrow


@compiled()
def run_block(
    rows_NC: np.ndarray,
    attention_SHW: np.ndarray,
    active_SHW: np.ndarray,
    kept_SHW: np.ndarray,
    kept: int,
    clip: float,
    panels: tuple[np.ndarray, ...],
    biases: tuple[np.ndarray, ...],
    width: int,
    steps_92: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Compute gate, convolutions and pool of some segments.

    Args:
        rows_NC: at the active sites.
        attention_SHW: of these.
        active_SHW: bool.
        kept_SHW: bool, the nucleus.
        kept: its number of sites.
        clip: see `compiled.select_rows`.
        panels: of `fused_backend.panels`, one per convolution.
        biases: one value for each lane of the panels.
        width: output channels of the last convolution.
        steps_92: see `window_tables`.

    Returns:
        The rows at the pooled sites, and the (S, H // 2, W // 2) mask of these.
    """
    rows = np.empty((kept, rows_NC.shape[1]), np.float32)
    _select_rows(rows_NC, attention_SHW, active_SHW, kept_SHW, clip, rows)
    num_pairs, tiled = count_pairs(kept_SHW), 0
    while tiled < len(panels) and suits_tiles(num_pairs, kept, panels[tiled].shape[2]):
        tiled += 1
    if tiled:
        rows = _by_tiles(rows, kept_SHW, panels, biases, tiled, steps_92)
    if tiled < len(panels):
        rows = _by_pairs(rows, kept_SHW, panels, biases, tiled, steps_92)
    rows = without_spare_lanes(rows, width)
    return pool_rows(rows, kept_SHW)


@compiled()
def pool_rows(rows_NC: np.ndarray, mask_SHW: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pool 2x2 blocks; return the pooled rows and their mask, see `compiled.max_pool`."""
    s, h, w = mask_SHW.shape
    pooled_SHW, rank_SHW = np.zeros((s, h // 2, w // 2), np.bool_), np.empty((s, h, w), np.int32)
    flat = rank_SHW.reshape(-1)
    for i in range(len(flat)):
        flat[i] = -1
    most = min(len(rows_NC), pooled_SHW.size)
    rows_M4, positions_M = np.empty((most + 1, 4), np.int32), np.empty(most, np.int64)
    count = _list_blocks(mask_SHW, rank_SHW, rows_M4, pooled_SHW, positions_M)
    out_MC = np.empty((count, rows_NC.shape[1]), np.float32)
    _max_rows(rows_NC, rows_M4, out_MC)
    return out_MC, pooled_SHW
