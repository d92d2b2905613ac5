"""What the machine itself reaches: its product of two matrices and its copy, measured in turns with everything else.

A product of n x n matrices counts 2 n^3 operations, a copy the bytes that it reads and those that it writes.
"""

from dataclasses import dataclass
from typing import Any

import torch

from glimpse.benchmarking.timing import Timing, Work
from glimpse.models.linear import linear

__all__ = ["COPY", "LINEAR_FLOAT32", "PRODUCT_BFLOAT16", "PRODUCT_FLOAT32", "MachineRates", "machine_rates", "machine_works"]

PRODUCT_FLOAT32 = "product, float32"
LINEAR_FLOAT32 = "linear map, float32"
PRODUCT_BFLOAT16 = "product, bfloat16"
COPY = "copy"

SIDE = 1024
"""Rows and columns of the matrices."""

COPIED = 64 * 2**20
"""Bytes that a copy reads, and as many that it writes: more than most caches hold."""


@dataclass(frozen=True)
class MachineRates:
    """The machine's own rates, from the best repeat of each.

    Attributes:
        float32_gflops: Product of two float32 matrices of 1,024 x 1,024, in 10^9 operations a second: the faster of torch's product
            and of the one that the models' linear maps take.
        bfloat16_gflops: The same in bfloat16.
        copy_gb: Copy of 64 MiB, in 10^9 bytes a second, read and written.
    """

    float32_gflops: float
    bfloat16_gflops: float
    copy_gb: float

    def as_dict(self) -> dict[str, Any]:
        """Returns all of it for JSON."""
        return {name: round(value, 2) for name, value in vars(self).items()}


def machine_works(device: torch.device) -> dict[str, Work]:
    """Returns the machine's products and its copy, by name, to be timed."""
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.rand(SIDE, SIDE, generator=generator).to(device) for _ in range(2))
    coarse_left, coarse_right = left.bfloat16(), right.bfloat16()
    source = torch.ones(COPIED // 4, device=device)
    target = torch.empty_like(source)
    return {
        PRODUCT_FLOAT32: lambda: left @ right,
        LINEAR_FLOAT32: lambda: linear(left, right),
        PRODUCT_BFLOAT16: lambda: coarse_left @ coarse_right,
        COPY: lambda: target.copy_(source),
    }


def machine_rates(timings: dict[str, Timing]) -> MachineRates:
    """Returns the machine's rates from how long its works took."""
    operations = 2 * SIDE**3 / 1e9
    return MachineRates(
        float32_gflops=operations / min(timings[PRODUCT_FLOAT32].best, timings[LINEAR_FLOAT32].best),
        bfloat16_gflops=operations / timings[PRODUCT_BFLOAT16].best,
        copy_gb=2 * COPIED / 1e9 / timings[COPY].best,
    )
