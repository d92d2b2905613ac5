"""Trainings whose steps are timed: of a preset, on data that need no file, with a budget that does not end.

They are what `glimpse train-classifier` and `glimpse train-generator` run by default but for the validations, which fall due every
hundred thousand images or so. The digits are scikit-learn's, in MNIST's frame of 28 x 28 pixels.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from glimpse.benchmarking.operations import Operations, classifier_operations, draw_operations, ram_operations
from glimpse.benchmarking.timing import Work
from glimpse.datasets.classification import cluttered_data
from glimpse.datasets.digits import DigitSource
from glimpse.datasets.generative import open_generative
from glimpse.datasets.opening import open_digit_source
from glimpse.settings.catalog import classifier_preset
from glimpse.settings.clutter import ClutterRecipe
from glimpse.settings.draw import GENERATOR_PRESETS
from glimpse.settings.glimpse_classifier import ClassifierConfig
from glimpse.settings.ram import RAMConfig
from glimpse.settings.requests import GeneratorTrainingRequest, Setting
from glimpse.settings.training import TrainingConfig
from glimpse.training.classifier import classifier_trainer
from glimpse.training.engine import Trainer
from glimpse.training.generator import GeneratorPlan

__all__ = ["ClassifierSteps", "GeneratorSteps", "Steps", "digits"]

_ENDLESS = 10**12  # images


@dataclass(frozen=True)
class Steps:
    """Steps of a training.

    Attributes:
        preset: Named settings that it starts from.
        batch_size: Images a step.
        settings: Of the model, in place of the preset's.
    """

    preset: str
    batch_size: int = 128
    settings: Mapping[str, Setting] = field(default_factory=dict)

    @property
    def training(self) -> TrainingConfig:
        """How it is trained: as the preset says, without an end and without validations."""
        return replace(self._preset_training, images=_ENDLESS, validate_every=_ENDLESS, batch_size=self.batch_size)

    @property
    def operations(self) -> Operations:
        """What a step takes for one image."""
        raise NotImplementedError

    def trainer(self, device: torch.device) -> Trainer:
        """Returns a fresh trainer."""
        raise NotImplementedError

    def work(self, device: torch.device) -> Work:
        """Returns what takes one step of a fresh trainer each time it is called."""
        return self.trainer(device).fit().__next__

    @property
    def _preset_training(self) -> TrainingConfig:
        raise NotImplementedError


@dataclass(frozen=True)
class ClassifierSteps(Steps):
    """Steps of a classifier's training on cluttered digits, which are drawn in every step.

    Attributes:
        canvas: Side of the images in pixels.
    """

    canvas: int = ClutterRecipe().canvas

    @property
    def config(self) -> ClassifierConfig | RAMConfig:
        """Settings of the model.

        Raises:
            ValueError: If it is of a kind whose operations are not counted.
        """
        settings: dict[str, Any] = dict(self.settings)
        config = replace(classifier_preset(self.preset).model, **settings)
        if not isinstance(config, ClassifierConfig | RAMConfig):
            raise ValueError(f"operations are counted for the glimpse classifier and RAM, not for preset {self.preset}")
        return config

    @property
    def operations(self) -> Operations:
        """What a step takes for one image."""
        config = self.config
        if isinstance(config, RAMConfig):
            return ram_operations(config, self.canvas, self.canvas).step
        return classifier_operations(config, self.canvas, self.canvas).step

    def trainer(self, device: torch.device) -> Trainer:
        """Returns a fresh trainer."""
        training = self.training
        data = cluttered_data(digits(), ClutterRecipe(canvas=self.canvas), seed=training.seed, device=device)
        record: dict[str, Any] = {"preset": self.preset, "model": vars(self.config), "training": vars(training)}
        return classifier_trainer(record, data, device)

    @property
    def _preset_training(self) -> TrainingConfig:
        return classifier_preset(self.preset).training


@dataclass(frozen=True)
class GeneratorSteps(Steps):
    """Steps of DRAW's training on scikit-learn's digits, black or white, of 28 x 28 pixels."""

    @property
    def operations(self) -> Operations:
        """What a step takes for one image."""
        return draw_operations(replace(GENERATOR_PRESETS[self.preset].model, **self._settings)).step

    def trainer(self, device: torch.device) -> Trainer:
        """Returns a fresh trainer."""
        training = self.training
        model = replace(GENERATOR_PRESETS[self.preset].model, **self._settings)
        data = open_generative("digits", seed=training.seed, device=device)
        plan = GeneratorPlan(GeneratorTrainingRequest(preset=self.preset))
        return plan.build({"model": vars(model), "training": vars(training)}, data, device)

    @property
    def _settings(self) -> dict[str, Any]:
        return dict(self.settings)

    @property
    def _preset_training(self) -> TrainingConfig:
        return GENERATOR_PRESETS[self.preset].training


@functools.cache
def digits() -> DigitSource:
    """Returns scikit-learn's digits."""
    return open_digit_source("sklearn", None)
