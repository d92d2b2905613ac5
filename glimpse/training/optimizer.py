"""The optimizer, its learning rate schedule and the average of the weights.

References:
    I. Loshchilov, F. Hutter, "Decoupled Weight Decay Regularization", 2019, arXiv:1711.05101 (AdamW).
"""

import math
from collections.abc import Container
from typing import Any

import torch
from torch import Tensor, nn

from glimpse.settings.training import TrainingConfig

__all__ = ["adamw", "averaging_update", "rate_at"]

_LEAST_RATE = 0.01  # of the peak learning rate, at the end of the cosine


def adamw(model: nn.Module, config: TrainingConfig, device: torch.device, without: Container[str] = ()) -> torch.optim.Optimizer:
    """Returns AdamW with weight decay on matrices only, not on biases and gains.

    Args:
        model: Model to train.
        config: Learning rate and weight decay.
        device: Device of the model, which decides whether the fused implementation is used.
        without: Names of parameters that another optimizer updates.
    """
    own = [parameter for name, parameter in model.named_parameters() if name not in without]
    matrices = [parameter for parameter in own if parameter.ndim > 1]
    others = [parameter for parameter in own if parameter.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    # A second moment that forgets within 100 steps recovers quickly from bursts of large gradients through the window.
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.99), fused=device.type in ("cpu", "cuda"))


def rate_at(step: int, config: TrainingConfig) -> float:
    """Returns the learning rate of a step, counted from 0, as a fraction of the peak."""
    seen = (step + 1) * config.batch_size
    warmup = min(config.warmup, config.images / 5)  # so that short budgets reach the peak
    warm = min(1.0, seen / warmup) if warmup else 1.0
    if config.schedule == "constant":
        return warm
    progress = min(1.0, step / config.steps)
    return warm * (_LEAST_RATE + (1 - _LEAST_RATE) * (1 + math.cos(math.pi * progress)) / 2)


def averaging_update(config: TrainingConfig) -> Any:
    """Returns the update function of an exponential moving average of the weights, for `AveragedModel`.

    The average is over `config.averaging` images. Early in training it is shorter: the decay of update n, from 0, is at most
    (1 + n) / (10 + n).
    """
    longest = 1 - config.batch_size / max(config.averaging, config.batch_size)

    def update(averaged: list[Tensor], current: list[Tensor], count: Tensor) -> None:
        decay = min(longest, (1 + int(count)) / (10 + int(count)))
        with torch.no_grad():
            torch._foreach_lerp_(averaged, current, 1 - decay)

    return update
