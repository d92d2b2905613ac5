"""What a trained generator draws: samples, reconstructions, ways from one image to another, and the images nearest to them.

Dimensions: N images of C x H x W numbers, T steps, Z latent numbers a step. Distances are Euclidean, over all numbers of an image.

References:
    K. Shoemake, "Animating rotation with quaternion curves", SIGGRAPH 1985 (`between`).
    T. White, "Sampling Generative Networks", 2016, arXiv:1609.04468, which takes it to the latents of generators.
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

_PARALLEL = 1e-4  # sine of an angle below which two latents are on one line


class Drawn(NamedTuple):
    """Images that were drawn, step by step, on the CPU.

    Attributes:
        canvases: Pixels before the first step and after every one, 0 to 1, shape (N, T + 1, C, H, W).
        tracks: Where it read, if it read, and where it wrote, fields of shape (N, T); none without attention.
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
        """Returns the parts, of one model, as one."""
        tracks = tuple(map(Track.joined, zip(*(part.tracks for part in parts), strict=True)))
        return cls(torch.cat([part.canvases for part in parts]), tracks)

    def part(self, rows: slice) -> Self:
        """Returns some of the images, with their canvases and tracks."""
        tracks = (track.rows(rows) for track in self.tracks)
        return self._replace(canvases=self.canvases[rows], tracks=tuple(tracks))

    def black_or_white(self, seed: int) -> Self:
        """Returns it with pixels drawn, 1 with the probability that the canvas says, else 0.

        Every step is compared with the same uniform numbers: nothing flickers, and image i depends on (seed, i) and its canvases.
        """
        generator = torch.Generator().manual_seed(seed)
        uniform = torch.stack([torch.rand(self.canvases.shape[2:], generator=generator) for _ in self.canvases])  # (N, C, H, W)
        return self._replace(canvases=(uniform[:, None] < self.canvases).float())


def prior_latents(model: DRAW, count: int, *, seed: int, temperature: float = 1.0) -> Tensor:
    """Returns latents drawn from the prior, shape (N, T, Z), on the model's device.

    As all latents of `DRAW`, they are in units of the prior at their step: standard normal at temperature 1, even where the prior
    is learned. Ways between latents and traversals therefore follow the prior.

    Those of sample i depend only on (seed, i), not on the count or the device.

    Args:
        model: The generator.
        count: How many samples N.
        seed: Key of the randomness.
        temperature: Standard deviation of what is drawn, in units of the prior: 1 is the model's own, less is tamer, 0 gives a
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
def draw_latents(model: DRAW, latents: Tensor, *, rows: int = 100) -> Iterator[Drawn]:
    """Yields what the model draws from latents, part by part.

    Args:
        model: The generator.
        latents: Shape (N, T, Z), on the model's device.
        rows: Images that are drawn at once; it changes only the last bits of what is drawn.
    """
    for part in torch.split(latents, rows):
        yield _drawn(model, model.draw(part))


@torch.no_grad()
def reconstruct_images(model: DRAW, images: Tensor) -> tuple[Drawn, Tensor]:
    """Returns how images (N, C, H, W) are drawn again from their posteriors' means, and these latents, shape (N, T, Z).

    Raises:
        ValueError: If the images are not of the model's size.
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
    """The image of a set that is nearest to each of N others.

    Attributes:
        images: Shape (N, C, H, W).
        distances: Shape (N,), float64.
        positions: In the set, shape (N,), int64.
    """

    images: Tensor
    distances: Tensor
    positions: Tensor


@torch.no_grad()
def nearest_images(images: Tensor, data: PositionalDataset, *, chunk: int = 1000) -> Iterator[int | Nearest]:
    """Yields how many images of a set were compared, chunk after chunk, and at the end the nearest ones.

    Differences are squared and summed pair by pair, not by products of matrices, whose rounding depends on an image's place among
    the others: a copy is at 0, and of two alike images the first counts.

    Args:
        images: Shape (N, C, H, W), on the data's device.
        data: Where to look: all images of one epoch.
        chunk: Images that are compared at once.
    """
    best = images.new_full((len(images),), torch.inf)
    found, positions = torch.zeros_like(images), torch.zeros(len(images), dtype=torch.int64)
    done = 0
    for batch in data.batches(chunk, stop=len(data)):
        distances = torch.cdist(images.flatten(1), batch.images.flatten(1), compute_mode="donot_use_mm_for_euclid_dist")
        least, place = distances.min(dim=1)  # of (N, chunk)
        nearer = least < best
        best = torch.where(nearer, least, best)
        found[nearer] = batch.images[place[nearer]]
        positions = torch.where(nearer.cpu(), done + place.cpu(), positions)
        done += len(batch.images)
        yield done
    yield Nearest(found.cpu(), (found.double() - images.double()).flatten(1).norm(dim=1).cpu(), positions)


# Ways through the latents


def between(first: Tensor, last: Tensor, steps: int) -> Tensor:
    r"""Returns latents on the way from one drawing's to another's, the ends exactly, shape (steps, T, Z).

    .. math:: \frac{\sin((1 - s) \Omega)}{\sin \Omega} \, a + \frac{\sin(s \, \Omega)}{\sin \Omega} \, b

    Spherical, with the angle between the two taken over all T Z numbers: a standard normal of that many dimensions is near a
    sphere, which a straight way leaves: halfway between two samples it is shorter by a factor of root two, like a sample at a
    temperature of 0.7, and what is drawn there is tamer than either end. Straight where the angle is next to 0 or 180 degrees.

    Args:
        first: Shape (T, Z).
        last: Shape (T, Z).
        steps: Number of drawings, both ends counted, at least 2.

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
    """Returns the mean divergence of every single latent from its prior over some images, in nats, shape (T, Z).

    Its sum is the mean of the bound's divergence, with one sample of the latents an image. A latent near 0 says nothing.
    """
    _, posterior = model.infer(images, model.noise(len(images), torch.Generator().manual_seed(seed)).to(images))
    return posterior.divergences().mean(dim=0)


def most_used(usage: Tensor, count: int) -> list[tuple[int, int]]:
    """Returns step and dimension, from 0, of the latents with the greatest usage (T, Z), the greatest first."""
    order = usage.flatten().argsort(descending=True, stable=True)[:count].tolist()
    return [divmod(place, usage.shape[1]) for place in order]


def traversal(latents: Tensor, step: int, dimension: int, values: Tensor) -> Tensor:
    """Returns latents (T, Z) with a single one set to each of the values (S,), shape (S, T, Z)."""
    changed = latents.repeat(len(values), 1, 1)
    changed[:, step, dimension] = values.to(changed)
    return changed
