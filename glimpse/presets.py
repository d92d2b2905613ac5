"""Named settings to start from; the CLI's options override them one by one."""

from glimpse.config import ClassifierConfig, TrainingConfig

__all__ = ["CLASSIFIER_PRESETS", "LONGER_BUDGETS", "TRAINING_PRESETS"]

CLASSIFIER_PRESETS = {
    "tuned": ClassifierConfig(),
    "paper": ClassifierConfig(encoder="none", parametrization="paper", supervision="last", sigma=1.0),
}
"""`tuned` is what to use; `paper` is DRAW's parametrisation as the paper states it, for comparison."""

TRAINING_PRESETS = {"tuned": TrainingConfig(), "paper": TrainingConfig(weight_decay=0.0)}
"""How the classifiers of the same names are trained."""

LONGER_BUDGETS: tuple[tuple[int, float], ...] = ((1_000_000, 3.34), (3_000_000, 2.50))
"""Validation error in percent that the preset `tuned` reached after so many images, measured with 8 glimpses on MNIST."""
