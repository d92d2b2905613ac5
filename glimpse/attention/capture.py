"""Capture of models by torch.export and torch.jit.trace: named tuples that can be saved, and functions that can be traced."""

from typing import TypeVar

import torch
from torch.utils._pytree import _register_namedtuple

__all__ = ["is_traced", "saveable"]

T = TypeVar("T")


def saveable(kind: type[T]) -> type[T]:
    """Decorates a named tuple such that torch.export.save and torch.export.load accept it as an input or output of a model."""
    _register_namedtuple(kind, serialized_type_name=f"{kind.__module__}.{kind.__qualname__}")
    return kind


def is_traced() -> bool:
    """Returns whether torch.jit.trace records the call; a `torch.autograd.Function` would fail in the recorded program."""
    return bool(torch.jit.is_tracing())  # type: ignore[attr-defined, no-untyped-call]
