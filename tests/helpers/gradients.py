"""Assertions on the gradients of all parameters of a model."""

from torch import nn


def assert_every_parameter_learns(model: nn.Module) -> None:
    """Asserts that every parameter has a gradient that is not 0."""
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def assert_gradients_are_finite(model: nn.Module) -> None:
    """Asserts that every parameter has a finite gradient."""
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
