"""The presets of the catalog by name: models, trainings, and the presets of each kind."""

from glimpse.settings.catalog import CLASSIFIERS, classifier_presets

CLASSIFIER_PRESETS = {name: preset.model for name, preset in classifier_presets().items()}
TRAINING_PRESETS = {name: preset.training for name, preset in classifier_presets().items()}
CLASSIFIER_MODELS = {kind.name: tuple(kind.presets) for kind in CLASSIFIERS.values()}
