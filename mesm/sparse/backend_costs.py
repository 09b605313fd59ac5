"""What a 3x3 submanifold convolution costs on each backend: measured constants, from which `auto` chooses.

Made by `python -m benchmarks.backend_costs`, which times both backends on the six convolutions of MESM's sparse blocks,
1 to 64 segments, ten densities, and fits the constants to the relative error; it also prints how well `auto` then does.
Where nothing was measured (CUDA, bfloat16 with matrix units), `auto` takes the masked dense convolution, which is
right everywhere and fast there.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BackendCosts:
    """Nanoseconds: per call, per multiply-add, per float of input and output rows; for `gather` per pair and float."""

    dense_call: float
    dense_mac: float
    dense_float: float
    gather_call: float
    gather_mac: float
    gather_float: float

    def dense_ns(self, positions: int, c_in: int, c_out: int) -> float:
        """Masked dense convolution of `positions` = S * H * W sites."""
        return self.dense_call + positions * (9 * c_in * c_out * self.dense_mac + (c_in + c_out) * self.dense_float)

    def gather_ns(self, pairs: int, c_in: int, c_out: int) -> float:
        """Gather, matmul and segment sum of so many pairs, with half of the rulebook."""
        return self.gather_call + pairs * (c_in * c_out * self.gather_mac + (c_in + c_out) * self.gather_float)


#: (device type, dtype) -> constants. AMD EPYC (AVX2), 2 threads, torch 2.14.
COSTS: dict[tuple[str, str], BackendCosts] = {
    ("cpu", "float32"): BackendCosts(60_000, 0.0215, 0.15, 180_000, 0.0235, 0.12),
}
