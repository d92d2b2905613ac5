"""Precision of coordinates, filters and likelihoods: float32 at least, also under autocast.

In bfloat16, coordinates near 100 are rounded to 0.5 px; in float16, values overflow.
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
    """Returns the tensor, converted to float32 if its precision is lower."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def in_float32(function: Callable[P, R]) -> Callable[P, R]:
    """Decorates a function such that it computes in float32 at least.

    Autocast is disabled while it runs, and its tensor arguments, including those in named tuples such as a window, are converted to
    float32 if their precision is lower. It must be called with at least one tensor, else it raises ValueError.

    >>> in_float32(torch.square)(torch.tensor(3.0, dtype=torch.bfloat16)).dtype
    torch.float32
    """

    @functools.wraps(function)
    def computed(*args: P.args, **kwargs: P.kwargs) -> R:
        device = _device(*args, *kwargs.values())
        if not torch.is_autocast_enabled(device):  # torch.export would make a submodule of the context
            return function(*map(_widened, args), **{name: _widened(value) for name, value in kwargs.items()})
        with torch.autocast(device, enabled=False):
            return function(*map(_widened, args), **{name: _widened(value) for name, value in kwargs.items()})

    return computed


def _widened(value: Any) -> Any:
    """Returns a tensor, or a named tuple of tensors, in float32 at least, and any other value unchanged."""
    if isinstance(value, Tensor):
        return at_least_float32(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(_widened, value))
    return value


def _device(*values: Any) -> str:
    """Returns the device type of the first tensor, including tensors in named tuples."""
    for value in values:
        if isinstance(value, Tensor):
            return value.device.type
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return _device(*value)
    raise ValueError("expected at least one tensor, got none")
