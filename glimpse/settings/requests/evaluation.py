"""Requests to evaluate a trained model on images with labels, and to classify pictures."""

from dataclasses import dataclass, field
from pathlib import Path

from glimpse.settings.requests.choices import ImageChoice, Machine, PictureHandling, Split

__all__ = ["EvaluationRequest", "PredictionRequest"]


@dataclass(frozen=True)
class EvaluationRequest:
    """A request to evaluate a trained model.

    Attributes:
        model: A run's folder, a weights file or `pretrained:NAME`.
        split: Part of the data.
        glimpses: Number of glimpses, if other than in training.
        test_samples: For a model that samples locations: number of sequences to average over; 0 follows the policy's mean.
        importance_samples: For a generator: number of importance samples of a tighter bound.
        diagnose: For a classifier: whether to count its errors by cause, class, glimpse, ink and clutter.
        figure: File of a figure of that diagnosis, a `.png`; None for no figure.
        csv: For a classifier: file of the whole confusion matrix, a `.csv`; None for no file.
        images: Images to evaluate on; by default those of the model's task.
        machine: Device and threads.

    Raises:
        ValueError: If there is a figure without a diagnosis.
    """

    model: str
    split: Split = "test"
    glimpses: int | None = None
    test_samples: int | None = None
    importance_samples: int | None = None
    diagnose: bool = False
    figure: Path | None = None
    csv: Path | None = None
    images: ImageChoice = field(default_factory=ImageChoice)
    machine: Machine = field(default_factory=Machine)

    def __post_init__(self) -> None:
        if self.figure is not None and not self.diagnose:
            raise ValueError("--figure draws the diagnosis: add --diagnose")


@dataclass(frozen=True)
class PredictionRequest:
    """A request to classify your own image files.

    Attributes:
        model: A run's folder, a weights file or `pretrained:NAME`.
        pictures: Image files, and folders that stand for the image files in them.
        handling: Changes of the pictures before the model sees them.
        machine: Device and threads.
    """

    model: str
    pictures: tuple[Path, ...]
    handling: PictureHandling = field(default_factory=PictureHandling)
    machine: Machine = field(default_factory=Machine)
