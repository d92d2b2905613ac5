"""Samples, reconstructions and interpolations of a trained DRAW, and their figures.

The names below are imported on first use, so that a module of this package can be imported without the others.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glimpse.generation.calls import interpolate, reconstruct, sample
    from glimpse.generation.results import Interpolation, Reconstructions, Samples, Traversal

__all__ = ["Interpolation", "Reconstructions", "Samples", "Traversal", "interpolate", "reconstruct", "sample"]

_CALLS = ("interpolate", "reconstruct", "sample")


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'glimpse.generation' has no attribute {name!r}")
    value = getattr(import_module("glimpse.generation.calls" if name in _CALLS else "glimpse.generation.results"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
