"""A comparison to be shown."""

import pytest

from glimpse.comparison.rows import Comparison, compare
from glimpse.settings.classifier import ClassifierSettings
from glimpse.settings.convolutional import ConvConfig, ConvNetConfig
from glimpse.settings.glimpse_classifier import ClassifierConfig
from glimpse.settings.ram import RAMConfig
from glimpse.settings.spatial_transformer import SpatialTransformerConfig
from tests.helpers.rows import CLUTTERED, progress, trained


@pytest.fixture(scope="session")
def suite() -> Comparison:
    """Returns a comparison such as a suite ends with: nine models from three seeds, next to what is published."""
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
    return compare(models, CLUTTERED, size=(100, 100), facts={"data": "mnist", "device": "cpu", "threads": 1})
