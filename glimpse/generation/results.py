"""What a trained generator drew: samples, reconstructions, the way between two images, and samples with single latents changed.

Dimensions: N images of C x H x W numbers, T steps, Z latent numbers a step, S values of a latent.
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
        model: Its run's folder, weights file or `pretrained:NAME`.
        drawn: The images with their canvases and windows.
        latents: What they were drawn from, shape (N, T, Z), in units of the prior.
        out: The file that was written; None if none was.
        frames: The folder of one picture a step that was written; None if none was.
        seconds: How long it took, with the writing.
    """

    model: str
    drawn: Drawn
    latents: Tensor
    out: Path | None = None
    frames: Path | None = None
    seconds: float = 0.0

    @property
    def kind(self) -> str | None:
        """Ending of the file that was written, in small letters; None if none was."""
        return None if self.out is None else self.out.suffix.lower()

    @property
    def images(self) -> Tensor:
        """The finished images, 0 to 1, shape (N, C, H, W)."""
        return self.drawn.images

    @property
    def canvases(self) -> Tensor:
        """Pixels before the first step and after every one, 0 to 1, shape (N, T + 1, C, H, W)."""
        return self.drawn.canvases

    @property
    def tracks(self) -> tuple[Track, ...]:
        """Where the model read, if it read, and where it wrote, fields of shape (N, T); none without attention."""
        return self.drawn.tracks

    @property
    def title(self) -> str:
        """What they are, in a line."""
        return self.model

    def facts(self) -> dict[str, Any]:
        """Returns what describes them for JSON, besides the model and the files."""
        return {}

    def as_dict(self) -> dict[str, Any]:
        """Returns what `--json` prints: everything but the tensors."""
        files = {"out": self.out, "frames": self.frames}
        written = {name: None if path is None else str(path) for name, path in files.items()}
        return {"model": self.model} | written | self.facts() | {"seconds": self.seconds}


@dataclass(frozen=True, kw_only=True)
class Samples(Generated):
    """Samples of a generator.

    Attributes:
        temperature: Factor on the latents of the prior.
        seed: Key of what is random.
        neighbors: The training images nearest to them; None where they were not compared.
    """

    temperature: float
    seed: int
    neighbors: Neighbors | None = None

    @property
    def title(self) -> str:
        """What they are, in a line."""
        return f"{self.model}: {len(self.latents)} samples, temperature {self.temperature:g}, seed {self.seed}"

    def facts(self) -> dict[str, Any]:
        """Returns what describes them for JSON, besides the model and the files."""
        facts: dict[str, Any] = {"samples": len(self.latents), "temperature": self.temperature, "seed": self.seed}
        if self.neighbors is not None:
            facts["nearest_distances"] = self.neighbors.nearest.distances.tolist()
            facts["reconstruction_nearest_median"] = self.neighbors.usual
        return facts | {"steps": self.drawn.steps}


@dataclass(frozen=True, kw_only=True)
class Reconstructions(Generated):
    """Images that a generator drew again, from the means of their posteriors.

    Attributes:
        originals: The images, shape (N, C, H, W).
        names: What they are, in a few words.
    """

    originals: Tensor
    names: str

    @property
    def title(self) -> str:
        """What they are, in a line."""
        return f"{self.model} draws again: {self.names}"

    def facts(self) -> dict[str, Any]:
        """Returns what describes them for JSON, besides the model and the files."""
        return {"images": len(self.originals), "steps": self.drawn.steps}


@dataclass(frozen=True, kw_only=True)
class Interpolation(Generated):
    """What a generator draws on the way from one image to another: the N images of the way, the two reconstructions at its ends.

    Attributes:
        ends: The two images, shape (2, C, H, W).
        names: What they are, in a few words.
        seed: Key of what is random.
    """

    ends: Tensor
    names: str
    seed: int

    @property
    def title(self) -> str:
        """What they are, in a line."""
        return f"{self.model}: between {self.names}"

    def facts(self) -> dict[str, Any]:
        """Returns what describes them for JSON, besides the model and the files."""
        return {"steps": len(self.latents), "seed": self.seed}


@dataclass(frozen=True, kw_only=True)
class Traversal(Generated):
    """What a generator draws when single latents of a sample are set to other values: N = R S images, latent by latent.

    Attributes:
        sample: The sample, shape (C, H, W).
        places: Step and dimension of the R latents, counted from 0; those with the greatest usage first.
        values: What each is set to, shape (S,).
        usage: Mean divergence of every latent from its prior in nats, shape (T, Z).
        measured_on: The images that the usage was measured on, in a few words.
        seed: Key of what is random.
    """

    sample: Tensor
    places: tuple[tuple[int, int], ...]
    values: Tensor
    usage: Tensor
    measured_on: str
    seed: int

    @property
    def title(self) -> str:
        """What they are, in a line."""
        return f"{self.model}: one latent at -3 ... 3 (seed {self.seed})"

    @property
    def rows(self) -> tuple[Tensor, ...]:
        """The images of each latent, R tensors of shape (S, C, H, W)."""
        return torch.split(self.images, len(self.values))

    @property
    def names(self) -> list[str]:
        """What each of the latents is called, with its usage."""
        return [f"step {t + 1}, latent {z + 1} ({self.usage[t, z]:.2f})" for t, z in self.places]

    def facts(self) -> dict[str, Any]:
        """Returns what describes them for JSON, besides the model and the files."""
        return {"steps": len(self.values), "seed": self.seed}
