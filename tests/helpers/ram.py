"""Small recurrent attention models, their parameters by role, and the inputs of their policies."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from glimpse.models.ram import RAM
from glimpse.settings.ram import RAMConfig, Reward

SMALL = RAMConfig(glimpses=3, window=4, scales=2, hidden=6, features=5, classes=4, policy_std=0.25, policy_std_start=0.5)
REWARDS: tuple[Reward, ...] = ("last", "every", "gain")


def small(*, moved: float = 0.4, seed: int = 0, **changes: Any) -> RAM:
    """Returns a small model, seeded, in float64, every parameter moved by normal noise of that scale."""
    torch.manual_seed(seed)
    model = RAM(replace(SMALL, **changes)).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(moved * torch.randn(parameter.shape, dtype=torch.float64))
    return model


def policy(model: RAM) -> list[nn.Parameter]:
    """Returns the parameters of the policy."""
    return list(model.locate.parameters())


def rest(model: RAM) -> list[nn.Parameter]:
    """Returns the parameters of the classifier."""
    return [*model.encoder.parameters(), *model.lstm.parameters(), *model.classify.parameters()]


def gradients(value: Tensor, parameters: list[nn.Parameter]) -> list[Tensor | None]:
    """Returns the gradients of a scalar, None where it does not depend on a parameter."""
    return list(torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True))


def joined(value: Tensor, parameters: list[nn.Parameter]) -> np.ndarray:
    """Returns the gradients of a scalar, concatenated."""
    found = torch.autograd.grad(value, parameters, retain_graph=True)
    return torch.cat([gradient.flatten() for gradient in found]).numpy()


def log_density(location: Tensor, mean: Tensor, std: Tensor | float) -> Tensor:
    """Returns torch's log-density of a normal with independent coordinates, summed over the last dimension."""
    density: Tensor = torch.distributions.Normal(mean, std).log_prob(location)  # type: ignore[no-untyped-call]
    return density.sum(dim=-1)


class Watched:
    """Inputs and outputs of a model's policy in its last episode, one entry per glimpse.

    Args:
        model: The model to watch.
    """

    def __init__(self, model: RAM) -> None:
        self.known: list[Tensor] = []
        self.steps: list[Tensor] = []
        model.locate.register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, inputs: tuple[Tensor, ...], step: Tensor) -> None:
        step.retain_grad()
        self.known.append(inputs[0])
        self.steps.append(step)

    def means(self) -> list[Tensor]:
        """Returns the policy's means, shape (B, 2) each, without gradients."""
        pairs = zip(self.known, self.steps, strict=True)
        return [(known[:, -2:] + step).clamp(-1, 1).detach() for known, step in pairs]
