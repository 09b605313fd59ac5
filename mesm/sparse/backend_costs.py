"""What a 3x3 submanifold convolution costs on each backend: measured constants, from which `auto` chooses.

Made by `python -m benchmarks.backend_costs`, which times both backends on the convolutions of MESM's sparse blocks at
full width, 1 to 64 segments, ten densities, fits the constants to the relative error, and prints how well `auto` does
with them. Where nothing was measured (CUDA, other types), `auto` takes the masked dense convolution, which is right
everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ConvCosts:
    """Nanoseconds of one backend: per call, per multiply-add, per float of the rows in and out, per weight."""

    call: float
    mac: float
    row_float: float
    weight: float

    def ns(self, rows: int, macs_per_row: int, c_in: int, c_out: int) -> float:
        """A convolution of so many rows (positions of the grid, or pairs)."""
        return (
            self.call
            + rows * (macs_per_row * self.mac + (c_in + c_out) * self.row_float)
            + 9 * c_in * c_out * self.weight
        )


@dataclass(frozen=True)
class BackendCosts:
    """The two backends that run everywhere; `gather` includes half of the rulebook, which serves two convolutions."""

    dense: ConvCosts
    gather: ConvCosts

    def dense_ns(self, positions: int, c_in: int, c_out: int) -> float:
        """Masked dense convolution of `positions` = S * H * W sites."""
        return self.dense.ns(positions, 9 * c_in * c_out, c_in, c_out)

    def gather_ns(self, pairs: int, c_in: int, c_out: int) -> float:
        """Gather, matmul and segment sum of so many pairs."""
        return self.gather.ns(pairs, c_in * c_out, c_in, c_out)


#: (device type, dtype) -> constants. AMD EPYC (AVX2), torch 2.14, one thread, processor time.
COSTS: dict[tuple[str, str], BackendCosts] = {
    ("cpu", "float32"): BackendCosts(
        dense=ConvCosts(243_000, 0.0237, 1.02, 0.75),
        gather=ConvCosts(781_000, 0.0231, 1.02, 0.587),
    ),
}
