"""Small classifiers of every kind, and images for them."""

from typing import Any

import numpy as np
import torch

from glimpse.datasets.labeled_images import ImageSet
from glimpse.models.catalog import build_classifier
from glimpse.settings.convolutional import ConvConfig, ConvNetConfig
from glimpse.settings.glimpse_classifier import ClassifierConfig
from glimpse.settings.ram import RAMConfig
from glimpse.settings.search import SearchConfig
from glimpse.settings.spatial_transformer import SpatialTransformerConfig

SIDE = 20
GLIMPSE = ClassifierConfig(glimpses=3, window=4, hidden=6, features=5, classes=4)
RECURRENT = RAMConfig(glimpses=3, window=4, scales=2, hidden=6, features=5, classes=4, policy_std=0.2, policy_std_start=0.5)
SEARCH = SearchConfig(glimpses=5, window=4, hidden=6, features=5, filters=2, extent=9.0, classes=4)
WHOLE = (
    ConvConfig(classes=4, height=SIDE, width=SIDE),
    ConvNetConfig(filters=2, classes=4),
    SpatialTransformerConfig(window=4, filters=2, features=5, classes=4),
)


def data(count: int, seed: int = 0) -> ImageSet:
    """Returns a data set of seeded images and labels."""
    rng = np.random.default_rng(seed)
    return ImageSet(rng.random((count, SIDE, SIDE), dtype=np.float32), rng.integers(0, 4, count))


def built(config: Any, *, moved: float = 0.3) -> Any:
    """Returns a classifier of a config, seeded, ready to evaluate, every parameter moved by normal noise of that scale."""
    torch.manual_seed(0)
    model = build_classifier(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(moved * torch.randn(parameter.shape))
    return model.eval()
