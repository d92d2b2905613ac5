"""Differentiable visual attention: windows of Gaussian filters that learn where to look.

Positions are pixels of the image, counted from 0, x before y. The names below are imported on first use, so that importing the
package is fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glimpse import datasets, trajectories
    from glimpse.attention.filterbank import gaussian_filters
    from glimpse.attention.window import Window, read, write
    from glimpse.benchmarking.calls import benchmark
    from glimpse.comparison.calls import compare
    from glimpse.datasets.clutter import ClutteredMNIST
    from glimpse.evaluation.evaluate import evaluate
    from glimpse.evaluation.prediction import predict
    from glimpse.exporting.calls import export
    from glimpse.generation.calls import interpolate, reconstruct, sample
    from glimpse.models.draw import DRAW
    from glimpse.models.glimpse_classifier import GlimpseClassifier
    from glimpse.playground.calls import write_playground
    from glimpse.reporting.calls import report
    from glimpse.sweeping.calls import sweep_classifier, sweep_generator
    from glimpse.training.calls import train_classifier, train_generator

__version__ = "0.1.0"

_HOME = {
    "DRAW": "glimpse.models.draw",
    "ClutteredMNIST": "glimpse.datasets.clutter",
    "GlimpseClassifier": "glimpse.models.glimpse_classifier",
    "Window": "glimpse.attention.window",
    "benchmark": "glimpse.benchmarking.calls",
    "compare": "glimpse.comparison.calls",
    "evaluate": "glimpse.evaluation.evaluate",
    "export": "glimpse.exporting.calls",
    "gaussian_filters": "glimpse.attention.filterbank",
    "interpolate": "glimpse.generation.calls",
    "predict": "glimpse.evaluation.prediction",
    "read": "glimpse.attention.window",
    "reconstruct": "glimpse.generation.calls",
    "report": "glimpse.reporting.calls",
    "sample": "glimpse.generation.calls",
    "sweep_classifier": "glimpse.sweeping.calls",
    "sweep_generator": "glimpse.sweeping.calls",
    "train_classifier": "glimpse.training.calls",
    "train_generator": "glimpse.training.calls",
    "write": "glimpse.attention.window",
    "write_playground": "glimpse.playground.calls",
}

__all__ = [
    "DRAW",
    "ClutteredMNIST",
    "GlimpseClassifier",
    "Window",
    "benchmark",
    "compare",
    "datasets",
    "evaluate",
    "export",
    "gaussian_filters",
    "interpolate",
    "predict",
    "read",
    "reconstruct",
    "report",
    "sample",
    "sweep_classifier",
    "sweep_generator",
    "train_classifier",
    "train_generator",
    "trajectories",
    "write",
    "write_playground",
]


def __getattr__(name: str) -> object:
    if name in ("datasets", "trajectories"):
        return import_module(f"glimpse.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'glimpse' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
