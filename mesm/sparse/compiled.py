"""Compile the loops of the sparse layers with numba: multiply-adds of a convolution, its pairs, and the pool behind it.

Importing this file imports numba, so `fused_backend` does it when first needed. The machine code is kept beside this file
(or in the user's cache folder), so that only the first run ever compiles.

Torch's matmul needs gathered rows and leaves products that a second pass must add up. `multiply_add` reads the rows where
they lie and adds where they belong: a block of up to six pairs times sixteen output channels stays in vector registers
while the input channels go by, the shape of a BLAS kernel. Numba's own loops do not keep such a block in registers, hence
the intermediate code written out below.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import njit, types
from numba.core.cgutils import get_or_insert_function
from numba.extending import intrinsic

#: Output channels of one block, a vector of the intermediate code: two AVX2 registers, one of AVX-512, four of NEON.
LANES = 16
#: Pairs of one block: 6 x 16 sums fill twelve of AVX2's sixteen registers.
GROUP = 6
#: Pairs of a wide block, taken first: AVX-512 has 32 registers, and with six sums alone its multipliers would wait.
WIDE = 12 if binding.get_host_cpu_features().get("avx512f") else GROUP


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator to machine code that runs without Python's lock, cached on disk where it can be written."""
    options |= {"nogil": True, "boundscheck": False, "error_model": "numpy"}

    def compile_it(function: Callable[..., Any]) -> Callable[..., Any]:
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError:  # neither this folder nor the user's cache can be written
            return njit(**options)(function)

    return compile_it


def _multiplier(count: int) -> Callable[..., None]:
    """`multiply_add` of `count` pairs.

    multiply_add(x_NC, panel_CL, out_MK, source_P, destination_P, pair, channel): for `count` pairs from `pair` on,
    out[destination, channel : channel + LANES] += x[source] @ panel.
    """

    @intrinsic
    def multiply_add(
        context: Any, x: Any, panel: Any, out: Any, source: Any, destination: Any, pair: Any, channel: Any
    ) -> Any:
        arrays = (x, panel, out, source, destination)
        return types.void(*arrays, types.intp, types.intp), _multiply_add_code(count)

    return multiply_add


def _multiply_add_code(count: int) -> Callable[..., Any]:
    real, index, whole = ir.FloatType(), ir.IntType(64), ir.IntType(32)
    vector = ir.VectorType(real, LANES)
    undefined = ir.Constant(vector, ir.Undefined)
    first_lane = ir.Constant(ir.VectorType(whole, LANES), [0] * LANES)

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        arrays = [context.make_array(signature.args[i])(context, builder, arguments[i]) for i in range(5)]
        x, panel, out, source, destination = (array.data for array in arrays)
        pair, channel = arguments[5:]
        columns = [builder.extract_value(arrays[i].shape, 1) for i in (0, 2)]

        def row(base: Any, rows: Any, number: int, width: Any) -> Any:
            at = builder.load(builder.gep(rows, [builder.add(pair, index(number))]))
            return builder.gep(base, [builder.mul(builder.sext(at, index), width)])

        inputs = [row(x, source, i, columns[0]) for i in range(count)]
        outputs = [builder.gep(row(out, destination, i, columns[1]), [channel]) for i in range(count)]
        before, loop, after = builder.block, builder.append_basic_block("loop"), builder.append_basic_block("after")
        builder.branch(loop)
        builder.position_at_end(loop)
        c = builder.phi(index)
        c.add_incoming(index(0), before)
        sums = [builder.phi(vector) for _ in range(count)]
        for total in sums:
            total.add_incoming(ir.Constant(vector, [0.0] * LANES), before)
        weights = builder.bitcast(builder.gep(panel, [builder.mul(c, index(LANES))]), vector.as_pointer())
        weights = builder.load(weights, align=4)
        fma = get_or_insert_function(builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{LANES}f32")
        totals = []
        for total, base in zip(sums, inputs, strict=True):
            one = builder.insert_element(undefined, builder.load(builder.gep(base, [c])), whole(0))
            totals.append(builder.call(fma, [builder.shuffle_vector(one, undefined, first_lane), weights, total]))
            total.add_incoming(totals[-1], loop)
        following = builder.add(c, index(1))
        c.add_incoming(following, loop)
        builder.cbranch(builder.icmp_signed("<", following, columns[0]), loop, after)
        builder.position_at_end(after)
        for total, base in zip(totals, outputs, strict=True):
            place = builder.bitcast(base, vector.as_pointer())
            builder.store(builder.fadd(builder.load(place, align=4), total), place, align=4)
        return context.get_dummy_value()

    return emit


_multiply_add_1, _multiply_add_2, _multiply_add_3 = _multiplier(1), _multiplier(2), _multiplier(3)
_multiply_add_4, _multiply_add_5, _multiply_add_6 = _multiplier(4), _multiplier(5), _multiplier(6)
_multiply_add_wide = _multiplier(WIDE)


@compiled()
def _search_sorted(rising: np.ndarray, start: int, end: int, value: int) -> int:
    """Return the first place in [start, end) that holds `value` or more, or `end`; numpy's takes seconds to compile."""
    while start < end:
        middle = (start + end) // 2
        if rising[middle] < value:
            start = middle + 1
        else:
            end = middle
    return start


@compiled()
def convolve_rows(
    x_NC: np.ndarray,
    panels: np.ndarray,
    bias_K: np.ndarray,
    relu: bool,
    out_MK: np.ndarray,
    source_P: np.ndarray,
    destination_P: np.ndarray,
    starts: np.ndarray,
    first_row: int,
    last_row: int,
    first_panel: int,
    last_panel: int,
) -> None:
    """Write rows [first_row, last_row) of the output, channels of the panels [first_panel, last_panel).

    Args:
        x_NC: (N, C) float32 source rows.
        panels: (9, K / LANES, C, LANES) float32, see `fused_backend.panels`; one instead of nine for a plain product.
        bias_K: (K,) float32.
        relu: whether negative sums become 0.
        out_MK: (M, K) float32, K a multiple of LANES.
        source_P: (P,) int32, listed by offset and then by destination.
        destination_P: (P,) int32.
        starts: (10,) where each offset's pairs begin, and P; or (2,).
    """
    first, last = first_panel * LANES, last_panel * LANES
    for row in range(first_row, last_row):
        for k in range(first, last):
            out_MK[row, k] = bias_K[k]
    for place in range(len(starts) - 1):
        start, end = starts[place], starts[place + 1]
        begin, end = (
            _search_sorted(destination_P, start, end, first_row),
            _search_sorted(destination_P, start, end, last_row),
        )
        for number in range(first_panel, last_panel):
            panel, pair, k = panels[place, number], begin, number * LANES
            while pair + WIDE <= end:
                _multiply_add_wide(x_NC, panel, out_MK, source_P, destination_P, pair, k)
                pair += WIDE
            while pair + GROUP <= end:
                _multiply_add_6(x_NC, panel, out_MK, source_P, destination_P, pair, k)
                pair += GROUP
            left = end - pair
            if left == 5:
                _multiply_add_5(x_NC, panel, out_MK, source_P, destination_P, pair, k)
            elif left == 4:
                _multiply_add_4(x_NC, panel, out_MK, source_P, destination_P, pair, k)
            elif left == 3:
                _multiply_add_3(x_NC, panel, out_MK, source_P, destination_P, pair, k)
            elif left == 2:
                _multiply_add_2(x_NC, panel, out_MK, source_P, destination_P, pair, k)
            elif left == 1:
                _multiply_add_1(x_NC, panel, out_MK, source_P, destination_P, pair, k)
    if relu:
        for row in range(first_row, last_row):
            for k in range(first, last):
                out_MK[row, k] = max(out_MK[row, k], np.float32(0))


@compiled()
def _list_pairs(
    destinations_SHW: np.ndarray,
    sources_SHW: np.ndarray,
    offsets_92: np.ndarray,
    rank: np.ndarray,
    place: np.ndarray,
    source_P: np.ndarray,
    destination_P: np.ndarray,
    starts: np.ndarray,
) -> None:
    s, h, w = destinations_SHW.shape
    count, rows, pair = 0, 0, 0
    for segment in range(s):
        for y in range(h):
            at = (segment * (h + 2) + y + 1) * (w + 2) + 1
            for x in range(w):
                if sources_SHW[segment, y, x]:
                    rank[at + x] = count
                    count += 1
                if destinations_SHW[segment, y, x]:
                    place[rows] = at + x
                    rows += 1
    for number in range(9):
        step = offsets_92[number, 0] * (w + 2) + offsets_92[number, 1]
        for row in range(rows):
            neighbour = rank[place[row] + step]
            source_P[pair], destination_P[pair] = neighbour, row
            pair += neighbour >= 0  # the next one writes over a pair that is none
        starts[number + 1] = pair


def list_pairs(
    destinations_SHW: np.ndarray, sources_SHW: np.ndarray, rows: int, offsets_92: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """List (source row, destination row, count of each offset) of all pairs, by offset and then by destination.

    Args:
        destinations_SHW: (S, H, W) bool.
        sources_SHW: (S, H, W) bool.
        rows: how many destinations there are.
        offsets_92: (9, 2) steps (dy, dx) from a destination to its source, in the order of the lists.
    """
    s, h, w = destinations_SHW.shape
    # Maps with a frame of inactive sites: a neighbour is then at a fixed distance, and pairs never wrap around.
    rank, place = np.full(s * (h + 2) * (w + 2), -1, np.int32), np.empty(rows, np.int32)
    source_P, destination_P, starts = (
        np.empty(9 * rows + 1, np.int32),
        np.empty(9 * rows + 1, np.int32),
        np.zeros(10, int),
    )
    _list_pairs(destinations_SHW, sources_SHW, offsets_92, rank, place, source_P, destination_P, starts)
    return source_P[: starts[9]], destination_P[: starts[9]], np.diff(starts)


@compiled()
def _list_blocks(
    mask_SHW: np.ndarray, rank_SHW: np.ndarray, rows_M4: np.ndarray, pooled_SHW: np.ndarray, positions_M: np.ndarray
) -> int:
    (s, h, w), active_sites, count = mask_SHW.shape, 0, 0
    for segment in range(s):
        for y in range(h):
            for x in range(w):
                if mask_SHW[segment, y, x]:
                    rank_SHW[segment, y, x] = active_sites
                    active_sites += 1
    for segment in range(s):
        for y in range(h // 2):
            for x in range(w // 2):
                active = False
                for below in range(4):
                    row = rank_SHW[segment, 2 * y + below // 2, 2 * x + below % 2]
                    rows_M4[count, below] = row
                    active = active or row >= 0
                if active:
                    pooled_SHW[segment, y, x] = True
                    positions_M[count] = (segment * (h // 2) + y) * (w // 2) + x
                    count += 1
    return count


@compiled()
def _max_rows(rows_NC: np.ndarray, rows_M4: np.ndarray, out_MC: np.ndarray) -> None:
    channels = rows_NC.shape[1]
    for place in range(len(out_MC)):
        first = max(max(rows_M4[place, 0], rows_M4[place, 1]), max(rows_M4[place, 2], rows_M4[place, 3]))
        # A row that is missing is replaced by one that is there, so that the inner loop has no branch.
        a, b, d, e = (
            rows_M4[place, 0] if rows_M4[place, 0] >= 0 else first,
            rows_M4[place, 1] if rows_M4[place, 1] >= 0 else first,
            rows_M4[place, 2] if rows_M4[place, 2] >= 0 else first,
            rows_M4[place, 3] if rows_M4[place, 3] >= 0 else first,
        )
        for c in range(channels):
            upper, lower = rows_NC[a, c], rows_NC[d, c]
            upper = rows_NC[b, c] if rows_NC[b, c] > upper else upper
            lower = rows_NC[e, c] if rows_NC[e, c] > lower else lower
            out_MC[place, c] = lower if lower > upper else upper


def max_pool(rows_NC: np.ndarray, mask_SHW: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pool 2x2 blocks: pooled rows, pooled mask, positions of the pooled sites, and the (M, 4) rows below each, -1 for none.

    See `SparseMap.max_pool2`.
    """
    s, h, w = mask_SHW.shape
    pooled_SHW, rank_SHW = np.zeros((s, h // 2, w // 2), np.bool_), np.full((s, h, w), -1, np.int32)
    most = min(len(rows_NC), pooled_SHW.size)
    rows_M4, positions_M = (
        np.empty((most + 1, 4), np.int32),
        np.empty(most, np.int64),
    )  # a block without a site is tried
    count = _list_blocks(mask_SHW, rank_SHW, rows_M4, pooled_SHW, positions_M)
    out_MC = np.empty((count, rows_NC.shape[1]), np.float32)
    _max_rows(rows_NC, rows_M4, out_MC)
    return out_MC, pooled_SHW, positions_M[:count], rows_M4[:count]


@compiled()
def _max_rows_gradient(
    rows_NC: np.ndarray, rows_M4: np.ndarray, out_MC: np.ndarray, grad_MC: np.ndarray, grad_NC: np.ndarray
) -> None:
    left_C = np.empty(rows_NC.shape[1], np.float32)
    for place in range(len(out_MC)):
        fresh = True
        for below in range(4):
            row = rows_M4[place, below]
            if row < 0:
                continue
            for c in range(len(left_C)):
                left = grad_MC[place, c] if fresh else left_C[c]
                taken = left if rows_NC[row, c] == out_MC[place, c] else np.float32(0)
                grad_NC[row, c], left_C[c] = taken, left - taken
            fresh = False


def max_pool_gradient(rows_NC: np.ndarray, rows_M4: np.ndarray, out_MC: np.ndarray, grad_MC: np.ndarray) -> np.ndarray:
    """Return the (N, C) gradient of `max_pool`'s rows from that of its result `out_MC`; of equal ones the first gets it."""
    grad_NC = np.zeros_like(rows_NC)
    _max_rows_gradient(rows_NC, rows_M4, out_MC, grad_MC, grad_NC)
    return grad_NC


@compiled()
def _select_rows(
    rows_NC: np.ndarray,
    attention_SHW: np.ndarray,
    active_SHW: np.ndarray,
    kept_SHW: np.ndarray,
    clip: float,
    out_MC: np.ndarray,
) -> None:
    (s, h, w), kept_row, row = active_SHW.shape, 0, 0
    for segment in range(s):
        mass, count = np.float32(0), 0
        for y in range(h):
            for x in range(w):
                if kept_SHW[segment, y, x]:
                    mass += attention_SHW[segment, y, x]
                    count += 1
        mean = max(mass / np.float32(max(count, 1)), np.float32(1e-37))
        for y in range(h):
            for x in range(w):
                if kept_SHW[segment, y, x]:
                    factor = np.float32(1)
                    if clip > 0:
                        factor = min(attention_SHW[segment, y, x] / mean, np.float32(clip))
                    for c in range(rows_NC.shape[1]):
                        out_MC[kept_row, c] = factor * rows_NC[row, c]
                    kept_row += 1
                row += active_SHW[segment, y, x]


def select_rows(
    rows_NC: np.ndarray, attention_SHW: np.ndarray, active_SHW: np.ndarray, kept_SHW: np.ndarray, kept: int, clip: float
) -> np.ndarray:
    """Return the rows of the `kept` kept sites out of those of the active ones, in their order.

    Each is times its attention over the mean of its segment's kept sites, at most `clip`, which is the soft gate of
    `gate_values`; as it is where `clip` is 0.
    """
    out_MC = np.empty((kept, rows_NC.shape[1]), np.float32)
    _select_rows(rows_NC, attention_SHW, active_SHW, kept_SHW, clip, out_MC)
    return out_MC
