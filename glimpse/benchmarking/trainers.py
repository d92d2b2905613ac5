"""Trainings whose steps are timed: a preset's, on data without files, with an endless budget.

They equal the trainings of `glimpse train-classifier` and `glimpse train-generator` without the validations, which are rare. The
digits are scikit-learn's, in MNIST's frame of 28 x 28 pixels.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self, cast

import torch

from glimpse.benchmarking.operations import Operations, classifier_operations, draw_operations, ram_operations
from glimpse.datasets.classification import cluttered_data
from glimpse.datasets.digits import DigitSource
from glimpse.datasets.generative import open_generative
from glimpse.datasets.opening import open_digit_source
from glimpse.evaluation.timing import Work
from glimpse.settings.base import Config
from glimpse.settings.catalog import classifier_preset
from glimpse.settings.classifier import ClassifierPreset
from glimpse.settings.clutter import ClutterRecipe
from glimpse.settings.draw import GENERATOR_PRESETS, GeneratorConfig, GeneratorPreset
from glimpse.settings.glimpse_classifier import ClassifierConfig
from glimpse.settings.ram import RAMConfig
from glimpse.settings.requests import GeneratorTrainingRequest, Setting
from glimpse.settings.training import TrainingConfig
from glimpse.training.classifier import classifier_trainer
from glimpse.training.engine import Trainer
from glimpse.training.generator import GeneratorPlan

__all__ = ["ClassifierSteps", "GeneratorSteps", "Steps", "digits"]

_ENDLESS = 10**12  # images

_COUNTED: Mapping[type, Callable[[Any, int, int], Operations]] = {
    ClassifierConfig: classifier_operations,
    RAMConfig: ram_operations,
}
"""Functions that return the cost of a forward pass, by the type of the model's config."""


@dataclass(frozen=True)
class Steps:
    """Steps of a training.

    Attributes:
        preset: Name of the preset.
        batch_size: Number of images per step.
        settings: Settings of the model that replace the preset's.
    """

    preset: str
    batch_size: int = 128
    settings: Mapping[str, Setting] = field(default_factory=dict)

    @property
    def config(self) -> Config:
        """Settings of the model."""
        settings: dict[str, Any] = dict(self.settings)
        return replace(self._preset.model, **settings)

    @property
    def training(self) -> TrainingConfig:
        """Settings of the training: the preset's, without an end and without validations."""
        return replace(self._preset.training, images=_ENDLESS, validate_every=_ENDLESS, batch_size=self.batch_size)

    @property
    def operations(self) -> Operations:
        """Cost of a step per image."""
        raise NotImplementedError

    def changed(self, setting: str, value: int) -> Self:
        """Returns the steps with another value of a setting; equal to these steps if the value is the same.

        Args:
            setting: `batch` for the number of images per step, or the name of a setting of the model.
            value: New value.
        """
        if setting == "batch":
            return replace(self, batch_size=value)
        same = getattr(self.config, setting) == value
        return self if same else replace(self, settings={**self.settings, setting: value})

    def trainer(self, device: torch.device) -> Trainer:
        """Returns a new trainer."""
        raise NotImplementedError

    def work(self, device: torch.device) -> Work:
        """Returns a function that takes one step of a new trainer at every call."""
        return self.trainer(device).fit().__next__

    @property
    def _preset(self) -> ClassifierPreset | GeneratorPreset:
        raise NotImplementedError


@dataclass(frozen=True)
class ClassifierSteps(Steps):
    """Steps of a classifier's training on cluttered digits, which every step renders.

    Attributes:
        canvas: Side of the images in pixels.
    """

    canvas: int = ClutterRecipe().canvas

    @property
    def operations(self) -> Operations:
        """Cost of a step per image.

        Raises:
            ValueError: If the cost of this kind of model is not counted.
        """
        config = self.config
        if type(config) not in _COUNTED:
            raise ValueError(f"operations are counted for the glimpse classifier and RAM, not for preset {self.preset}")
        return _COUNTED[type(config)](config, self.canvas, self.canvas).step

    def changed(self, setting: str, value: int) -> Self:
        """Returns the steps with another value of a setting, which may also be `canvas`; see the base class."""
        return replace(self, canvas=value) if setting == "canvas" else super().changed(setting, value)

    def trainer(self, device: torch.device) -> Trainer:
        """Returns a new trainer."""
        training = self.training
        data = cluttered_data(digits(), ClutterRecipe(canvas=self.canvas), seed=training.seed, device=device)
        record: dict[str, Any] = {"preset": self.preset, "model": vars(self.config), "training": vars(training)}
        return classifier_trainer(record, data, device)

    @property
    def _preset(self) -> ClassifierPreset:
        return classifier_preset(self.preset)


@dataclass(frozen=True)
class GeneratorSteps(Steps):
    """Steps of DRAW's training on scikit-learn's binarized digits of 28 x 28 pixels."""

    @property
    def config(self) -> GeneratorConfig:
        """Settings of the model."""
        return cast(GeneratorConfig, super().config)

    @property
    def operations(self) -> Operations:
        """Cost of a step per image."""
        return draw_operations(self.config).step

    def trainer(self, device: torch.device) -> Trainer:
        """Returns a new trainer."""
        training = self.training
        data = open_generative("digits", seed=training.seed, device=device)
        plan = GeneratorPlan(GeneratorTrainingRequest(preset=self.preset))
        return plan.build({"model": vars(self.config), "training": vars(training)}, data, device)

    @property
    def _preset(self) -> GeneratorPreset:
        return GENERATOR_PRESETS[self.preset]


@functools.cache
def digits() -> DigitSource:
    """Returns scikit-learn's digits."""
    return open_digit_source("sklearn", None)
