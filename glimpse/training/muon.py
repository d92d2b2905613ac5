"""Muon, an optimizer of the matrices of hidden layers.

Dimensions: a matrix of R x C values consists of G blocks of R / G rows, one for each gate of an LSTM.

References:
    K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024, https://kellerjordan.github.io/posts/muon.
    J. Liu et al., "Muon is Scalable for LLM Training", 2025, arXiv:2502.16982 (scale of the update, weight decay).
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from glimpse.models.lstm import LSTM
from glimpse.settings.training import TrainingConfig

__all__ = ["Muon", "hidden_matrices", "orthogonalized"]

_LEAST_SIDE = 32  # rows and columns of a matrix, at least; smaller ones are no hidden layers but the outputs of a few numbers
_MOMENTUM = 0.95
_SCALE = 0.2  # root mean square of the values of an update, as a multiple of the learning rate: about that of AdamW
_STEPS = 5
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic polynomial, which takes singular values to about 1


def hidden_matrices(model: nn.Module) -> dict[str, int]:
    """Returns the names of the weights of the LSTMs and the linear layers of at least 32 rows and columns, each with its blocks."""
    found = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and min(module.weight.shape) >= _LEAST_SIDE:
            parent = model.get_submodule(name.rpartition(".")[0])
            found[f"{name}.weight".lstrip(".")] = 4 if isinstance(parent, LSTM) else 1
    return found


def orthogonalized(matrices: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Returns approximately the nearest matrices with orthonormal rows or columns, whichever are fewer.

    Five Newton-Schulz iterations with a polynomial of degree 5 take singular values to between 0.7 and 1.2; they converge no
    further.

    Args:
        matrices: Shape (G, R, C).
        dtype: Type in which products are computed.
    """
    a, b, c = _COEFFICIENTS
    wide = matrices if matrices.shape[1] <= matrices.shape[2] else matrices.mT
    found = wide.to(dtype)
    found = found / found.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(_STEPS):
        gram = found @ found.mT
        found = torch.baddbmm(found, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), found, beta=a)
    return (found if wide is matrices else found.mT).to(matrices.dtype)


class Muon:
    """Momentum whose updates are orthogonalized: all directions of a matrix change at the same rate.

    Every gate of an LSTM has a matrix of its own. Other parameters are left to another optimizer.

    Args:
        model: Model to train.
        config: Weight decay, and the precision of the products.

    Attributes:
        momentum: Average gradient of each matrix by its name.
    """

    def __init__(self, model: nn.Module, config: TrainingConfig) -> None:
        self._blocks = hidden_matrices(model)
        self._matrices = {name: model.get_parameter(name) for name in self._blocks}
        self._decay = config.weight_decay
        self._dtype = torch.bfloat16 if config.precision == "bf16" else torch.float32
        self.momentum = {name: torch.zeros_like(matrix, requires_grad=False) for name, matrix in self._matrices.items()}

    def load(self, momentum: Mapping[str, Tensor]) -> None:
        """Restores `momentum`, whose names and shapes must be those of the model."""
        for name, kept in self.momentum.items():
            kept.copy_(momentum[name])

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Updates all matrices that have a gradient.

        Args:
            learning_rate: Root mean square of an update's values, times 5.
        """
        for name, matrix in self._matrices.items():
            if matrix.grad is None:
                continue
            kept = self.momentum[name].lerp_(matrix.grad, 1 - _MOMENTUM)
            ahead = matrix.grad.lerp(kept, _MOMENTUM)  # Nesterov's momentum
            blocks = ahead.view(self._blocks[name], -1, ahead.shape[1])
            scale = _SCALE * max(blocks.shape[1:]) ** 0.5
            matrix.mul_(1 - learning_rate * self._decay)
            matrix.add_(orthogonalized(blocks, self._dtype).view_as(matrix), alpha=-learning_rate * scale)
