"""Comparisons of untrained models, each of which misclassifies the images of a range."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from glimpse.comparison.assembling import Trained, assembled
from glimpse.comparison.rows import Comparison, Conditions
from glimpse.evaluation.published import PublishedResult, published_classification
from glimpse.settings.classifier import ClassifierSettings
from glimpse.settings.convolutional import ConvConfig, ConvNetConfig
from glimpse.settings.glimpse_classifier import ClassifierConfig
from glimpse.settings.ram import RAMConfig
from glimpse.settings.spatial_transformer import SpatialTransformerConfig

LABELS = np.arange(1000) % 10
CLUTTERED = published_classification(100, 8, "mnist")
CONDITIONS = Conditions("mnist", "test", "cpu", 1)


def trained(source: str, config: ClassifierSettings, wrong: range, seed: int = 0, **other: Any) -> Trained:
    """Returns a model that misclassifies the images of a range, of 100 x 100 pixels."""
    predicted = LABELS.copy()
    predicted[list(wrong)] = (predicted[list(wrong)] + 1) % 10
    run = {
        "training": {"seed": seed, "precision": "bf16", "compile": True, "cuda_graph": False} | other.pop("training", {}),
        "environment": {"device": "cpu", "threads": 1, "processes": 1},
    }
    facts: dict[str, Any] = {"seed": seed, "images": 1000, "run": run} | other
    return Trained(source, config, predicted, LABELS, 775_072, 7_200_000, 2000.0, (100, 100), **facts)


def progress(*errors: float, rate: float = 500.0) -> list[dict[str, str]]:
    """Returns rows of a metrics.csv with a validation every 100 images, and one row without."""
    rows = []
    for i, error in enumerate(errors, start=1):
        common = {"images_per_second": str(rate + i), "seconds": str(2.0 * i)}
        rows += [
            {"images": str(100 * i - 50), "valid_error": ""} | common,
            {"images": str(100 * i), "valid_error": str(error)} | common,
        ]
    return rows


def compared(
    models: Sequence[Trained], published: tuple[PublishedResult, ...] = (), size: tuple[int, int] = (100, 100)
) -> Comparison:
    """Returns models as rows, measured on the test images with one thread of the CPU."""
    return assembled([replace(model, size=size) for model in models], published, conditions=CONDITIONS)


def of_nine_models() -> Comparison:
    """Returns a comparison like that of a finished suite: nine models from three seeds, with published results."""
    errors: dict[ClassifierSettings, int] = {
        ClassifierConfig(): 31,
        ClassifierConfig(glimpses=4): 39,
        ClassifierConfig(scales=4): 28,
        RAMConfig(): 80,
        RAMConfig(glimpses=4, test_samples=10): 100,
        ClassifierConfig(parametrization="random"): 400,
        ConvConfig(): 140,
        ConvNetConfig(): 9,
        SpatialTransformerConfig(): 50,
    }
    models = [
        trained(f"{i}-{seed}", config, range(wrong + 3 * seed), seed, progress=progress(50.0, wrong / 10 - 1))
        for i, (config, wrong) in enumerate(errors.items())
        for seed in range(3)
    ]
    return compared(models, CLUTTERED)
