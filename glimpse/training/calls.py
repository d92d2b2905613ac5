"""Training as Python calls, with the names and defaults of the command line."""

from collections.abc import Callable
from typing import Any

from glimpse.listener import Listener
from glimpse.settings.catalog import setting_names
from glimpse.settings.draw import generator_setting_names
from glimpse.settings.requests import ClassifierTrainingRequest, GeneratorTrainingRequest, from_options
from glimpse.training.classifier import ClassifierPlan
from glimpse.training.engine import Record
from glimpse.training.generator import GeneratorPlan
from glimpse.training.session import TrainingResult, run_training

__all__ = ["train_classifier", "train_generator"]

Progress = Callable[[Record], None]


def train_classifier(*, progress: Progress | None = None, listener: Listener | None = None, **options: Any) -> TrainingResult:
    """Trains a classifier on cluttered digits or your own images, and keeps the weights with the lowest validation error.

    Args:
        progress: Called with every record of the training, at least one per step.
        listener: Receives warnings and notes, such as that MNIST was not found; Python's warnings and the log `glimpse` if None.
        options: Options of `glimpse train-classifier` by name, with `_` for `-`: `model`, `preset`, settings of the model
            (`glimpses`, `window`, ...) and of the training (`images`, `learning_rate`, `seed`, ...), `data`, `digits`, `data_dir`,
            `canvas`, `pieces`, `distort`, `out`, `resume`, `config`, `epochs`, `checkpoint_every`, `device`, `threads`.

    Returns:
        The folder with the weights, and a summary of the training.

    Raises:
        TypeError: If there is no such option.
        ValueError: If options contradict each other, the folder holds something else, or the training diverges.
        FileNotFoundError: If the data are not available.
    """
    request = from_options(ClassifierTrainingRequest, options, setting_names())
    return run_training(ClassifierPlan(request, listener), progress)


def train_generator(*, progress: Progress | None = None, listener: Listener | None = None, **options: Any) -> TrainingResult:
    """Trains DRAW, a generative model that reads and writes through windows; keeps the weights with the lowest validation bound.

    Arguments, result and errors are those of `train_classifier`, with the options of `glimpse train-generator`.
    """
    request = from_options(GeneratorTrainingRequest, options, generator_setting_names())
    return run_training(GeneratorPlan(request, listener), progress)
