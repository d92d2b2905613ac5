"""Request to evaluate a trained model."""

from dataclasses import dataclass, field

from glimpse.settings.requests.choices import ImageChoice, Machine, Split

__all__ = ["EvaluationRequest"]


@dataclass(frozen=True)
class EvaluationRequest:
    """A request to evaluate a trained model.

    Attributes:
        model: A run's folder, a weights file or `pretrained:NAME`.
        split: Part of the data.
        glimpses: Number of glimpses, if other than in training.
        test_samples: For a model that samples locations: number of sequences to average over; 0 follows the policy's mean.
        importance_samples: For a generator: number of importance samples of a tighter bound.
        images: Images to evaluate on; by default those of the model's task.
        machine: Device and threads.
    """

    model: str
    split: Split = "test"
    glimpses: int | None = None
    test_samples: int | None = None
    importance_samples: int | None = None
    images: ImageChoice = field(default_factory=ImageChoice)
    machine: Machine = field(default_factory=Machine)
