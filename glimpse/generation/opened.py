"""A trained generator that is opened to draw: on its device, with what it was trained on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from glimpse import environment
from glimpse.generation.sampling import Drawn, draw_latents, reconstruct_images
from glimpse.listener import Listener
from glimpse.models.catalog import open_generator
from glimpse.models.draw import DRAW
from glimpse.models.weights import read_facts
from glimpse.settings.requests import Machine

__all__ = ["OpenGenerator", "opened_generator"]

_MOST_NUMBERS = 2**30  # of all canvases: 4 GiB, which are kept in memory
_AT_ONCE = 100  # images that are reconstructed at once


@dataclass(frozen=True)
class OpenGenerator:
    """A trained generator on its device.

    Attributes:
        source: Its run's folder, weights file or `pretrained:NAME`.
        model: The network.
        task: What its weights say it was trained on.
        listener: Receives progress, notes and warnings.
    """

    source: str
    model: DRAW
    task: Mapping[str, Any]
    listener: Listener

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.model.initial_canvas.device

    def check_pictures(self) -> None:
        """Raises ValueError unless its images have one or three channels, as pictures have."""
        if self.model.config.channels not in (1, 3):
            raise ValueError(f"pictures have 1 or 3 channels, {self.source} draws {self.model.config.channels}")

    def check_memory(self, count: int) -> None:
        """Raises ValueError if this number of images with all their canvases takes over 4 GiB."""
        config = self.model.config
        if count * (config.glimpses + 2) * config.pixels > _MOST_NUMBERS:
            raise ValueError(
                f"{count:,} images with all their canvases are over 4 GiB: draw fewer at a time, samples each with their --seed"
            )

    def draw(self, latents: Tensor) -> Drawn:
        """Returns what the generator draws from latents, shape (N, T, Z), on its device."""
        parts, done = [], 0
        with self.listener.progress("Drawing", len(latents)) as advance:
            for part in draw_latents(self.model, latents):
                parts.append(part)
                done += len(part.canvases)
                advance(done)
        return Drawn.joined(parts)

    def reconstruct(self, images: Tensor) -> tuple[Drawn, Tensor]:
        """Returns how images (N, C, H, W) are drawn again, and the latents, the posteriors' means, shape (N, T, Z)."""
        drawn, latents = zip(*(reconstruct_images(self.model, part) for part in torch.split(images, _AT_ONCE)), strict=True)
        return Drawn.joined(drawn), torch.cat(latents)


def opened_generator(source: str, machine: Machine, listener: Listener | None = None) -> OpenGenerator:
    """Returns a trained generator on the requested device.

    Args:
        source: A run's folder, a weights file or `pretrained:NAME`.
        machine: The device, and threads of the CPU.
        listener: Receives progress, notes and warnings.

    Raises:
        ValueError: If there is no such model, or it is no generator.
        OSError: If a file cannot be read.
    """
    facts = read_facts(source)
    environment.use_threads(machine.threads)
    model = open_generator(source).to(environment.choose_device(machine.device))
    return OpenGenerator(source, model, facts["task"], listener or Listener())
