"""Request for a report of a trained model."""

from dataclasses import dataclass, field
from pathlib import Path

from glimpse.settings.base import Range
from glimpse.settings.record import check_output
from glimpse.settings.requests.choices import ImageChoice, Machine, Split

__all__ = ["ReportRequest"]


@dataclass(frozen=True)
class ReportRequest:
    """A request for a report of a trained model.

    Attributes:
        model: A run's folder, a weights file or `pretrained:NAME`.
        out: File to write, an `.html`.
        split: Part of the data.
        worst: For a classifier: number of misclassified images shown, at least 1.
        count: For a generator: number of samples, at least 1.
        images: Images to evaluate on; by default those of the model's task.
        machine: Device and threads.

    Raises:
        ValueError: If the file has another extension or cannot be written, or a number is below 1.
        OSError: If the folder of the file cannot be created.
    """

    model: str
    out: Path = Path("report.html")
    split: Split = "test"
    worst: int = 24
    count: int = 64
    images: ImageChoice = field(default_factory=ImageChoice)
    machine: Machine = field(default_factory=Machine)

    def __post_init__(self) -> None:
        for name in ("worst", "count"):
            Range(1, 400).check(name, getattr(self, name))
        check_output("--out", self.out, ".html")
