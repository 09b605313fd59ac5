"""Compile a convolution with bias and ReLU over places of framed maps, and the pool behind it (float32, CPU, inference).

A map with a frame of zeros, channels-last, needs no test at its border: the window of every place is at the same distances
from it. `convolve_tile` computes TILE places times LANES output channels: these sums start at the bias and stay in vector
registers while all inputs of the window go by, one fused multiply-add each; a window's row is one run of numbers where the
channels lie without a gap, so that the inner loop is long even for one or three input channels. An AVX2 core so reaches the
rate of a large matrix product from one map of 6 x 6 on.

The places are listed in arrays: all of a map for a dense convolution, the kept ones for a submanifold one, whose other
places are zeros in the framed maps. Importing this file imports numba.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core.cgutils import get_or_insert_function
from numba.extending import intrinsic

from mesm.sparse.compiled import LANES, WIDE, compiled

#: Places of one tile: with LANES channels each, their sums fill twelve of AVX2's sixteen registers.
TILE = WIDE
#: Floats of a block's maps in and out: 256 KiB, half of a usual second-level cache.
BLOCK_FLOATS = 1 << 16
#: Places of a block at least, so that enough tiles share the reading of the weights.
LEAST_PLACES = 256


@intrinsic
def _convolve_tile(
    context: Any,
    x: Any,
    out: Any,
    weights: Any,
    bias: Any,
    source: Any,
    destination: Any,
    offsets: Any,
    place: Any,
    x_start: Any,
    out_start: Any,
    weights_start: Any,
    channel: Any,
    run: Any,
    step: Any,
) -> Any:
    """Convolve TILE places p, from `place` on, for the LANES channels from `channel` on.

    out[out_start + destination[p] + channel : ... + LANES] = relu(bias[channel : ... + LANES] + the sum over r and i < run of
    x[x_start + source[p] + offsets[r] + i] * weights[weights_start + r * step + i * LANES : ... + LANES]).
    """
    arrays = (x, out, weights, bias, source, destination, offsets)
    return types.void(*arrays, *[types.intp] * 7), _tile_code


def _tile_code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    real, index, whole = ir.FloatType(), ir.IntType(64), ir.IntType(32)
    vector = ir.VectorType(real, LANES)
    undefined, zeros = ir.Constant(vector, ir.Undefined), ir.Constant(vector, [0.0] * LANES)
    first_lane = ir.Constant(ir.VectorType(whole, LANES), [0] * LANES)
    fma = get_or_insert_function(builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{LANES}f32")
    arrays = [context.make_array(signature.args[i])(context, builder, arguments[i]) for i in range(7)]
    x, out, weights, bias, source, destination, offsets = (array.data for array in arrays)
    place, x_start, out_start, weights_start, channel, run, step = arguments[7:]
    runs = builder.extract_value(arrays[6].shape, 0)

    def at(base: Any, start: Any, table: Any, number: int) -> Any:
        position = builder.load(builder.gep(table, [builder.add(place, index(number))]))
        return builder.gep(base, [builder.add(start, position)])

    def lanes(pointer: Any) -> Any:
        return builder.load(builder.bitcast(pointer, vector.as_pointer()), align=4)

    inputs = [at(x, x_start, source, i) for i in range(TILE)]
    outputs = [at(out, builder.add(out_start, channel), destination, i) for i in range(TILE)]
    bias, weights = lanes(builder.gep(bias, [channel])), builder.gep(weights, [weights_start])
    before = builder.block
    over_runs, over_inputs, run_done, done = (
        builder.append_basic_block(name) for name in ("over_runs", "over_inputs", "run_done", "done")
    )
    builder.branch(over_runs)

    builder.position_at_end(over_runs)
    r, panel = builder.phi(index), builder.phi(weights.type)
    outer_sums = [builder.phi(vector) for _ in range(TILE)]
    for phi, value in ((r, index(0)), (panel, weights), *((total, bias) for total in outer_sums)):
        phi.add_incoming(value, before)
    offset = builder.load(builder.gep(offsets, [r]))
    rows = [builder.gep(pointer, [offset]) for pointer in inputs]
    builder.branch(over_inputs)

    builder.position_at_end(over_inputs)
    i = builder.phi(index)
    inner_sums = [builder.phi(vector) for _ in range(TILE)]
    for phi, value in ((i, index(0)), *zip(inner_sums, outer_sums, strict=True)):
        phi.add_incoming(value, over_runs)
    weight = lanes(builder.gep(panel, [builder.mul(i, index(LANES))]))
    totals = []
    for total, row in zip(inner_sums, rows, strict=True):
        one = builder.insert_element(undefined, builder.load(builder.gep(row, [i])), whole(0))
        totals.append(builder.call(fma, [builder.shuffle_vector(one, undefined, first_lane), weight, total]))
        total.add_incoming(totals[-1], over_inputs)
    following = builder.add(i, index(1))
    i.add_incoming(following, over_inputs)
    builder.cbranch(builder.icmp_signed("<", following, run), over_inputs, run_done)

    builder.position_at_end(run_done)
    next_run, next_panel = builder.add(r, index(1)), builder.gep(panel, [step])
    for phi, value in ((r, next_run), (panel, next_panel), *zip(outer_sums, totals, strict=True)):
        phi.add_incoming(value, run_done)
    builder.cbranch(builder.icmp_signed("<", next_run, runs), over_runs, done)

    builder.position_at_end(done)
    for total, pointer in zip(totals, outputs, strict=True):
        negative = builder.fcmp_ordered("<", total, zeros)  # false for NaN, which stays
        value = builder.select(negative, zeros, total)
        builder.store(value, builder.bitcast(pointer, vector.as_pointer()), align=4)
    return context.get_dummy_value()


@compiled()
def convolve_places(
    x: np.ndarray,
    weights: np.ndarray,
    bias_K: np.ndarray,
    source_P: np.ndarray,
    destination_P: np.ndarray,
    offsets_R: np.ndarray,
    run: int,
    step: int,
    out: np.ndarray,
    first: int,
    last: int,
    first_panel: int,
    last_panel: int,
    x_start: int = 0,
    out_start: int = 0,
) -> None:
    """Convolve at the places [first, last), channels of the panels [first_panel, last_panel), and end with a ReLU.

    Args:
        x: framed maps, flat.
        weights: flat, (runs, panels, run, LANES) or (panels, runs, run, LANES).
        bias_K: one value for each lane.
        source_P: where each place's window begins in `x`, after `x_start`; filled up to whole tiles, see `in_tiles`.
        destination_P: where its channels begin in `out`, after `out_start`; filled up alike.
        offsets_R: where each run of the window begins, from the window's beginning.
        run: numbers in a run.
        step: from a run's weights to the next one's; the panels of all runs lie side by side where it is more than a run's.
        out: flat.
        first: place, a multiple of TILE.
        last: place.
        first_panel: of LANES output channels.
        last_panel: not computed.
        x_start: of the map in `x`.
        out_start: of the map in `out`.
    """
    between_panels = run * LANES if step > run * LANES else len(offsets_R) * step
    for panel in range(first_panel, last_panel):
        for place in range(first, last, TILE):
            _convolve_tile(  # type: ignore[call-arg]  # numba passes the context
                x, out, weights, bias_K, source_P, destination_P, offsets_R, place, x_start, out_start,
                panel * between_panels, panel * LANES, run, step,
            )  # fmt: skip


@compiled()
def clear_frame(maps_SHWC: np.ndarray, frame: int) -> None:
    """Set the frame of the maps to zero."""
    s, h, w, c = maps_SHWC.shape
    for segment in range(s):
        for y in range(h):
            inside = frame <= y < h - frame
            for x in range(w):
                if inside and x == frame:
                    break
                for channel in range(c):
                    maps_SHWC[segment, y, x, channel] = 0
            if inside:
                for x in range(w - frame, w):
                    for channel in range(c):
                        maps_SHWC[segment, y, x, channel] = 0


@compiled()
def frame_maps(maps_SCHW: np.ndarray, framed_SHWC: np.ndarray, frame: int) -> None:
    """Copy (S, C, H, W) maps into framed channels-last ones, the frame included."""
    s, c, h, w = maps_SCHW.shape
    clear_frame(framed_SHWC, frame)
    for segment in range(s):
        for y in range(h):
            for channel in range(c):
                for x in range(w):
                    framed_SHWC[segment, y + frame, x + frame, channel] = maps_SCHW[segment, channel, y, x]


@compiled()
def _pool(maps_HWC: np.ndarray, out_HWC: np.ndarray, first: int, last: int, frame: int) -> None:
    for y in range(maps_HWC.shape[0] // 2):
        for x in range(maps_HWC.shape[1] // 2):
            for c in range(first, last):
                a, b = maps_HWC[2 * y, 2 * x, c], maps_HWC[2 * y, 2 * x + 1, c]
                d, e = maps_HWC[2 * y + 1, 2 * x, c], maps_HWC[2 * y + 1, 2 * x + 1, c]
                a = b if b > a else a
                d = e if e > d else d
                out_HWC[y + frame, x + frame, c] = d if d > a else a


@compiled()
def convolve_maps(
    x_SHWC: np.ndarray,
    weights: np.ndarray,
    bias_K: np.ndarray,
    source_P: np.ndarray,
    destination_P: np.ndarray,
    offsets_R: np.ndarray,
    run: int,
    out_SHWC: np.ndarray,
    scratch_SHWC: np.ndarray,
    frame: int,
    first_panel: int,
    last_panel: int,
) -> None:
    """Convolve whole maps, channels of the panels [first_panel, last_panel), into framed maps; with a scratch, pool them.

    Args:
        x_SHWC: framed.
        weights: of `lay_out`.
        bias_K: of `lay_out`.
        source_P: see `convolve_places`; of one map.
        destination_P: in a map of `out_SHWC`, or of the scratch.
        offsets_R: see `convolve_places`.
        run: see `convolve_places`.
        out_SHWC: with a frame of `frame`, which is left alone.
        scratch_SHWC: the convolution's maps without a frame, as many segments as are computed together; none (0, ...)
            without a pool.
        frame: of `out_SHWC`.
        first_panel: of LANES output channels.
        last_panel: not computed.
    """
    pooled, segments = len(scratch_SHWC) > 0, len(x_SHWC)
    x_floats = x_SHWC.shape[1] * x_SHWC.shape[2] * x_SHWC.shape[3]
    target = scratch_SHWC if pooled else out_SHWC
    out_floats = target.shape[1] * target.shape[2] * target.shape[3]
    x, out = x_SHWC.reshape(-1), target.reshape(-1)
    together = max(1, BLOCK_FLOATS // (x_floats + out_floats), LEAST_PLACES // len(source_P))
    if pooled:
        together = min(together, len(scratch_SHWC))
    for start in range(0, segments, together):
        end = min(segments, start + together)
        for panel in range(first_panel, last_panel):
            for segment in range(start, end):
                out_start = (segment - start if pooled else segment) * out_floats
                convolve_places(
                    x, weights, bias_K, source_P, destination_P, offsets_R, run, run * LANES, out, 0, len(source_P),
                    panel, panel + 1, segment * x_floats, out_start,
                )  # fmt: skip
        if pooled:
            for segment in range(start, end):
                first, last = first_panel * LANES, last_panel * LANES
                _pool(scratch_SHWC[segment - start], out_SHWC[segment], first, last, frame)


def in_tiles(places_P: np.ndarray) -> np.ndarray:
    """Return the places as int64, filled up to whole tiles with the last one, which is then computed again."""
    return np.concatenate([places_P, np.repeat(places_P[-1:], -len(places_P) % TILE)]).astype(np.int64)


def lay_out(weight_KCRR: np.ndarray, bias_K: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a weight as (K / LANES, R, R, C, LANES), flat, and its bias, with zeros behind K."""
    k, c, r, _ = weight_KCRR.shape
    padded = -(-k // LANES) * LANES
    bias, weight = np.zeros(padded, np.float32), np.zeros((padded, c, r, r), np.float32)
    bias[:k], weight[:k] = bias_K, weight_KCRR
    return weight.reshape(-1, LANES, c, r, r).transpose(0, 3, 4, 2, 1).reshape(-1), bias


def window_runs(size: int, channels: int, width: int, stride: int) -> tuple[np.ndarray, int]:
    """Return where each run of a size x size window begins, and its length, in framed maps.

    Args:
        size: of the kernel.
        channels: that the weights read.
        width: of the framed maps.
        stride: floats of one place: at least `channels`.
    """
    rows = np.arange(size) * width * stride
    if channels == stride:
        return rows, size * channels
    return (rows[:, None] + np.arange(size) * stride).reshape(-1), channels
