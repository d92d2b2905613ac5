"""What a benchmark is asked for."""

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

from glimpse.settings.requests.choices import Machine

__all__ = ["BenchRequest", "Part", "What"]

Part = Literal["filterbank", "clutter", "classifier", "ram", "generator"]
"""A part of the package whose speed is measured."""

What = Literal["filterbank", "clutter", "classifier", "ram", "generator", "all"]

_GROWING: tuple[Part, ...] = ("classifier", "generator")


@dataclass(frozen=True)
class BenchRequest:
    """A measurement of speed.

    Attributes:
        what: The part that is measured, or `all` of them.
        growth: Whether to measure as well how a training step grows with the settings, one at a time: of the classifier with its
            batch, canvas, window and glimpses, of the generator with its steps.
        seconds: Time for each case, greater than 0; every case is timed three times at least.
        machine: With what.

    Raises:
        ValueError: If there is no such part, `growth` is asked of another part, or there is no time.
    """

    what: What = "all"
    growth: bool = False
    seconds: float = 2.0
    machine: Machine = field(default_factory=Machine)

    def __post_init__(self) -> None:
        if self.what not in get_args(What):
            raise ValueError(f"--what must be one of {', '.join(get_args(What))}, got {self.what!r}")
        if not (self.seconds > 0 and math.isfinite(self.seconds)):
            raise ValueError(f"--seconds must be a finite number greater than 0, got {self.seconds}")
        if self.growth and not self.growing:
            raise ValueError(f"--growth is for --what {', '.join(_GROWING)} or all, not for {self.what}")

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts that are measured."""
        return get_args(Part) if self.what == "all" else (self.what,)

    @property
    def growing(self) -> tuple[Part, ...]:
        """Those of them whose growth can be measured."""
        return tuple(part for part in _GROWING if part in self.parts)
