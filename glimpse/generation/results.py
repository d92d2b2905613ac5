"""Results of a generator: samples, reconstructions, interpolations between two images, and traversals of single latents.

Dimensions: N images of C x H x W values, T steps, Z latent variables per step, S values of a latent variable.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from glimpse.attention.track import Track
from glimpse.generation.neighbors import Neighbors
from glimpse.generation.sampling import Drawn

__all__ = ["Generated", "Interpolation", "Reconstructions", "Samples", "Traversal"]


@dataclass(frozen=True, kw_only=True)
class Generated:
    """Images that a trained generator drew. All tensors are on the CPU.

    Attributes:
        model: Run's folder, weights file or `pretrained:NAME`.
        drawn: The images with their canvases and windows.
        latents: Latents of the images, shape (N, T, Z), in units of the prior.
        out: File that was written, or None.
        frames: Folder with one picture per step that was written, or None.
        seconds: Duration in seconds, including the writing.
    """

    model: str
    drawn: Drawn
    latents: Tensor
    out: Path | None = None
    frames: Path | None = None
    seconds: float = 0.0

    @property
    def kind(self) -> str | None:
        """Suffix of the file that was written, in lower case, or None."""
        return None if self.out is None else self.out.suffix.lower()

    @property
    def images(self) -> Tensor:
        """The finished images, 0 to 1, shape (N, C, H, W)."""
        return self.drawn.images

    @property
    def canvases(self) -> Tensor:
        """Pixels before the first and after every step, 0 to 1, shape (N, T + 1, C, H, W)."""
        return self.drawn.canvases

    @property
    def tracks(self) -> tuple[Track, ...]:
        """Read windows, if an image was read, and write windows, fields of shape (N, T); empty without attention."""
        return self.drawn.tracks

    @property
    def title(self) -> str:
        """Title of the files, one line."""
        return self.model

    def facts(self) -> dict[str, Any]:
        """Returns the further entries of `as_dict`, in JSON's types."""
        return {}

    def as_dict(self) -> dict[str, Any]:
        """Returns everything but the tensors, as printed by `--json`."""
        files = {"out": self.out, "frames": self.frames}
        written = {name: None if path is None else str(path) for name, path in files.items()}
        return {"model": self.model} | written | self.facts() | {"seconds": self.seconds}


@dataclass(frozen=True, kw_only=True)
class Samples(Generated):
    """Samples of a generator.

    Attributes:
        temperature: Standard deviation of the latents in units of the prior.
        seed: Random seed.
        neighbors: Nearest training images; None if the samples were not compared.
    """

    temperature: float
    seed: int
    neighbors: Neighbors | None = None

    @property
    def title(self) -> str:
        """Title of the files, one line."""
        return f"{self.model}: {len(self.latents)} samples, temperature {self.temperature:g}, seed {self.seed}"

    def facts(self) -> dict[str, Any]:
        """Returns the further entries of `as_dict`, in JSON's types."""
        facts: dict[str, Any] = {"samples": len(self.latents), "temperature": self.temperature, "seed": self.seed}
        if self.neighbors is not None:
            facts["nearest_distances"] = self.neighbors.nearest.distances.tolist()
            facts["reconstruction_nearest_median"] = self.neighbors.usual
        return facts | {"steps": self.drawn.steps}


@dataclass(frozen=True, kw_only=True)
class Reconstructions(Generated):
    """Reconstructions of images from the means of their posterior.

    Attributes:
        originals: The images, shape (N, C, H, W).
        names: Description of the images for titles.
    """

    originals: Tensor
    names: str

    @property
    def title(self) -> str:
        """Title of the files, one line."""
        return f"{self.model}: reconstructions of {self.names}"

    def facts(self) -> dict[str, Any]:
        """Returns the further entries of `as_dict`, in JSON's types."""
        return {"images": len(self.originals), "steps": self.drawn.steps}


@dataclass(frozen=True, kw_only=True)
class Interpolation(Generated):
    """Interpolation between the latents of two images; the first and the last of the N drawings are their reconstructions.

    Attributes:
        ends: The two images, shape (2, C, H, W).
        names: Description of the two images for titles.
        seed: Random seed of the request, for `as_dict`; an interpolation does not depend on it.
    """

    ends: Tensor
    names: str
    seed: int

    @property
    def title(self) -> str:
        """Title of the files, one line."""
        return f"{self.model}: between {self.names}"

    def facts(self) -> dict[str, Any]:
        """Returns the further entries of `as_dict`, in JSON's types."""
        return {"steps": len(self.latents), "seed": self.seed}


@dataclass(frozen=True, kw_only=True)
class Traversal(Generated):
    """Drawings of a sample in which R single latent variables are set to other values: N = R S images, variable by variable.

    Attributes:
        sample: The sample, shape (C, H, W).
        variables: Step and dimension of the R variables, counted from 0, those with the largest usage first.
        values: Values of each variable, shape (S,).
        usage: Mean KL divergence of every variable from its prior in nats, shape (T, Z).
        measured_on: Description of the images on which the usage was measured.
        seed: Random seed.
    """

    sample: Tensor
    variables: tuple[tuple[int, int], ...]
    values: Tensor
    usage: Tensor
    measured_on: str
    seed: int

    @property
    def title(self) -> str:
        """Title of the files, one line."""
        first, last = self.values[[0, -1]].tolist()
        return f"{self.model}: one latent at {first:g} ... {last:g} (seed {self.seed})"

    @property
    def rows(self) -> tuple[Tensor, ...]:
        """The images of each variable, R tensors of shape (S, C, H, W)."""
        return torch.split(self.images, len(self.values))

    @property
    def names(self) -> list[str]:
        """Name of each variable, with its usage."""
        return [f"step {t + 1}, latent {z + 1} ({self.usage[t, z]:.2f})" for t, z in self.variables]

    def facts(self) -> dict[str, Any]:
        """Returns the further entries of `as_dict`, in JSON's types."""
        return {"steps": len(self.values), "seed": self.seed}
