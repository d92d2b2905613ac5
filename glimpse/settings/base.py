"""Base of all configs: bounds as types, validation of every field, and construction from JSON."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from numbers import Real
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

__all__ = [
    "Config",
    "Count",
    "NonNegative",
    "Number",
    "Positive",
    "Range",
    "Size",
    "Steps",
    "Whole",
    "bounds",
    "from_mapping",
    "short",
    "shown",
]

C = TypeVar("C")

_LONGEST = 60  # characters of a value in a message


@dataclass(frozen=True)
class Range:
    """Bounds of a number.

    Attributes:
        low: Minimum; None for no lower bound.
        high: Maximum; None for no upper bound.
        open_low: Whether the minimum itself is excluded.
    """

    low: float | None = None
    high: float | None = None
    open_low: bool = False

    def check(self, name: str, value: float) -> None:
        """Checks that a value is finite and within the bounds.

        Args:
            name: Name of the field, for the message.
            value: The value.

        Raises:
            ValueError: If it is not.
        """
        if not isinstance(value, Real):
            raise ValueError(f"{name} must be a number, got {shown(value)}")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name} must be a finite number, got {value}")
        if isinstance(value, int) and abs(value) >= 2**64:
            raise ValueError(f"{name} must be smaller than 2^64, got {shown(value)}")
        if self.low is not None and self.high is not None and not self.low <= value <= self.high:
            raise ValueError(f"{name} must be in {self.low:.7g} to {self.high:.7g}, got {value}")
        if self.low is not None and (value < self.low or (self.open_low and value == self.low)):
            raise ValueError(f"{name} must be {'greater than' if self.open_low else 'at least'} {self.low:g}, got {value}")
        if self.high is not None and value > self.high:
            raise ValueError(f"{name} must be at most {self.high:g}, got {value}")


Count = Annotated[int, Range(1)]
"""An integer of at least 1."""

Size = Annotated[int, Range(1, 1_000_000)]
"""A number of pixels, units or channels of a model, 1 to 1,000,000: a damaged one must not exceed the integers of torch."""

Steps = Annotated[int, Range(1, 10_000)]
"""A number of repetitions, 1 to 10,000: what is read from a file must not keep a program busy for days."""

Whole = Annotated[int, Range(0)]
"""An integer of at least 0."""

Number = Annotated[float, Range()]
"""A finite number."""

NonNegative = Annotated[float, Range(0)]
"""A finite number of at least 0."""

Positive = Annotated[float, Range(0, open_low=True)]
"""A finite number greater than 0."""


def bounds(hint: Any) -> tuple[Any, Range]:
    """Returns the plain type and the bounds of a field from its annotation.

    >>> bounds(Count)
    (<class 'int'>, Range(low=1, high=None, open_low=False))
    """
    if get_origin(hint) is Annotated:
        plain, *extras = get_args(hint)
        return plain, next((extra for extra in extras if isinstance(extra, Range)), Range())
    return hint, Range()


@dataclass(frozen=True)
class Config:
    """Base class of configs: frozen dataclasses whose fields are validated against their annotations.

    Raises:
        ValueError: If a field is out of bounds or not one of its choices, or if fields do not fit together.
    """

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self), include_extras=True).items():
            if name not in vars(self):
                continue
            plain, allowed = bounds(hint)
            value = getattr(self, name)
            if get_origin(plain) is Literal:
                if value not in get_args(plain):
                    raise ValueError(f"{name} must be one of {', '.join(get_args(plain))}, got {shown(value)}")
            elif isinstance(value, int | float) and not isinstance(value, bool):
                allowed.check(name, value)
        self.check()

    def check(self) -> None:
        """Raises ValueError if fields do not fit together. Does nothing by default."""


def from_mapping(kind: type[C], values: Mapping[str, Any]) -> C:
    """Returns a config built from a mapping, as read from JSON.

    Raises:
        ValueError: If the config has no field of a given name, or a value has the wrong type.
    """
    known = get_type_hints(kind)
    hints = {field.name: known[field.name] for field in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise ValueError(
            f"{kind.__name__} has no field {', '.join(map(short, unknown))}; its fields are {', '.join(sorted(hints))}"
        )
    for name, value in values.items():
        hint = str if get_origin(hints[name]) is Literal else hints[name]
        if not isinstance(value, (int, float) if hint is float else hint) or (isinstance(value, bool) and hint is not bool):
            raise ValueError(f"{kind.__name__}'s {name} must be of type {hint.__name__}, got {shown(value)}")
    return kind(**values)


def shown(value: object) -> str:
    r"""Returns a value as text for a message: escaped, and shortened if it is long.

    >>> shown(chr(10)), len(shown("x" * 1000))
    ("'\\n'", 60)
    """
    return short(repr(value))


def short(text: str) -> str:
    """Returns a text, cut off if it is longer than 60 characters."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
