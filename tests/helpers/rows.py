"""Measured classifiers for comparisons, made up."""

from typing import Any

import numpy as np

from glimpse.comparison.rows import Trained
from glimpse.evaluation.published import published_classification
from glimpse.settings.classifier import ClassifierSettings

LABELS = np.arange(1000) % 10
CLUTTERED = published_classification(100, 8, "mnist")


def trained(source: str, config: ClassifierSettings, wrong: range, seed: int = 0, **other: Any) -> Trained:
    """Returns a model that gets the images of a range wrong."""
    predicted = LABELS.copy()
    predicted[list(wrong)] = (predicted[list(wrong)] + 1) % 10
    run = {
        "training": {"seed": seed, "precision": "bf16", "compile": True, "cuda_graph": False} | other.pop("training", {}),
        "environment": {"device": "cpu", "threads": 1, "processes": 1},
    }
    facts: dict[str, Any] = {"seed": seed, "images": 1000, "run": run} | other
    return Trained(source, config, predicted, LABELS, 775_072, 7_200_000, 2000.0, **facts)


def progress(*errors: float, rate: float = 500.0) -> list[dict[str, str]]:
    """Returns rows of a metrics.csv with a validation every 100 images, and one between that has none."""
    rows = []
    for i, error in enumerate(errors, start=1):
        common = {"images_per_second": str(rate + i), "seconds": str(2.0 * i)}
        rows += [
            {"images": str(100 * i - 50), "valid_error": ""} | common,
            {"images": str(100 * i), "valid_error": str(error)} | common,
        ]
    return rows
