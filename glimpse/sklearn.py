"""Classifiers as a scikit-learn estimator.

Dimensions: N images of H x W pixels in C channels, K classes.
"""

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from glimpse import environment
from glimpse.datasets.batches import EVALUATION_BATCH
from glimpse.datasets.labeled_images import ImageSet
from glimpse.evaluation.classifier import classify
from glimpse.models.base import ImageClassifier
from glimpse.models.catalog import build_classifier
from glimpse.settings.base import from_mapping
from glimpse.settings.catalog import CLASSIFIERS, OF_THE_DATA
from glimpse.settings.classifier import ClassifierPreset, ClassifierSettings
from glimpse.settings.training import TrainingConfig
from glimpse.training.classifier import ClassificationTask
from glimpse.training.engine import Trainer

__all__ = ["GlimpseClassifier"]


class GlimpseClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Classifier of images with the interface of scikit-learn: glimpses through learned windows, or another kind of model.

    Images are scaled linearly such that the training images span 0 to 1. A prediction depends on its image only: models with random
    locations use the same noise for every image.

    Args:
        model: Kind of model, as in `glimpse train-classifier --model`.
        preset: Preset of that kind; None for its first one.
        glimpses: Number of glimpses; None for that of the preset.
        images: Budget: number of training images, counted with repetition.
        shape: Shape (H, W) or (C, H, W) of the images if X is two-dimensional; None for a square, or for a single row if the number
            of features is not a square.
        settings: Further settings of the model and its training by name, such as `{"hidden": 128, "learning_rate": 3e-3}`.
        device: `auto` (CUDA if available, else the CPU), `cpu`, `cuda`, `cuda:N` or `mps`.
        random_state: Seed of the initial weights, the order of the images and all noise: an integer, a `RandomState` or None.

    Attributes:
        classes_: Labels of the K classes, sorted.
        image_shape_: Shape (C, H, W) of the images.
        model_: Trained network.
        n_features_in_: Size of the second axis of X.
    """

    def __init__(
        self,
        model: str = "glimpse",
        *,
        preset: str | None = None,
        glimpses: int | None = None,
        images: int = 100_000,
        shape: tuple[int, ...] | None = None,
        settings: Mapping[str, Any] | None = None,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.model = model
        self.preset = preset
        self.glimpses = glimpses
        self.images = images
        self.shape = shape
        self.settings = settings
        self.device = device
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:  # noqa: N803 (the name in scikit-learn)
        """Trains on images with labels.

        Args:
            X: Images, shape (N, H, W), (N, C, H, W) or (N, C * H * W).
            y: Labels of any kind, shape (N,).

        Raises:
            ValueError: If the images and labels or the settings do not fit together, or the training diverges.
        """
        values, labels = validate_data(self, X, y, allow_nd=True)
        check_classification_targets(labels)
        self.classes_, numbers = np.unique(labels, return_inverse=True)
        self.image_shape_ = self._image_shape(values)
        self._least, self._span = float(values.min()), float(values.max() - values.min()) or 1.0
        images = self._scaled(values)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        config, training = self._configs(seed)
        device = environment.choose_device(self.device)
        data = ImageSet(images.transpose(0, 2, 3, 1), numbers, device=device, shuffle_seed=seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = build_classifier(config).to(device)
        trainer = Trainer(ClassificationTask(network, data, data), training, device)
        for _ in trainer.fit():
            pass
        self.model_: ImageClassifier = trainer.model.eval()  # type: ignore[assignment]
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803
        """Returns the probabilities of the classes after the last glimpse, shape (N, K), in the order of `classes_`.

        Args:
            X: Images of the size of the training images, as in `fit`.

        Raises:
            NotFittedError: If the estimator is not fitted.
            ValueError: If the images have another shape.
        """
        check_is_fitted(self)
        values = validate_data(self, X, allow_nd=True, reset=False)
        if self._image_shape(values) != self.image_shape_:
            raise ValueError(f"images must have shape {self.image_shape_} as in fit, got {self._image_shape(values)}")
        device = next(self.model_.parameters()).device
        found = []
        for part in torch.split(torch.from_numpy(self._scaled(values)), EVALUATION_BATCH):
            positions = torch.zeros(len(part), dtype=torch.int64, device=device)
            logits = classify(self.model_, part.to(device), positions)[:, -1]
            found.append(logits.double().softmax(dim=-1).cpu().numpy())
        return np.concatenate(found)

    def predict(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """Returns the most probable label of each image, shape (N,); arguments and errors as `predict_proba`."""
        probabilities = self.predict_proba(X)
        labels: NDArray[Any] = self.classes_[probabilities.argmax(axis=1)]
        return labels

    def _image_shape(self, values: NDArray[Any]) -> tuple[int, int, int]:
        """Returns the shape (C, H, W) of the images in an array of two to four dimensions.

        Raises:
            ValueError: If the array has more dimensions, or `shape` does not fit it.
        """
        size = values.shape[1:]
        if len(size) == 1:
            side = math.isqrt(size[0])
            size = self.shape or ((side, side) if side**2 == size[0] else (1, size[0]))
        if len(size) not in (2, 3) or math.prod(size) != math.prod(values.shape[1:]):
            raise ValueError(f"images of shape {self.shape or '(H, W) or (C, H, W)'} were expected, got X of shape {values.shape}")
        channels, height, width = (1, *size)[-3:]
        return channels, height, width

    def _scaled(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Returns images (N, C, H, W), in 0 to 1 for those of the training."""
        scaled = (values.astype(np.float64) - self._least) / self._span
        return scaled.reshape(len(values), *self.image_shape_).astype(np.float32)

    def _configs(self, seed: int) -> tuple[ClassifierSettings, TrainingConfig]:
        """Returns the settings of the model and of its training.

        Raises:
            ValueError: If there is no such model, preset or setting.
        """
        if self.model not in CLASSIFIERS:
            raise ValueError(f"there is no model {self.model!r}; there are {', '.join(CLASSIFIERS)}")
        presets = CLASSIFIERS[self.model].presets
        if self.preset is not None and self.preset not in presets:
            raise ValueError(f"the model {self.model} has no preset {self.preset!r}; there are {', '.join(presets)}")
        preset: ClassifierPreset = presets[self.preset or next(iter(presets))]
        chosen = dict(self.settings or {}) | ({} if self.glimpses is None else {"glimpses": self.glimpses})
        channels, height, width = self.image_shape_
        data = dict(zip(OF_THE_DATA, (channels, len(self.classes_), height, width), strict=True))
        model_names, training_names = ({each.name for each in fields(part)} for part in (preset.model, preset.training))
        refused = sorted(chosen.keys() - ((model_names | training_names) - {*OF_THE_DATA, "images", "seed"}))
        if refused:
            raise ValueError(f"the model {self.model} has no setting {', '.join(refused)} to choose here")
        model = vars(preset.model) | {name: value for name, value in (chosen | data).items() if name in model_names}
        training = vars(preset.training) | {name: value for name, value in chosen.items() if name in training_names}
        budget = {"images": self.images, "validate_every": self.images, "seed": seed}
        return from_mapping(type(preset.model), model), from_mapping(TrainingConfig, training | budget)
