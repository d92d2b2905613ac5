"""How anything is trained."""

from dataclasses import dataclass
from typing import Annotated, Literal

from glimpse.settings.base import Config, Count, NonNegative, Positive, Range, Whole

__all__ = ["Precision", "Schedule", "TrainingConfig", "whole_batches"]

Precision = Literal["fp32", "bf16"]
Schedule = Literal["cosine", "constant"]


@dataclass(frozen=True)
class TrainingConfig(Config):
    """How anything is trained; images are the unit of time, whatever the batch size.

    Attributes:
        images: Budget: how many images are seen, repeats counted; the last batch is whole.
        batch_size: Images a step, over all processes together.
        learning_rate: Peak of the schedule, for AdamW.
        weight_decay: Decoupled, on matrices only.
        warmup: Images over which the learning rate rises from 0; a fifth of the budget at most.
        schedule: `cosine` falls to a hundredth of the peak at the end of the budget; `constant` stays.
        clip_norm: Global norm that gradients are clipped to.
        averaging: Images over which the weights are averaged, exponentially; 0 averages nothing.
        validate_every: Images between validations.
        log_every: Images between rows of training metrics.
        precision: `bf16` runs the networks under autocast; coordinates and filters stay in float32.
        compile: Whether the model goes through torch.compile.
        cuda_graph: Whether forward and backward are captured as CUDA graphs: the GPU then waits for no Python between the steps.
        deterministic: Whether only deterministic kernels are used.
        seed: Key of the initial weights, the clutter and all noise, below 2^32.
    """

    images: Count = 1_000_000
    batch_size: Count = 128
    learning_rate: Positive = 1e-3
    weight_decay: NonNegative = 1e-2
    warmup: Whole = 40_000
    schedule: Schedule = "cosine"
    clip_norm: Positive = 1.0
    averaging: Whole = 256_000
    validate_every: Count = 100_000
    log_every: Count = 10_000
    precision: Precision = "fp32"
    compile: bool = False
    cuda_graph: bool = False
    deterministic: bool = False
    seed: Annotated[int, Range(0, 2**32 - 1)] = 0

    @property
    def steps(self) -> int:
        """Optimizer steps in the whole budget."""
        return -(-self.images // self.batch_size)

    @property
    def total_images(self) -> int:
        """Images that the training ends at: whole batches."""
        return whole_batches(self.images, self.batch_size)


def whole_batches(images: int, batch_size: int) -> int:
    """Returns the images that a budget ends at: whole batches.

    >>> whole_batches(1000, 128)
    1024
    """
    return -(-images // batch_size) * batch_size
