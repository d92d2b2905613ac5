"""Precision of coordinates, filters and likelihoods: float32 at least, under autocast too.

Sixteen bits place coordinates near 100 on a grid of 0.5 px (bfloat16) or overflow (float16).
"""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

__all__ = ["at_least_float32", "in_float32"]

P = ParamSpec("P")
R = TypeVar("R")


def at_least_float32(tensor: Tensor) -> Tensor:
    """Returns the tensor in float32 if its precision is lower, else unchanged."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def in_float32(function: Callable[P, R]) -> Callable[P, R]:
    """Returns the function such that it computes in float32 at least.

    Autocast is off while it runs, and its tensors, also those in named tuples such as a window, are at least float32. It must be
    called with at least one tensor.

    >>> in_float32(torch.square)(torch.tensor(3.0, dtype=torch.bfloat16)).dtype
    torch.float32
    """

    @functools.wraps(function)
    def computed(*args: P.args, **kwargs: P.kwargs) -> R:
        with torch.autocast(_device(*args, *kwargs.values()), enabled=False):
            return function(*map(_widened, args), **{name: _widened(value) for name, value in kwargs.items()})

    return computed


def _widened(value: Any) -> Any:
    """Returns a tensor in float32 at least, a named tuple of tensors likewise, and anything else as it is."""
    if isinstance(value, Tensor):
        return at_least_float32(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(_widened, value))
    return value


def _device(*values: Any) -> str:
    """Returns the kind of device of the first tensor, also in a named tuple."""
    for value in values:
        if isinstance(value, Tensor):
            return value.device.type
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return _device(*value)
    raise ValueError("expected at least one tensor, got none")
