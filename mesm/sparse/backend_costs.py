"""Estimate the time of a 3x3 submanifold convolution on each backend, from costs that `calibration` measures.

`COSTS` are those of another machine, for where nothing is to be measured.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ConvCosts:
    """Hold the nanoseconds of one backend: per call, per multiply-add, per float of the rows in and out, per weight."""

    call: float
    mac: float
    row_float: float
    weight: float

    def ns(self, rows: int, macs_per_row: int, c_in: int, c_out: int) -> float:
        """Return the nanoseconds of a convolution of `rows` rows (positions of the grid, or pairs)."""
        return (
            self.call
            + rows * (macs_per_row * self.mac + (c_in + c_out) * self.row_float)
            + 9 * c_in * c_out * self.weight
        )


#: Backend -> constants; `fused` includes half of its pairs' lists, which serve two convolutions.
BackendCosts = dict[str, ConvCosts]


def fastest(costs: BackendCosts, positions: int, pairs: int, c_in: int, c_out: int) -> str:
    """Return the backend of least cost for `pairs` pairs on maps of `positions` = S * H * W sites."""

    def ns(name: str) -> float:
        rows, kernel = (positions, 9) if name == "dense" else (pairs, 1)
        return costs[name].ns(rows, kernel * c_in * c_out, c_in, c_out)

    return min(costs, key=ns)


#: (device type, dtype) -> constants. AMD EPYC (AVX2), torch 2.14, one thread, processor time.
COSTS: dict[tuple[str, str], BackendCosts] = {
    ("cpu", "float32"): {
        "dense": ConvCosts(385_000, 0.0284, 0.0843, 0.707),
        "fused": ConvCosts(347_000, 0.0272, 0.22, 0.307),
    },
}
