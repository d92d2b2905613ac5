"""Precision of coordinates, filters and likelihoods: float32 at least, under autocast too."""

import torch
from torch import Tensor

__all__ = ["at_least_float32"]


def at_least_float32(tensor: Tensor) -> Tensor:
    """Returns the tensor in float32 if it is coarser than that, else unchanged.

    Sixteen bits place coordinates near 100 on a grid of 0.5 px (bfloat16) or overflow (float16).
    """
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
