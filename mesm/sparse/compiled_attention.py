"""Compute the cross-modal attention and its nucleus in compiled loops, segment by segment (float32, CPU, inference only).

Torch would run a dozen small operations per layer, each waking its own threads between two passes of the convolution,
which has others; here a segment's rows are read once, and the thread that computes its attention goes on with its sites.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Tensor

from mesm.errors import DataError
from mesm.sparse.compiled import compiled, convolve_rows
from mesm.sparse.fused_backend import LANES, in_lanes
from mesm.sparse.sites import NAN_ATTENTION

#: Rows whose hidden layer is computed at a time, so that it stays in the first-level cache.
BLOCK_ROWS = 96
#: Sigmoids that are computed at a time, in the first-level cache too.
BLOCK_SIGMOIDS = 1024
#: Taylor coefficients of 2^r = exp(r ln 2), highest power first: for |r| <= 1/2 the rest is below float32's precision.
_POWER_OF_TWO = tuple(float(np.log(2) ** n / np.prod(np.arange(1, n + 1))) for n in range(6, -1, -1))
_A6, _A5, _A4, _A3, _A2, _A1, _A0 = (np.float32(a) for a in _POWER_OF_TWO)
_LOG2E = np.float32(1 / np.log(2))
_LARGEST, _ROUND, _ONE = np.float32(126), np.float32(127.5), np.float32(1)
#: Variance below which GroupNorm does not scale up, as in torch.
_EPS = np.float32(1e-5)
#: The bits of infinity as float32; those of NaN are greater.
_INFINITY_BITS = np.uint32(0x7F800000)


@compiled(fastmath={"reassoc", "contract"})
def _score_rows(hidden_RK: np.ndarray, score_K: np.ndarray, rows: int, logits: np.ndarray) -> None:
    """logits[row] = score . sigmoid(hidden[row])."""
    width = len(score_K)
    # Some rows at a time, as one flat loop: the first layers have few channels, and short loops would cost most.
    together = max(1, BLOCK_SIGMOIDS // width)
    hidden, bits = hidden_RK.reshape(-1), np.empty(together * width, np.int32)
    part, power = np.empty(together * width, np.float32), bits.view(np.float32)
    for start in range(0, rows, together):
        end = min(rows, start + together)
        block, count = hidden[start * width : end * width], (end - start) * width
        for i in range(count):
            # exp(-z) = 2^t = 2^n 2^r with n whole and |r| <= 1/2; a float's exponent bits hold n.
            t = -block[i] * _LOG2E
            t = -_LARGEST if t < -_LARGEST else (_LARGEST if t > _LARGEST else t)
            biased = np.int32(t + _ROUND)  # n + 127, rounded to the nearest because it is positive
            r = t - np.float32(biased - np.int32(127))
            part[i] = (((((_A6 * r + _A5) * r + _A4) * r + _A3) * r + _A2) * r + _A1) * r + _A0
            bits[i] = biased << np.int32(23)
        for i in range(count):
            part[i] = _ONE / (_ONE + part[i] * power[i])
        for row in range(start, end):
            total, sigmoids = np.float32(0), part[(row - start) * width : (row - start + 1) * width]
            for k in range(width):
                total += score_K[k] * sigmoids[k]
            logits[row] = total


@compiled(fastmath={"reassoc", "contract"})
def _add_normalised_dot(features_RC: np.ndarray, direction_C: np.ndarray, positions: int, logits: np.ndarray) -> None:
    """logits[row] += GroupNorm(features)[row] . direction / sqrt(C), one group over a map of which the rest is 0."""
    rows, channels = features_RC.shape
    dots = np.empty(rows, np.float32)
    whole, squares, along = np.float64(0), np.float64(0), np.float32(0)
    for c in range(channels):
        along += direction_C[c]
    for row in range(rows):
        row_sum, row_squares, dot = np.float32(0), np.float32(0), np.float32(0)
        for c in range(channels):
            x = features_RC[row, c]
            row_sum += x
            row_squares += x * x
            dot += x * direction_C[c]
        whole += row_sum
        squares += row_squares
        dots[row] = dot
    mean = np.float32(whole / (channels * positions))
    variance = max(np.float32(squares / (channels * positions)) - mean * mean, np.float32(0))
    scale = _ONE / np.sqrt((variance + _EPS) * np.float32(channels))
    for row in range(rows):
        logits[row] += (dots[row] - mean * along) * scale


@compiled(fastmath={"reassoc", "contract"})
def _softmax(logits: np.ndarray, rows: int) -> None:
    """Replace the logits by their softmax; by NaN if one of them is not finite."""
    top, finite = logits[0], True
    for row in range(rows):
        finite = finite and abs(logits[row]) < np.inf
        top = max(top, logits[row])
    if not finite:
        for row in range(rows):
            logits[row] = np.nan
        return
    bits, part, total = np.empty(rows, np.int32), np.empty(rows, np.float32), np.float32(0)
    power = bits.view(np.float32)
    for row in range(rows):
        t = max((logits[row] - top) * _LOG2E, -_LARGEST)
        biased = np.int32(t + _ROUND)
        r = t - np.float32(biased - np.int32(127))
        part[row] = (((((_A6 * r + _A5) * r + _A4) * r + _A3) * r + _A2) * r + _A1) * r + _A0
        bits[row] = biased << np.int32(23)
    for row in range(rows):
        logits[row] = part[row] * power[row]
        total += logits[row]
    for row in range(rows):
        logits[row] /= total


@compiled()
def _attend(
    features_NC: np.ndarray,
    active_SHW: np.ndarray,
    panel: np.ndarray,
    shift_SK: np.ndarray,
    score_K: np.ndarray,
    direction_SC: np.ndarray,
    attention_SHW: np.ndarray,
) -> None:
    (s, h, w), last = active_SHW.shape, 0
    hidden, itself = np.empty((BLOCK_ROWS, len(score_K)), np.float32), np.empty(BLOCK_ROWS, np.int32)
    logits, starts = np.empty(h * w, np.float32), np.empty(2, np.int64)
    for row in range(BLOCK_ROWS):
        itself[row] = row
    for segment in range(s):
        first = last
        for y in range(h):
            for x in range(w):
                last += active_SHW[segment, y, x]
        for row in range(first, last, BLOCK_ROWS):
            rows = min(BLOCK_ROWS, last - row)
            starts[0], starts[1] = 0, rows
            block, panels = features_NC[row : row + rows], panel.shape[1]
            convolve_rows(block, panel, shift_SK[segment], False, hidden, itself, itself, starts, 0, rows, 0, panels)
            _score_rows(hidden, score_K, rows, logits[row - first :])
        if last > first:
            if len(direction_SC):
                _add_normalised_dot(features_NC[first:last], direction_SC[segment], h * w, logits)
            _softmax(logits, last - first)
        place = 0
        for y in range(h):
            for x in range(w):
                attention_SHW[segment, y, x] = 0
                if active_SHW[segment, y, x]:
                    attention_SHW[segment, y, x] = logits[place]
                    place += 1


@compiled()
def _sort(keys: np.ndarray, spare: np.ndarray, count: int) -> None:
    """Sort the first `count` of the uint32 keys in rising order, digit by digit; numpy's sort takes long to compile."""
    ends = np.empty(257, np.int64)
    for digit in range(4):
        shift = np.uint32(8 * digit)
        for value in range(257):
            ends[value] = 0
        for i in range(count):
            ends[((keys[i] >> shift) & np.uint32(255)) + 1] += 1
        for value in range(256):
            ends[value + 1] += ends[value]
        for i in range(count):
            value = (keys[i] >> shift) & np.uint32(255)
            spare[ends[value]] = keys[i]
            ends[value] += 1
        keys, spare = spare, keys  # after four digits they are back


@compiled()
def _nucleus(attention_SHW: np.ndarray, active_SHW: np.ndarray, top_p: float, kept_SHW: np.ndarray) -> int:
    (s, h, w), kept = active_SHW.shape, 0
    bits_SHW = attention_SHW.view(np.uint32)  # of numbers that are not negative, the bits sort as the numbers do
    keys, spare = np.empty(h * w, np.uint32), np.empty(h * w, np.uint32)
    masses = keys.view(np.float32)
    for segment in range(s):
        count, least, room = 0, np.uint32(0), h * w
        for y in range(h):
            for x in range(w):
                if active_SHW[segment, y, x]:
                    keys[count] = bits_SHW[segment, y, x]
                    if keys[count] > _INFINITY_BITS:
                        return -1
                    count += 1
        if top_p < 1 and count:
            _sort(keys, spare, count)
            before, place = np.float64(0), count
            while place > 0 and before < top_p:  # float64: many small masses do not pass p too early
                place -= 1
                before += masses[place]
            least, room = keys[place], 1
            while place + room < count and keys[place + room] == least:
                room += 1
        for y in range(h):
            for x in range(w):
                key, keep = bits_SHW[segment, y, x], active_SHW[segment, y, x]
                if keep and key == least:
                    keep = room > 0
                    room -= 1
                keep = keep and key >= least
                kept_SHW[segment, y, x] = keep
                kept += keep
    return kept


def nucleus(attention_SHW: np.ndarray, active_SHW: np.ndarray, top_p: float) -> tuple[np.ndarray, int]:
    """Select the sites of `mesm.layers.nucleus.nucleus_mask`; return their (S, H, W) bool mask and their number.

    Raises:
        DataError: an attention that is not a number, because features or query are not.
    """
    kept_SHW = np.empty(active_SHW.shape, np.bool_)
    kept = _nucleus(attention_SHW, active_SHW, float(top_p), kept_SHW)
    if kept < 0:
        raise DataError(NAN_ATTENTION)
    return kept_SHW, kept


@dataclass(frozen=True, eq=False)
class Panels:
    """Hold a (K, C) weight in the layout of `convolve_rows`: (1, ceil(K / LANES), C, LANES), zeros behind K."""

    values: np.ndarray
    width: int
    lanes: ClassVar[int] = LANES

    @classmethod
    def of(cls, weight_KC: Tensor) -> Panels:
        """Pack a weight; a weight that does not change is packed once."""
        return cls(in_lanes(weight_KC.detach()[None]).numpy(), len(weight_KC))

    def multiply(self, rows_NC: np.ndarray, bias_K: np.ndarray | None = None) -> np.ndarray:
        """Multiply rows by the weight and add the bias, (K padded to whole panels,), on this thread: (N, K padded).

        Raises:
            DataError: rows of another width or type than the weight's.
        """
        _check_width(rows_NC, self)
        count, padded = len(rows_NC), self.values.shape[1] * LANES
        out, itself = np.empty((count, padded), np.float32), np.arange(count, dtype=np.int32)
        bias = np.zeros(padded, np.float32) if bias_K is None else bias_K
        place = (itself, itself, np.array([0, count]), 0, count, 0, self.values.shape[1])
        convolve_rows(rows_NC, self.values, bias, False, out, *place)
        return out


def _check_width(rows_NC: np.ndarray, weight: Panels) -> None:
    channels = weight.values.shape[2]
    if rows_NC.ndim != 2 or rows_NC.shape[1] != channels or rows_NC.dtype != np.float32:
        raise DataError(f"rows of {rows_NC.shape} in {rows_NC.dtype}; the weight reads (N, {channels}) in float32")


@dataclass(frozen=True, eq=False)
class SegmentAttention:
    """Hold the attention of one layer under each segment's query, ready for the compiled loops.

    Attributes:
        weight: 2 W_m, (K, C): the factor 2 of a sigmoid in the place of a tanh.
        shift_SK: (S, K padded to whole panels) float32, 2 (b_m + W_q q) of each segment.
        score_K: (K padded,) float32, 2 W_i, zeros behind K.
        direction_SC: (S, C) float32, U q of each segment; (0, C) without the bilinear term.
    """

    weight: Panels
    shift_SK: np.ndarray
    score_K: np.ndarray
    direction_SC: np.ndarray

    def __call__(self, features_NC: np.ndarray, active_SHW: np.ndarray, first: int = 0) -> np.ndarray:
        """Compute the attention of some segments.

        Args:
            features_NC: (N, C) float32, contiguous, the rows of the active sites.
            active_SHW: (S', H, W) bool, contiguous, the sites of the segments from `first` on.
            first: which of the queries' segments is the first one here.

        Returns:
            (S', H, W) float32: each segment sums to 1 over its active sites and is 0 elsewhere; NaN if a logit is.

        Raises:
            DataError: rows of another width or type than the weight's, or more segments than queries.
        """
        _check_width(features_NC, self.weight)
        last = first + len(active_SHW)
        if last > len(self.shift_SK) or len(features_NC) != np.count_nonzero(active_SHW):
            raise DataError(
                f"{len(features_NC)} rows for {np.count_nonzero(active_SHW)} sites of segments {first} to {last}, "
                f"and {len(self.shift_SK)} queries; there must be one row per site and one query per segment"
            )
        attention_SHW = np.empty(active_SHW.shape, np.float32)
        queries = self.shift_SK[first:last], self.score_K, self.direction_SC[first:last]
        _attend(features_NC, active_SHW, self.weight.values, *queries, attention_SHW)
        return attention_SHW


@dataclass(frozen=True, eq=False)
class AttentionWeights:
    """Hold a layer's weights in the layout of the compiled loops, with the factors 2 of a sigmoid in the place of a tanh.

    Attributes:
        weight: W_m.
        query: W_q, or None without a query.
        direction: U, or None without the bilinear term.
        bias_K: b_m, (K padded to whole panels,).
        score_K: W_i, (K padded,).
    """

    weight: Panels
    query: Panels | None
    direction: Panels | None
    bias_K: np.ndarray
    score_K: np.ndarray

    def under(self, query_SD: Tensor | None, segments: int) -> SegmentAttention:
        """Compute the queries' terms.

        Args:
            query_SD: (S, D) that fit the weights; ignored, and may be None, without a query term.
            segments: S.
        """
        direction = np.empty((0, self.weight.values.shape[2]), np.float32)
        if query_SD is None or self.query is None:
            return SegmentAttention(self.weight, np.tile(self.bias_K, (segments, 1)), self.score_K, direction)
        query = query_SD.detach().float().contiguous().numpy()
        shift = self.query.multiply(query, self.bias_K)
        if self.direction is not None:
            direction = np.ascontiguousarray(self.direction.multiply(query)[:, : direction.shape[1]])
        return SegmentAttention(self.weight, shift, self.score_K, direction)
