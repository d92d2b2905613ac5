"""Rates of the machine itself: its matrix product and its copy, timed in the same rounds as the package.

A product of n x n matrices counts as 2 n^3 operations, a copy as the bytes that it reads plus the bytes that it writes.
"""

from dataclasses import dataclass
from typing import Any

import torch

from glimpse.attention.products import fast_products
from glimpse.evaluation.timing import Timing, Work

__all__ = ["COPY", "FAST_FLOAT32", "PRODUCT_BFLOAT16", "PRODUCT_FLOAT32", "MachineRates", "machine_rates", "machine_works"]

PRODUCT_FLOAT32 = "product, float32"
FAST_FLOAT32 = "fast product, float32"
PRODUCT_BFLOAT16 = "product, bfloat16"
COPY = "copy"

SIDE = 1024
"""Number of rows and columns of the matrices."""

COPIED = 64 * 2**20
"""Number of bytes that a copy reads, and writes; exceeds the cache of most machines."""


@dataclass(frozen=True)
class MachineRates:
    """Rates of the machine in the fastest round.

    Attributes:
        float32_gflops: Product of two float32 matrices of 1,024 x 1,024 in 10^9 operations per second: torch's default product
            or that of `glimpse.attention.products`, whichever is faster.
        bfloat16_gflops: torch's product of two bfloat16 matrices of the same size in 10^9 operations per second.
        copy_gb: Copy of 64 MiB in 10^9 bytes per second, read and written.
    """

    float32_gflops: float
    bfloat16_gflops: float
    copy_gb: float

    def as_dict(self) -> dict[str, Any]:
        """Returns the fields by name, rounded, in JSON's types."""
        return {name: round(value, 2) for name, value in vars(self).items()}


def machine_works(device: torch.device) -> dict[str, Work]:
    """Returns functions that run the machine's products and its copy, by name."""
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.rand(SIDE, SIDE, generator=generator).to(device) for _ in range(2))
    left_bfloat16, right_bfloat16 = left.bfloat16(), right.bfloat16()
    source = torch.ones(COPIED // 4, device=device)
    target = torch.empty_like(source)
    return {
        PRODUCT_FLOAT32: lambda: left @ right,
        FAST_FLOAT32: fast_products()(lambda: left @ right),
        PRODUCT_BFLOAT16: lambda: left_bfloat16 @ right_bfloat16,
        COPY: lambda: target.copy_(source),
    }


def machine_rates(timings: dict[str, Timing]) -> MachineRates:
    """Returns the rates of the machine from the timings of its works, by name."""
    operations = 2 * SIDE**3 / 1e9
    return MachineRates(
        float32_gflops=operations / min(timings[PRODUCT_FLOAT32].best, timings[FAST_FLOAT32].best),
        bfloat16_gflops=operations / timings[PRODUCT_BFLOAT16].best,
        copy_gb=2 * COPIED / 1e9 / timings[COPY].best,
    )
