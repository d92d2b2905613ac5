"""Base classes of all models and of all classifiers: the interface for training, evaluation, comparison and trajectories.

The defaults are those of a network that sees the whole image at once; a subclass sets `config_class` and overrides what differs.
Dimensions: B images, C channels, H rows, W columns, T glimpses, K classes.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from glimpse.attention.track import Track
from glimpse.models.losses import supervised_loss
from glimpse.models.tensors import check_tensors
from glimpse.models.weights import load_weights
from glimpse.settings.base import Config, from_mapping, short
from glimpse.settings.classifier import ClassifierSettings

__all__ = ["ImageClassifier", "Model"]


class Model(nn.Module):
    """Base class of networks that are built from a config, which is saved with their weights.

    Attributes:
        config_class: Class of the config.
        config: Settings.
    """

    config_class: ClassVar[type[Config]]
    config: Any
    _compiled_step: Callable[..., Any] | None = None
    _recomputes_steps = False

    @classmethod
    def from_pretrained(cls, path: str | Path) -> Self:
        """Returns the trained model from a run's folder, a weights file or `pretrained:NAME`, in evaluation mode.

        Raises:
            ValueError: If there is no such model, it is of another class, or its weights do not fit its config.
            OSError: If the file cannot be read.
        """
        weights, facts = load_weights(path)
        if facts["model"] != cls.__name__:
            raise ValueError(f"{path} holds the weights of {short(facts['model'])}, not of {cls.__name__}")
        config = from_mapping(cls.config_class, facts["config"])
        try:
            with torch.device("meta"):  # a size in a damaged config must not request memory
                check_tensors(weights, cls(config).state_dict())
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"{path} holds weights that do not fit its config ({' '.join(str(error).split())})") from error
        model = cls(config)
        model.load_state_dict(weights)
        return model.eval()

    def compile_step(self) -> None:
        """Compiles the model in place by torch.compile.

        Of a recurrent model only the step is compiled, so that compiling takes as long for any number of steps.
        """
        step = getattr(type(self), "_step", None)
        if step is None:
            self.compile()
        else:
            self._compiled_step = torch.compile(step, dynamic=False)

    def checkpoint_activations(self) -> None:
        """Makes the backward pass of a recurrent model recompute every step, so that only the states between steps are kept.

        Raises:
            ValueError: If the model has no steps.
        """
        if not hasattr(type(self), "_step"):
            raise ValueError(f"a {type(self).__name__} has no steps to recompute: leave out --checkpoint-activations")
        self._recomputes_steps = True

    def _run_step(self, *args: Any) -> Any:
        """Returns the results of a recurrent model's method `_step`, compiled or recomputed in the backward pass if so set."""
        step: Callable[..., Any] = self._compiled_step or getattr(type(self), "_step")  # noqa: B009 (subclasses define it)
        if self._recomputes_steps and torch.is_grad_enabled():
            return checkpoint(step, self, *args, use_reentrant=False, preserve_rng_state=False)  # noise is an argument
        return step(self, *args)

    @property
    def takes_noise(self) -> bool:
        """Whether predictions depend on noise, the argument `uniforms` of the model's call."""
        return False

    @property
    def shows_windows(self) -> bool:
        """Whether the model has windows, which `look` returns."""
        return False

    def inputs(self, glimpses: int | None = None, uniforms: Tensor | None = None) -> dict[str, Any]:
        """Returns the keyword arguments of the model's call in evaluation.

        Args:
            glimpses: Number of glimpses T; the config's if None.
            uniforms: Uniform noise in 0 to 1, shape (B, T, 2); used only if `takes_noise`.

        Raises:
            ValueError: If a number of glimpses is given to a model that sees the whole image at once.
        """
        if self.config.glimpses is None and glimpses is not None:
            raise ValueError(f"a {type(self).__name__} sees the whole image at once: omit the number of glimpses")
        return {} if self.config.glimpses is None else {"glimpses": glimpses}

    def look(self, images: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor | None, tuple[Track, ...]]:
        """Returns the class logits, shape (B, T, K), or None if the model is no classifier, and the windows as tracks.

        Raises:
            ValueError: If the model has no windows.
        """
        raise ValueError(f"a {type(self).__name__} has no windows to show")


class ImageClassifier(Model):
    """Base class of classifiers. The first output of their call is the class logits, shape (B, T, K), with T = 1 without glimpses.

    Attributes:
        training_metrics: Names of the scalars that `training_loss` returns besides the loss.
    """

    config: ClassifierSettings
    training_metrics: ClassVar[tuple[str, ...]] = ()

    @property
    def glimpses(self) -> int:
        """Number of glimpses T; 1 if the model sees the whole image at once."""
        return self.config.glimpses or 1

    @property
    def capturable(self) -> bool:
        """Whether training can be captured as a CUDA graph: only without noise, which is no input of the captured graph."""
        return not self.takes_noise

    def named_outputs(self, images: Tensor, **inputs: Any) -> dict[str, Tensor]:
        """Returns the outputs of the exported model by name.

        Args:
            images: Shape (B, C, H, W), 0 to 1.
            inputs: Those of `inputs`.

        Returns:
            `probabilities`, shape (B, T, K), and of a model with windows `windows`, shape (B, T, S, 5): center x and y, stride and
            sigma in pixels, and intensity, for each of the S scales; sigma is NaN if the window has no blur.
        """
        if not self.shows_windows:
            return {"probabilities": self(images, **inputs)[0].softmax(dim=-1)}
        logits, tracks = self.look(images, **inputs)
        if logits is None:
            raise ValueError(f"a {type(self).__name__} returns no logits when it looks")
        windows = torch.stack([track.window.as_tensor() for track in tracks], dim=2)
        return {"probabilities": logits.softmax(dim=-1), "windows": windows}

    def lesson(self, batch: Any, positions: Tensor) -> Any:
        """Returns the input of `training_loss`: the batch itself, unless the loss depends on the progress of training.

        Args:
            batch: Labeled images from a data set.
            positions: Number of training images before each image, shape (B,), int64.
        """
        return batch

    def training_loss(self, network: nn.Module, batch: Any, generator: torch.Generator) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Returns the training loss, the logits and further scalars.

        Args:
            network: The model, possibly compiled or wrapped.
            batch: A batch from `lesson`.
            generator: Source of all randomness, on the model's device.

        Returns:
            The loss, a scalar; the class logits, shape (B', T, K), where B' is B times the number of samples per image; and the
            scalars named in `training_metrics`.
        """
        logits: Tensor = network(batch.images)[0]
        return supervised_loss(logits, batch.labels, "last"), logits, {}
