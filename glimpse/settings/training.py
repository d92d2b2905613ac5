"""Settings of a training."""

from dataclasses import dataclass
from typing import Annotated, Literal

from glimpse.settings.base import Config, Count, NonNegative, Positive, Range, Whole

__all__ = ["Optimizer", "Precision", "Schedule", "TrainingConfig", "whole_batches"]

Precision = Literal["fp32", "bf16", "auto"]
"""Precision of the networks; `auto` is the faster one on the machine."""

Optimizer = Literal["adamw", "muon"]
"""Optimizer of the matrices of hidden layers; all other parameters have AdamW."""

Schedule = Literal["cosine", "constant"]
"""Schedule of the learning rate after the warmup."""


@dataclass(frozen=True)
class TrainingConfig(Config):
    """Settings of a training. Time is measured in images, whatever the batch size.

    Attributes:
        images: Budget: number of training images, counted with repetition and rounded up to whole batches.
        batch_size: Number of images per step, summed over all processes.
        optimizer: `adamw`, or `muon`, which orthogonalizes the updates of the matrices of LSTMs and hidden linear layers and leaves
            all other parameters to AdamW.
        learning_rate: Peak learning rate.
        weight_decay: Decoupled weight decay, applied to matrices only.
        warmup: Number of images over which the learning rate increases from 0; at most a fifth of the budget.
        schedule: `cosine` decays the learning rate to a hundredth of the peak over the budget; `constant` keeps it.
        clip_norm: Maximum global norm of the gradients.
        averaging: Number of images over which the weights are averaged exponentially; 0 disables averaging.
        validate_every: Number of images between validations.
        patience: Number of validations in a row without a better one after which the training stops early; 0 never stops early.
        log_every: Number of images between rows of training metrics.
        precision: `bf16` runs the networks under autocast; coordinates and filters stay in float32. `auto` chooses the faster one
            by timing a few steps, and float32 for a training of less than a minute.
        compile: Whether the model is compiled by torch.compile. Unless this is given, a training of a quarter of an hour or more on
            the CPU is compiled if timing a few steps shows that this saves time.
        checkpoint_activations: Whether the backward pass recomputes every step of a recurrent model, so that only the states
            between steps are kept: for many glimpses or large images.
        cuda_graph: Whether the forward and backward passes are captured as CUDA graphs, so that the GPU does not wait for Python.
        deterministic: Whether to use only deterministic kernels.
        seed: Random seed of the initial weights, the clutter and all noise, below 2^32.
    """

    images: Count = 1_000_000
    batch_size: Count = 128
    optimizer: Optimizer = "adamw"
    learning_rate: Positive = 1e-3
    weight_decay: NonNegative = 1e-2
    warmup: Whole = 40_000
    schedule: Schedule = "cosine"
    clip_norm: Positive = 1.0
    averaging: Whole = 256_000
    validate_every: Count = 100_000
    patience: Whole = 0
    log_every: Count = 10_000
    precision: Precision = "fp32"
    compile: bool = False
    checkpoint_activations: bool = False
    cuda_graph: bool = False
    deterministic: bool = False
    seed: Annotated[int, Range(0, 2**32 - 1)] = 0

    @property
    def steps(self) -> int:
        """Number of optimizer steps in the budget."""
        return -(-self.images // self.batch_size)

    @property
    def total_images(self) -> int:
        """Budget in images, rounded up to whole batches."""
        return whole_batches(self.images, self.batch_size)

    def stops_early(self, stale: int) -> bool:
        """Returns whether the training stops after this number of validations in a row without a better one."""
        return 0 < self.patience <= stale


def whole_batches(images: int, batch_size: int) -> int:
    """Returns a budget in images, rounded up to whole batches.

    >>> whole_batches(1000, 128)
    1024
    """
    return -(-images // batch_size) * batch_size
