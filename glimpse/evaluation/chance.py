"""The noise of models that look at random, drawn by counting: what an image gets depends on its position and the sample alone.

References:
    J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011.
"""

import torch
from torch import Tensor

from glimpse.datasets.counter import words

__all__ = ["uniforms"]

_SEED = 0
_STREAM = 1024  # apart from those of the data sets


def uniforms(positions: Tensor, glimpses: int, sample: int = 0) -> Tensor:
    """Returns numbers uniform in 0 to 1, neither end included, shape (B, glimpses, 2), float32, on the positions' device.

    Args:
        positions: Those of the images in their data set, shape (B,), int64, 0 to 2^32 - 1.
        glimpses: How many places there are to choose; a smaller number gives the beginning of what a larger one does.
        sample: Which of several independent draws.
    """
    drawn = words(_SEED, _STREAM, sample, positions, 2 * glimpses)
    return ((drawn >> 9).to(torch.float32) + 0.5).view(-1, glimpses, 2) / 2**23
