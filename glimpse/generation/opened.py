"""A trained generator on its device, with the set that it was trained on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from glimpse import environment
from glimpse.generation.sampling import AT_ONCE, Drawn, draw_latents, reconstruct_images
from glimpse.listener import Listener
from glimpse.models.catalog import open_generator
from glimpse.models.draw import DRAW
from glimpse.models.weights import read_facts
from glimpse.settings.requests import Machine

__all__ = ["OpenGenerator", "opened_generator"]

_MOST_VALUES = 2**30  # maximum number of values of all canvases, which are kept in memory: 4 GiB


@dataclass(frozen=True)
class OpenGenerator:
    """A trained generator on its device.

    Attributes:
        source: Run's folder, weights file or `pretrained:NAME`.
        model: The network.
        task: Description of the training set that is stored with the weights.
        listener: Receives progress, notes and warnings.
    """

    source: str
    model: DRAW
    task: Mapping[str, Any]
    listener: Listener

    @property
    def device(self) -> torch.device:
        """Device of the network."""
        return self.model.initial_canvas.device

    def check_pictures(self) -> None:
        """Raises ValueError unless the images have one or three channels, so that they can be shown."""
        if self.model.config.channels not in (1, 3):
            raise ValueError(f"pictures have 1 or 3 channels, {self.source} draws {self.model.config.channels}")

    def check_memory(self, count: int) -> None:
        """Raises ValueError if the canvases of this number of images take more than 4 GiB."""
        config = self.model.config
        if count * (config.glimpses + 2) * config.pixels > _MOST_VALUES:
            raise ValueError(
                f"{count:,} images with all their canvases are over 4 GiB: draw fewer at a time, samples with different --seed"
            )

    def draw(self, latents: Tensor) -> Drawn:
        """Returns the drawings of latents, shape (N, T, Z), on the generator's device."""
        parts, done = [], 0
        with self.listener.progress("Drawing", len(latents)) as advance:
            for part in draw_latents(self.model, latents):
                parts.append(part)
                done += len(part.canvases)
                advance(done)
        return Drawn.joined(parts)

    def reconstruct(self, images: Tensor) -> tuple[Drawn, Tensor]:
        """Returns reconstructions of images (N, C, H, W), and their latents, the means of the posterior, shape (N, T, Z)."""
        drawn, latents = zip(*(reconstruct_images(self.model, part) for part in torch.split(images, AT_ONCE)), strict=True)
        return Drawn.joined(drawn), torch.cat(latents)


def opened_generator(source: str, machine: Machine, listener: Listener | None = None) -> OpenGenerator:
    """Returns a trained generator on the requested device.

    Args:
        source: A run's folder, a weights file or `pretrained:NAME`.
        machine: Device and threads.
        listener: Receives progress, notes and warnings.

    Raises:
        ValueError: If there is no such model, or it is a classifier.
        OSError: If a file cannot be read.
    """
    facts = read_facts(source)
    environment.use_threads(machine.threads)
    model = open_generator(source).to(environment.choose_device(machine.device))
    return OpenGenerator(source, model, facts["task"], listener or Listener())
