"""Requests to export, summarize and animate trajectories: where a trained model looks and what it predicts."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from glimpse.settings.base import Range
from glimpse.settings.requests.choices import ImageChoice, ImageSelection, Machine, Split

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
"""Outcome of a classifier's last prediction; `unsure` means that the two highest probabilities are close together."""

TrajectoryFormat = Literal["jsonl", "csv", "parquet", "npz", "png", "gif", "html"]
"""File formats of trajectories: four for data, a sheet (png), an animation (gif) and a web page (html)."""


@dataclass(frozen=True)
class TrajectoryRequest:
    """A trained model and the images that it is applied to.

    Attributes:
        model: A run's folder, a weights file or `pretrained:NAME`.
        count: Maximum number of images; None for all, or for the default of the format.
        glimpses: Number of glimpses, if other than in training.
        selection: Selection of images.
        images: Images to select from; by default those of the model's task.
        machine: Device and threads.

    Raises:
        ValueError: If the split is unknown, or `count` or `glimpses` is below 1.
    """

    model: str
    count: int | None = None
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
    """A filter of trajectories by the last prediction.

    Attributes:
        only: Outcome of the last prediction that is kept; None for all.
        margin: A prediction is unsure if its two highest probabilities differ by less than this, 0 to 1.

    Raises:
        ValueError: If the outcome is unknown, or the margin is not in 0 to 1.
    """

    only: Verdict | None = None
    margin: float = 0.2

    def __post_init__(self) -> None:
        if self.only is not None:
            _check_choice("only", self.only, Verdict)
        Range(0, 1).check("margin", self.margin)


@dataclass(frozen=True)
class LookRequest:
    """A request to iterate over trajectories.

    Attributes:
        looked: The model and the images.
        filter: Filter by the last prediction.
        pixels: Whether the patches read through the windows are kept.
    """

    looked: TrajectoryRequest
    filter: TrajectoryFilter = TrajectoryFilter()
    pixels: bool = False


@dataclass(frozen=True)
class ExportRequest:
    """A request to write trajectories to a file.

    Attributes:
        out: File to write.
        looked: The model and the images.
        filter: Filter by the last prediction.
        format: Format of the file; None for the one given by its extension.
        pixels: Whether data include the patches read through the windows.

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
    """A request to summarize trajectories.

    Attributes:
        looked: The model and the images.
        filter: Filter by the last prediction.
        out: File of the figure, a `.png`; None for no figure.
    """

    looked: TrajectoryRequest
    filter: TrajectoryFilter = TrajectoryFilter()
    out: Path | None = None


@dataclass(frozen=True)
class LearningRequest:
    """A request to animate how a run learned where to look.

    Attributes:
        out: File to write, a `.gif`.
        looked: The run and the images.
    """

    out: Path
    looked: TrajectoryRequest


def _check_choice(name: str, value: object, choices: Any) -> None:
    """Raises ValueError unless a value is one of the choices of a Literal."""
    if value not in get_args(choices):
        raise ValueError(f"{name} must be one of {', '.join(get_args(choices))}, got {value!r}")
