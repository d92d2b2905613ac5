"""Programs: models with named tensors as inputs and outputs, as they are exported.

Dimensions: B images of C x H x W values, T glimpses or steps, Z latent variables per step.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glimpse.models.base import ImageClassifier
from glimpse.models.draw import DRAW
from glimpse.settings.requests import GeneratorPart

__all__ = ["Program", "classifier_program", "generator_program"]

_SPOTS = 8  # rows and columns of the coarse random image that an example is enlarged from
_DARK = 0.7  # share of it that is black, as the ground of a digit


def _spots(*shape: int, generator: torch.Generator) -> Tensor:
    """Returns images (B, C, H, W) of bright smooth spots on black, the last of several black.

    On noise, windows would depend on the last bits of float32.
    """
    coarse = torch.rand(*shape[:2], _SPOTS, _SPOTS, generator=generator)
    smooth = F.interpolate(coarse, size=shape[2:], mode="bilinear")
    images = (smooth - _DARK).clamp(min=0) / (1 - _DARK)
    images[1:][-1:] = 0  # an empty image, in which nothing may be divided by zero
    return images


_SAMPLERS: dict[str, Callable[..., Tensor]] = {
    "images": _spots,
    "uniforms": torch.rand,
    "noise": torch.randn,
    "latents": torch.randn,
}


@dataclass(frozen=True)
class Program:
    """A model as it is exported.

    Attributes:
        module: Maps the inputs, in their order, to outputs by name.
        inputs: Shape of each input by name, without the batch.
    """

    module: nn.Module
    inputs: dict[str, tuple[int, ...]]

    def example(self, batch: int, seed: int = 0) -> tuple[Tensor, ...]:
        """Returns random inputs, float32: images of bright spots, uniform noise in 0 to 1, standard normal latents and noise.

        With several images the last one is black.

        Args:
            batch: Number of images B.
            seed: Random seed.
        """
        generator = torch.Generator().manual_seed(seed)
        return tuple(_SAMPLERS[name](batch, *shape, generator=generator) for name, shape in self.inputs.items())


class _Classifier(nn.Module):
    """Images, and noise if the model takes any, to the model's named outputs."""

    def __init__(self, model: ImageClassifier, glimpses: int | None) -> None:
        super().__init__()
        self.model, self.glimpses = model, glimpses

    def forward(self, images: Tensor, uniforms: Tensor | None = None) -> dict[str, Tensor]:
        return self.model.named_outputs(images, **self.model.inputs(self.glimpses, uniforms))


class _Decoder(nn.Module):
    """Latents to pixels before the first and after every step, and write windows."""

    def __init__(self, model: DRAW) -> None:
        super().__init__()
        self.model = model

    def forward(self, latents: Tensor) -> dict[str, Tensor]:
        drawing = self.model.draw(latents)
        windows = {} if drawing.write is None else {"write_windows": drawing.write.as_tensor()}
        return {"canvases": self.model.means(drawing.canvases)} | windows


class _Reconstructor(nn.Module):
    """Images and noise to pixels before the first and after every step, latents, and windows."""

    def __init__(self, model: DRAW) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor, noise: Tensor) -> dict[str, Tensor]:
        drawing, latents = self.model.reconstruct(images, noise)
        outputs = {"canvases": self.model.means(drawing.canvases), "latents": latents}
        windows = {"write_windows": drawing.write, "read_windows": drawing.read}
        return outputs | {name: window.as_tensor() for name, window in windows.items() if window is not None}


def classifier_program(model: ImageClassifier, size: tuple[int, int], glimpses: int | None = None) -> Program:
    """Returns a classifier as a program: `images` to `probabilities`, windows and, if there is one, the canvas.

    A model with random locations has the second input `uniforms`, shape (B, T, 2), in 0 to 1. RAM follows the mean of its policy:
    only its first location is random, at `uniforms[:, 0]` of the image's width and height, so that 0.5 is the center.

    Args:
        model: Classifier in evaluation mode.
        size: Height and width of the images in pixels.
        glimpses: Number of glimpses; the model's own if None.

    Raises:
        ValueError: If a number of glimpses is given for a model that sees the whole image at once.
    """
    if model.config.samples:
        model.config = dataclasses.replace(model.config, test_samples=0)  # type: ignore[call-arg]
    model.inputs(glimpses)
    inputs: dict[str, tuple[int, ...]] = {"images": (model.config.channels, *size)}
    if model.takes_noise:
        inputs["uniforms"] = (glimpses or model.glimpses, 2)
    return _program(_Classifier(model, glimpses), inputs)


def generator_program(model: DRAW, part: GeneratorPart = "draw") -> Program:
    """Returns a part of a generator as a program.

    `draw` maps `latents`, shape (B, T, Z), to `canvases`, the pixels before the first and after every step, shape
    (B, T + 1, C, H, W), and `write_windows`, (B, T, 5). `reconstruct` maps `images` and standard normal `noise`, (B, T, Z), to the
    same, `read_windows`, and the `latents`; with zeros as noise these are the means of the posterior. There are no windows without
    attention.

    Args:
        model: Generator in evaluation mode.
        part: GeneratorPart to export.
    """
    config = model.config
    latents = (config.glimpses, config.latent)
    if part == "draw":
        return _program(_Decoder(model), {"latents": latents})
    return _program(_Reconstructor(model), {"images": (config.channels, config.height, config.width), "noise": latents})


def _program(module: nn.Module, inputs: dict[str, tuple[int, ...]]) -> Program:
    """Returns the program of a module, whose parameters need no gradients any more."""
    return Program(module.eval().requires_grad_(False), inputs)
