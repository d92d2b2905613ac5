"""Requests to generate images with a trained generator."""

from dataclasses import dataclass, field
from pathlib import Path

from glimpse.settings.requests.choices import ImageSelection, Machine, SetChoice

__all__ = ["InterpolateRequest", "ReconstructRequest", "SampleRequest"]


@dataclass(frozen=True)
class SampleRequest:
    """A request to sample images from a trained generator.

    Attributes:
        model: A run's folder, a weights file or `pretrained:NAME`.
        count: Number of samples.
        temperature: Factor on the standard deviation of the latents: 1 is the model's prior, less gives more typical samples.
        binary: Whether pixels are sampled black or white; otherwise their probabilities are shown.
        seed: Random seed.
        out: File to write: a sheet (`.png`; a gallery of more than 32 samples), an animation (`.gif`) or arrays (`.npz`); None for
            no file.
        frames: Folder for one image per step; None for no frames.
        images: The set in which the nearest neighbors of the samples are searched.
        machine: Device and threads.
    """

    model: str
    count: int = 16
    temperature: float = 1.0
    binary: bool = False
    seed: int = 0
    out: Path | None = None
    frames: Path | None = None
    images: SetChoice = field(default_factory=SetChoice)
    machine: Machine = field(default_factory=Machine)


@dataclass(frozen=True)
class ReconstructRequest:
    """A request to reconstruct images with a trained generator.

    Attributes:
        model: A run's folder, a weights file or `pretrained:NAME`.
        count: Maximum number of images; None for 8, or for all selected images.
        out: File to write: a sheet (`.png`) or an animation (`.gif`); None for no file.
        frames: Folder for one image per step; None for no frames.
        selection: Images to reconstruct.
        images: The set that they are selected from.
        machine: Device and threads.
    """

    model: str
    count: int | None = None
    out: Path | None = None
    frames: Path | None = None
    selection: ImageSelection = field(default_factory=ImageSelection)
    images: SetChoice = field(default_factory=SetChoice)
    machine: Machine = field(default_factory=Machine)


@dataclass(frozen=True)
class InterpolateRequest:
    """A request to interpolate between two images through a generator's latents, or to vary single latents of a sample.

    Attributes:
        model: A run's folder, a weights file or `pretrained:NAME`.
        steps: Number of images from one end to the other, both included; None for 33 in a `.gif`, else 9.
        latent: Whether to vary single latents of a sample instead: those with the largest KL divergence.
        count: With `latent`, the number of latents; None for 8.
        seed: Random seed of the sample, with `latent`.
        out: File to write: a sheet (`.png`) or an animation (`.gif`); None for no file.
        selection: The two images.
        images: The set that they are selected from.
        machine: Device and threads.
    """

    model: str
    steps: int | None = None
    latent: bool = False
    count: int | None = None
    seed: int = 0
    out: Path | None = None
    selection: ImageSelection = field(default_factory=ImageSelection)
    images: SetChoice = field(default_factory=SetChoice)
    machine: Machine = field(default_factory=Machine)
