"""Checks of named tensors that were read from a file, before they are used."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from glimpse.settings.base import shown

__all__ = ["MOST_WEIGHT", "check_tensor", "check_tensors", "check_values"]

MOST_WEIGHT = 1e9
"""Largest magnitude of a weight. No trained weight comes near it; one bit of damage in an exponent can exceed it."""


def check_tensors(found: object, expected: Mapping[str, Tensor]) -> None:
    """Checks that a value is a dictionary of tensors with given names, shapes and types, with possible values.

    Args:
        found: The value.
        expected: Tensors with the names, shapes and types; on the device `meta` they need no memory. Every floating-point type is
            accepted for another.

    Raises:
        ValueError: If a name, a shape or a type differs, or as `check_values`.
    """
    if not isinstance(found, dict):
        raise ValueError(f"expected tensors by name, got {shown(type(found).__name__)}")
    missing = [name for name in expected if name not in found]
    unknown = [name for name in found if name not in expected]
    if missing or unknown:
        kind, names = ("missing", missing) if missing else ("unknown", unknown)
        raise ValueError(f"{len(names)} tensors are {kind}, such as {shown(names[0])}")
    for name, value in found.items():
        check_tensor(value, expected[name], name)
    check_values(found)


def check_tensor(found: object, expected: Tensor, name: str) -> None:
    """Checks that a value is a dense tensor with the shape and type of another.

    Raises:
        ValueError: If it is none, or a shape or a type differs.
    """
    if type(found) is not Tensor or found.layout != torch.strided or found.is_meta:
        raise ValueError(f"{name} is no dense tensor")
    if found.shape != expected.shape:
        raise ValueError(f"{name} has shape {tuple(found.shape)}, expected {tuple(expected.shape)}")
    if found.dtype != expected.dtype and not (found.is_floating_point() and expected.is_floating_point()):
        raise ValueError(f"{name} has type {found.dtype}, expected {expected.dtype}")


def check_values(tensors: Mapping[str, Tensor], most: float = math.inf) -> None:
    """Checks that all values are possible: finite and not too large, with variances and counts of at least 0.

    Args:
        tensors: Tensors by name. Those named `running_var` are variances, all integers are counts.
        most: Largest magnitude of a floating-point value.

    Raises:
        ValueError: If one is not.
    """
    for name, value in tensors.items():
        if not value.numel():
            continue
        low, high = (float(bound) for bound in value.aminmax())
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError(f"{name} holds values that are NaN or infinite")
        if value.is_floating_point() and max(-low, high) > most:
            raise ValueError(f"{name} holds the value {low if -low > high else high:.3g}, which no training gives")
        if low < 0 and (not value.is_floating_point() or name.endswith("running_var")):
            raise ValueError(f"{name} holds the value {low:.3g}, expected at least 0")
