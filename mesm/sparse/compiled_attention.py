"""Compute the cross-modal attention's logits in one compiled pass over the active sites (float32, CPU, inference only).

Torch would run a dozen small operations per layer, each waking its own threads between two passes of the convolution,
which has others; here the same threads do both, and a row is read once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from mesm.errors import DataError
from mesm.sparse.compiled import compiled, convolve_rows
from mesm.sparse.fused_backend import LANES, in_lanes, share_out

#: Rows that one thread takes at a time; their hidden layer stays in its cache.
BLOCK_ROWS = 128
#: Taylor coefficients of 2^r = exp(r ln 2), highest power first: for |r| <= 1/2 the rest is below float32's precision.
_POWER_OF_TWO = tuple(float(np.log(2) ** n / np.prod(np.arange(1, n + 1))) for n in range(6, -1, -1))
_A6, _A5, _A4, _A3, _A2, _A1, _A0 = (np.float32(a) for a in _POWER_OF_TWO)
_LOG2E = np.float32(1 / np.log(2))
_LARGEST, _ROUND, _ONE = np.float32(126), np.float32(127.5), np.float32(1)


@compiled(fastmath={"reassoc", "contract"})
def _score_rows(
    hidden_NK: np.ndarray,
    segment_N: np.ndarray,
    shift_SK: np.ndarray,
    score_K: np.ndarray,
    logits_N: np.ndarray,
    first_row: int,
    last_row: int,
) -> None:
    """logits[row] = score . sigmoid(hidden[row] + shift[its segment])."""
    width = len(score_K)
    bits_K, part_K = np.empty(width, np.int32), np.empty(width, np.float32)
    power_K = bits_K.view(np.float32)
    for row in range(first_row, last_row):
        segment, total = segment_N[row], np.float32(0)
        for k in range(width):
            # exp(-z) = 2^t = 2^n 2^r with n whole and |r| <= 1/2; a float's exponent bits hold n.
            t = -(hidden_NK[row, k] + shift_SK[segment, k]) * _LOG2E
            t = -_LARGEST if t < -_LARGEST else (_LARGEST if t > _LARGEST else t)
            biased = np.int32(t + _ROUND)  # n + 127, rounded to the nearest because it is positive
            r = t - np.float32(biased - np.int32(127))
            part_K[k] = (((((_A6 * r + _A5) * r + _A4) * r + _A3) * r + _A2) * r + _A1) * r + _A0
            bits_K[k] = biased << np.int32(23)
        for k in range(width):
            total += score_K[k] / (_ONE + part_K[k] * power_K[k])
        logits_N[row] = total


@compiled(fastmath={"reassoc", "contract"})
def _dot_rows(
    features_NC: np.ndarray,
    segment_N: np.ndarray,
    direction_SC: np.ndarray,
    sums_N3: np.ndarray,
    first_row: int,
    last_row: int,
) -> None:
    """sums[row] = sum of the row, of its squares, and of its products with its segment's direction."""
    for row in range(first_row, last_row):
        segment, whole, squares, dot = segment_N[row], np.float32(0), np.float32(0), np.float32(0)
        for c in range(features_NC.shape[1]):
            x = features_NC[row, c]
            whole += x
            squares += x * x
            dot += x * direction_SC[segment, c]
        sums_N3[row, 0], sums_N3[row, 1], sums_N3[row, 2] = whole, squares, dot


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
        """Multiply rows by the weight and add the bias, on this thread: (N, K padded to whole panels).

        Raises:
            DataError: rows of another width or type than the weight's.
        """
        _check_width(rows_NC, self)
        count, padded = len(rows_NC), self.values.shape[1] * LANES
        out, itself = np.empty((count, padded), np.float32), np.arange(count, dtype=np.int32)
        bias = np.zeros(padded, np.float32)
        if bias_K is not None:
            bias[: self.width] = bias_K
        place = (itself, itself, np.array([0, count]), 0, count, 0, self.values.shape[1])
        convolve_rows(rows_NC, self.values, bias, False, out, *place)
        return out


def _check_width(rows_NC: np.ndarray, weight: Panels) -> None:
    channels = weight.values.shape[2]
    if rows_NC.ndim != 2 or rows_NC.shape[1] != channels or rows_NC.dtype != np.float32:
        raise DataError(f"rows of {rows_NC.shape} in {rows_NC.dtype}; the weight reads (N, {channels}) in float32")


def sigmoid_scores(
    features_NC: Tensor,
    segment_N: Tensor,
    weight: Panels,
    shift_SK: np.ndarray,
    score_K: np.ndarray,
    direction_SC: np.ndarray | None = None,
) -> tuple[Tensor, Tensor | None]:
    """Compute the attention's score of every site in one pass.

    Args:
        features_NC: (N, C) float32, without gradient.
        segment_N: (N,) int64, the segment of each row.
        weight: W, (K, C).
        shift_SK: (S, K padded to whole panels) float32.
        score_K: (K padded,) float32, zeros behind K.
        direction_SC: (S, C or more) float32, or None.

    Returns:
        (N,) score . sigmoid(W x + shift of its segment), and, with a direction, (N, 3): each row's sum, sum of squares,
        and product with its segment's direction.

    Raises:
        DataError: arrays that do not fit each other.
    """
    _check_width(features_NC.numpy(), weight)
    segments = int(segment_N[-1]) + 1 if len(segment_N) else 0  # they rise
    others = [a for a in (shift_SK, direction_SC) if a is not None]
    if len(segment_N) != len(features_NC) or any(len(a) < segments or a.dtype != np.float32 for a in others):
        raise DataError(
            f"{len(features_NC)} rows, {len(segment_N)} of them with a segment, and {[len(a) for a in others]} queries for "
            f"{segments} segments; they must agree, in float32"
        )
    rows, panel = len(features_NC), weight.values
    features, segment = features_NC.contiguous().numpy(), segment_N.numpy()
    hidden, logits = np.empty((rows, len(score_K)), np.float32), np.empty(rows, np.float32)
    itself, starts, bias = np.arange(rows, dtype=np.int32), np.array([0, rows]), np.zeros(len(score_K), np.float32)
    sums = None if direction_SC is None else np.empty((rows, 3), np.float32)

    def work(first: int) -> None:
        last = min(rows, first + BLOCK_ROWS)
        place = (itself, itself, starts, first, last, 0, panel.shape[1])
        convolve_rows(features, panel, bias, False, hidden, *place)
        _score_rows(hidden, segment, shift_SK, score_K, logits, first, last)
        if sums is not None:
            _dot_rows(features, segment, direction_SC, sums, first, last)

    share_out(range(0, rows, BLOCK_ROWS), work)
    return torch.from_numpy(logits), None if sums is None else torch.from_numpy(sums)
