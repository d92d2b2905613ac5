"""Drawings of a trained generator: samples, reconstructions, interpolations and traversals of latents, and nearest images.

Dimensions: N images of C x H x W values, T steps, Z latent variables per step. Distances are Euclidean, over all values of an
image.

References:
    K. Shoemake, "Animating rotation with quaternion curves", SIGGRAPH 1985 (`between`).
    T. White, "Sampling Generative Networks", 2016, arXiv:1609.04468, which applies it to the latents of generators.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor

from glimpse.attention.track import Track
from glimpse.datasets.batches import PositionalDataset
from glimpse.models.draw import DRAW, Drawing

__all__ = [
    "AT_ONCE",
    "Drawn",
    "Nearest",
    "between",
    "draw_latents",
    "latent_usage",
    "most_used",
    "nearest_images",
    "prior_latents",
    "reconstruct_images",
    "traversal",
]

AT_ONCE = 100
"""Number of images that are drawn or reconstructed at once."""

_PARALLEL = 1e-4  # sine of the angle below which two latents count as parallel


class Drawn(NamedTuple):
    """Images with their canvases and windows at all steps, on the CPU.

    Attributes:
        canvases: Pixels before the first and after every step, 0 to 1, shape (N, T + 1, C, H, W).
        tracks: Read windows, if an image was read, and write windows, fields of shape (N, T); empty without attention.
    """

    canvases: Tensor
    tracks: tuple[Track, ...]

    @property
    def images(self) -> Tensor:
        """The finished images, shape (N, C, H, W)."""
        return self.canvases[:, -1]

    @property
    def steps(self) -> int:
        """Number T of steps."""
        return self.canvases.shape[1] - 1

    @classmethod
    def joined(cls, parts: Sequence["Drawn"]) -> "Drawn":
        """Concatenates drawings of one model."""
        tracks = tuple(map(Track.joined, zip(*(part.tracks for part in parts), strict=True)))
        return cls(torch.cat([part.canvases for part in parts]), tracks)

    def part(self, rows: slice) -> Self:
        """Returns the drawings of these images."""
        tracks = (track.rows(rows) for track in self.tracks)
        return self._replace(canvases=self.canvases[rows], tracks=tuple(tracks))

    def black_or_white(self, seed: int) -> Self:
        """Returns the drawings with sampled pixels: 1 with the probability in the canvas, else 0.

        All steps use the same uniform noise, so that pixels do not flicker; image i depends only on (seed, i) and its canvases.
        """
        generator = torch.Generator().manual_seed(seed)
        uniform = torch.stack([torch.rand(self.canvases.shape[2:], generator=generator) for _ in self.canvases])  # (N, C, H, W)
        return self._replace(canvases=(uniform[:, None] < self.canvases).float())


def prior_latents(model: DRAW, count: int, *, seed: int, temperature: float = 1.0) -> Tensor:
    """Returns latents sampled from the prior, shape (N, T, Z), on the model's device.

    Like all latents of `DRAW` they are in units of the prior at their step: standard normal at temperature 1, also with a learned
    prior. Interpolations and traversals therefore follow the prior.

    The latents of sample i depend only on (seed, i), not on the count or the device.

    Args:
        model: The generator.
        count: Number of samples N.
        seed: Random seed.
        temperature: Standard deviation of the latents in units of the prior: 1 is the prior, less gives more typical samples, 0 a
            single image.

    Raises:
        ValueError: If the temperature is below 0, infinite or NaN.
    """
    if not 0 <= temperature < math.inf:
        raise ValueError(f"temperature must be 0 or more, got {temperature}")
    generator = torch.Generator().manual_seed(seed)
    noise = torch.cat([model.noise(1, generator) for _ in range(count)])
    return (temperature * noise).to(model.initial_canvas.device)


@torch.no_grad()
def draw_latents(model: DRAW, latents: Tensor, *, rows: int = AT_ONCE) -> Iterator[Drawn]:
    """Yields the drawings of latents, batch by batch.

    Args:
        model: The generator.
        latents: Shape (N, T, Z), on the model's device.
        rows: Batch size; it affects the result only by rounding.
    """
    for part in torch.split(latents, rows):
        yield _drawn(model, model.draw(part))


@torch.no_grad()
def reconstruct_images(model: DRAW, images: Tensor) -> tuple[Drawn, Tensor]:
    """Returns reconstructions of images (N, C, H, W) from the means of their posterior, and these latents, shape (N, T, Z).

    Raises:
        ValueError: If the images do not have the model's size.
    """
    config = model.config
    drawing, latents = model.reconstruct(images, images.new_zeros(len(images), config.glimpses, config.latent))
    return _drawn(model, drawing), latents


def _drawn(model: DRAW, drawing: Drawing) -> Drawn:
    """Returns a drawing as pixels and tracks on the CPU."""
    config, tracks = model.config, []
    if drawing.read is not None:
        tracks.append(Track("read", 0, config.read, drawing.read.cpu()))
    if drawing.write is not None:
        tracks.append(Track("write", 0, config.write, drawing.write.cpu()))
    return Drawn(model.means(drawing.canvases).float().cpu(), tuple(tracks))


# Neighbors


class Nearest(NamedTuple):
    """Image of a set that is nearest to each of N other images.

    Attributes:
        images: The nearest images, shape (N, C, H, W).
        distances: Their distances, shape (N,), float64.
        positions: Their positions in the set, shape (N,), int64.
    """

    images: Tensor
    distances: Tensor
    positions: Tensor


@torch.no_grad()
def nearest_images(images: Tensor, data: PositionalDataset, *, chunk: int = 1000) -> Iterator[int | Nearest]:
    """Yields the number of images compared after every batch and, at the end, the nearest ones.

    Differences are squared and summed pair by pair. Matrix products would be rounded depending on an image's position in the batch:
    here the distance of a copy is 0, and of two equal images the first is returned.

    Args:
        images: Shape (N, C, H, W), on the data's device.
        data: Set whose images of one epoch are compared.
        chunk: Batch size.
    """
    best = images.new_full((len(images),), torch.inf)
    found, positions = torch.zeros_like(images), torch.zeros(len(images), dtype=torch.int64)
    done = 0
    for batch in data.batches(chunk, stop=len(data)):
        distances = torch.cdist(images.flatten(1), batch.images.flatten(1), compute_mode="donot_use_mm_for_euclid_dist")
        least, column = distances.min(dim=1)  # of (N, chunk)
        nearer = least < best
        best = torch.where(nearer, least, best)
        found[nearer] = batch.images[column[nearer]]
        positions = torch.where(nearer.cpu(), done + column.cpu(), positions)
        done += len(batch.images)
        yield done
    yield Nearest(found.cpu(), (found.double() - images.double()).flatten(1).norm(dim=1).cpu(), positions)


# Interpolations and traversals of latents


def between(first: Tensor, last: Tensor, steps: int) -> Tensor:
    r"""Returns spherical interpolations between the latents of two drawings, both ends included exactly, shape (steps, T, Z).

    .. math:: \frac{\sin((1 - s) \Omega)}{\sin \Omega} \, a + \frac{\sin(s \, \Omega)}{\sin \Omega} \, b

    The angle between the two is that of vectors of all T Z variables. Standard normal vectors of that many dimensions are close to
    a sphere. A linear interpolation leaves it: halfway between two samples its norm is smaller by a factor of the square root of 2,
    like that of a sample at temperature 0.7. If the angle is close to 0 or 180 degrees, the interpolation is linear.

    Args:
        first: Latents of the first drawing, shape (T, Z).
        last: Latents of the last drawing, shape (T, Z).
        steps: Number of drawings including both ends, at least 2.

    Raises:
        ValueError: If there are fewer than two steps.
    """
    if steps < 2:
        raise ValueError(f"there must be at least 2 steps, got {steps}")
    share = torch.linspace(0, 1, steps, dtype=torch.float64, device=first.device)
    a, b = first.double(), last.double()
    angle = torch.acos(((a * b).sum() / (a.norm() * b.norm())).clamp(-1, 1))  # NaN if one of them is 0
    sine = angle.sin()
    weights = (((1 - share) * angle).sin() / sine, (share * angle).sin() / sine) if sine > _PARALLEL else (1 - share, share)
    return (weights[0][:, None, None] * a + weights[1][:, None, None] * b).to(first.dtype)


@torch.no_grad()
def latent_usage(model: DRAW, images: Tensor, *, seed: int) -> Tensor:
    """Returns the KL divergence of every latent variable from its prior, averaged over images, in nats, shape (T, Z).

    The sum is the mean of the bound's KL divergence, with one sample of the latents per image. A variable with a divergence of 0
    carries no information about the image.
    """
    _, posterior = model.infer(images, model.noise(len(images), torch.Generator().manual_seed(seed)).to(images))
    return posterior.divergences().mean(dim=0)


def most_used(usage: Tensor, count: int) -> list[tuple[int, int]]:
    """Returns step and dimension, counted from 0, of the latent variables with the largest usage (T, Z), the largest first."""
    order = usage.flatten().argsort(descending=True, stable=True)[:count].tolist()
    return [divmod(index, usage.shape[1]) for index in order]


def traversal(latents: Tensor, step: int, dimension: int, values: Tensor) -> Tensor:
    """Returns latents (T, Z) with a single variable set to each of the values (S,), shape (S, T, Z)."""
    changed = latents.repeat(len(values), 1, 1)
    changed[:, step, dimension] = values.to(changed)
    return changed
