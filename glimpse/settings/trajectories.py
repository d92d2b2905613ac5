"""What is asked of the calls that show where a model looks, with the names and defaults of `glimpse trajectories`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from glimpse.settings.base import Range
from glimpse.settings.requests import ImageChoice, ImageSelection, Machine, Split

__all__ = [
    "ExportRequest",
    "LearningRequest",
    "LookRequest",
    "SummaryRequest",
    "TrajectoryFilter",
    "TrajectoryFormat",
    "TrajectoryRequest",
    "Verdict",
]

Verdict = Literal["wrong", "right", "unsure"]
"""What a classifier's last prediction is; `unsure` has the two highest probabilities close together."""

TrajectoryFormat = Literal["jsonl", "csv", "parquet", "npz", "png", "gif", "html"]
"""Formats of trajectories: four of data, a sheet, an animation and a page."""


@dataclass(frozen=True)
class TrajectoryRequest:
    """A trained model and the images that it looks at.

    Attributes:
        model: A run's folder, a weights file or `pretrained:NAME`.
        count: Number of images at most; None for all, or for as many as the format is made for.
        invert: Whether dark and light are swapped in your own pictures.
        glimpses: Other than trained.
        selection: Which images.
        images: Other than the task's own.
        machine: With what.

    Raises:
        ValueError: If the split is unknown, or a number is below 1.
    """

    model: str
    count: int | None = None
    invert: bool = False
    glimpses: int | None = None
    selection: ImageSelection = field(default_factory=ImageSelection)
    images: ImageChoice = field(default_factory=ImageChoice)
    machine: Machine = field(default_factory=Machine)

    def __post_init__(self) -> None:
        _check_choice("split", self.selection.split, Split)
        for name, value in (("count", self.count), ("glimpses", self.glimpses)):
            if value is not None:
                Range(1).check(name, value)


@dataclass(frozen=True)
class TrajectoryFilter:
    """Which trajectories are taken, by the last prediction.

    Attributes:
        only: Images of this kind; None for all.
        margin: Difference of the two highest probabilities, 0 to 1, below which a prediction is unsure.

    Raises:
        ValueError: If the kind is unknown, or the margin is not in 0 to 1.
    """

    only: Verdict | None = None
    margin: float = 0.2

    def __post_init__(self) -> None:
        if self.only is not None:
            _check_choice("only", self.only, Verdict)
        Range(0, 1).check("margin", self.margin)


@dataclass(frozen=True)
class LookRequest:
    """Trajectories to compute with.

    Attributes:
        looked: Which model looks at which images.
        filter: Which trajectories are taken.
        pixels: Whether what was seen through the windows is kept.
    """

    looked: TrajectoryRequest
    filter: TrajectoryFilter = TrajectoryFilter()
    pixels: bool = False


@dataclass(frozen=True)
class ExportRequest:
    """A file of trajectories.

    Attributes:
        out: File to write.
        looked: Which model looks at which images.
        filter: Which trajectories are taken.
        format: None for the one that the file's ending names.
        pixels: Whether data include what was seen through the windows.

    Raises:
        ValueError: If the format is unknown.
    """

    out: Path
    looked: TrajectoryRequest
    filter: TrajectoryFilter = TrajectoryFilter()
    format: TrajectoryFormat | None = None
    pixels: bool = False

    def __post_init__(self) -> None:
        if self.format is not None:
            _check_choice("format", self.format, TrajectoryFormat)


@dataclass(frozen=True)
class SummaryRequest:
    """A summary of trajectories.

    Attributes:
        looked: Which model looks at which images.
        filter: Which trajectories are taken.
        out: File of its figure, a `.png`; None for no figure.
    """

    looked: TrajectoryRequest
    filter: TrajectoryFilter = TrajectoryFilter()
    out: Path | None = None


@dataclass(frozen=True)
class LearningRequest:
    """An animation of how a run learned where to look.

    Attributes:
        out: File to write, a `.gif`.
        looked: The run, and the images.
    """

    out: Path
    looked: TrajectoryRequest


def _check_choice(name: str, value: object, choices: Any) -> None:
    """Raises ValueError unless a value is one of the choices of a Literal."""
    if value not in get_args(choices):
        raise ValueError(f"{name} must be one of {', '.join(get_args(choices))}, got {value!r}")
