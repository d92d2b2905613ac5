"""What gradients every parameter of a model has."""

from torch import nn


def assert_every_parameter_learns(model: nn.Module) -> None:
    """Asserts that no parameter is without a gradient that is not 0."""
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def assert_gradients_are_finite(model: nn.Module) -> None:
    """Asserts that every parameter has a gradient, and a finite one."""
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
