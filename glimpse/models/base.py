"""Base of the models, and of the classifiers: what training, evaluation, comparison and trajectories ask of any of them.

A classifier states its config's class and overrides what differs from a network that sees the whole image at once. Dimensions:
B images, C channels, H rows, W columns, T glimpses, K classes.
"""

from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from glimpse.attention.track import Track
from glimpse.models.losses import supervised_loss
from glimpse.models.weights import load_model
from glimpse.settings.base import Config
from glimpse.settings.classifier import ClassifierSettings

__all__ = ["ImageClassifier", "Model"]


class Model(nn.Module):
    """A network that is built from a config and whose weights are stored with it.

    Attributes:
        config_class: Class of its config.
        config: Its settings.
    """

    config_class: ClassVar[type[Config]]
    config: Any

    @classmethod
    def from_pretrained(cls, path: str | Path) -> Self:
        """Returns the trained model of a run's folder, a weights file or `pretrained:NAME`, ready to evaluate.

        Raises:
            ValueError: If there is no such model, or it is of another class.
            OSError: If the file cannot be read.
        """
        return load_model(cls, cls.config_class, path)

    @property
    def takes_noise(self) -> bool:
        """Whether a trained model's answer depends on noise, which its call then takes as `uniforms`."""
        return False

    @property
    def shows_windows(self) -> bool:
        """Whether it looks through windows, so that `look` returns them."""
        return False

    def inputs(self, glimpses: int | None = None, uniforms: Tensor | None = None) -> dict[str, Any]:
        """Returns what the model's call takes besides the images when it is evaluated.

        Args:
            glimpses: Number of glimpses T; the config's if None.
            uniforms: Noise in 0 to 1, shape (B, T, 2), of a model that `takes_noise`.

        Raises:
            ValueError: If a number of glimpses is asked of a model that sees the whole image at once.
        """
        if self.config.looks is None and glimpses is not None:
            raise ValueError(f"a {type(self).__name__} sees the whole image at once: it takes no number of glimpses")
        return {} if self.config.looks is None else {"glimpses": glimpses}

    def look(self, images: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor | None, tuple[Track, ...]]:
        """Returns logits of shape (B, T, K), None of a model that does not classify, and where it looked, as tracks.

        Raises:
            ValueError: If it has no windows.
        """
        raise ValueError(f"a {type(self).__name__} has no windows to show")


class ImageClassifier(Model):
    """Base of every classifier. Its call returns a tuple whose first entry is logits of shape (B, T, K), T 1 without glimpses.

    Attributes:
        training_metrics: Names of what `training_loss` returns besides the loss.
    """

    config: ClassifierSettings
    training_metrics: ClassVar[tuple[str, ...]] = ()

    @property
    def glimpses(self) -> int:
        """After how many glimpses it answers: 1 if it sees the whole image at once."""
        return self.config.looks or 1

    @property
    def capturable(self) -> bool:
        """Whether its training can be captured as a CUDA graph: noise is not among a capture's inputs."""
        return not self.takes_noise

    def lesson(self, batch: Any, positions: Tensor) -> Any:
        """Returns a training batch with what the loss takes besides: nothing, unless it depends on how far training is.

        Args:
            batch: Labeled images, as a data set gives them.
            positions: Of the images in the endless sequence, shape (B,), int64: how many were seen before each.
        """
        return batch

    def training_loss(self, network: nn.Module, batch: Any, generator: torch.Generator) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Returns the loss of a training batch, a scalar, the logits that it was computed from, and further scalars by name.

        Args:
            network: What computes the model: itself, compiled, or shared by processes.
            batch: What `lesson` returned.
            generator: Source of all noise.

        Returns:
            The logits have shape (B', T, K): B' is B times the number of samples of each image.
        """
        logits: Tensor = network(batch.images)[0]
        return supervised_loss(logits, batch.labels, "last"), logits, {}
