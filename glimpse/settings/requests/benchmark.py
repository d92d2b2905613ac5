"""Request of a benchmark."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from glimpse.settings.requests.choices import Machine

__all__ = ["GROWTH", "BenchRequest", "Part", "What"]

Part = Literal["filterbank", "clutter", "classifier", "ram", "generator"]
"""Part of the package whose speed is measured."""

What = Literal[Part, "all"]

GROWTH: Mapping[Part, Mapping[str, tuple[int, ...]]] = {
    "classifier": {"batch": (32, 128, 512), "canvas": (60, 100, 200), "window": (6, 12, 24), "glimpses": (2, 8, 32)},
    "generator": {"glimpses": (4, 16, 64)},
}
"""Values of the settings that a training step is measured with, one setting at a time, by part and setting.

`batch` is the number of images per step, `canvas` the side of the images in pixels; the others are settings of the model.
"""


@dataclass(frozen=True)
class BenchRequest:
    """Benchmark of the package on this machine.

    Attributes:
        what: Part to measure, or `all`.
        growth: Whether to also measure how a training step grows with its settings, one at a time: that of the classifier with the
            batch, canvas, window and glimpses, that of the generator with the glimpses.
        seconds: Time per case in seconds, greater than 0; every case has at least three rounds.
        machine: Device and threads.

    Raises:
        ValueError: If there is no such part, the part has no growth, or the time is not finite and greater than 0.
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
        if self.growth and not any(part in GROWTH for part in self.parts):
            raise ValueError(f"--growth is for --what {', '.join(GROWTH)} or all, not for {self.what}")

    @property
    def parts(self) -> tuple[Part, ...]:
        """Parts to measure."""
        return get_args(Part) if self.what == "all" else (self.what,)
