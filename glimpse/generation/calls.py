"""Python calls of `glimpse sample`, `reconstruct` and `interpolate`."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch

from glimpse.datasets.pictures import picture_paths
from glimpse.generation.images import open_set, part_of, selected_images
from glimpse.generation.neighbors import find_neighbors
from glimpse.generation.opened import OpenGenerator, opened_generator
from glimpse.generation.results import Generated, Interpolation, Reconstructions, Samples, Traversal
from glimpse.generation.sampling import between, latent_usage, most_used, prior_latents, traversal
from glimpse.generation.writing import (
    check_shown,
    file_kind,
    write_interpolation,
    write_reconstructions,
    write_samples,
    write_traversal,
)
from glimpse.listener import Listener
from glimpse.settings.requests import InterpolateRequest, ReconstructRequest, SampleRequest, from_options

__all__ = [
    "interpolate",
    "interpolate_request",
    "reconstruct",
    "reconstruct_request",
    "sample",
    "sample_request",
]

_FEW = 8  # default number of reconstructed images, and of varied latents
_MOST_LATENTS = 32
_USAGE_IMAGES = 250  # number of images on which the usage of the latents is measured
_REACH = 3.0  # largest magnitude of a varied latent, in standard deviations of the prior
_STEPS = {None: 9, ".png": 9, ".gif": 33}  # default number of steps by the file's suffix
_MOST_STEPS = {".png": 15, ".gif": 200}

G = TypeVar("G", bound=Generated)


def sample(model: str | Path, *, listener: Listener | None = None, **options: Any) -> Samples:
    """Samples images from a trained generator and writes them to the files named, if any.

    Args:
        model: A run's folder, a weights file or `pretrained:NAME`.
        listener: Receives progress, notes and warnings.
        options: Those of `glimpse sample` by their names, with `_` for `-`: `count`, `temperature`, `binary`, `seed`, `out`,
            `frames`, `data`, `data_dir`, `device`, `threads`.

    Returns:
        The samples; with a sheet (`out` ends in `.png`) also their nearest training images.

    Raises:
        TypeError: If there is no such option.
        ValueError: If there is no such model, the file's suffix is unknown, or an option does not fit the model.
        OSError: If a file cannot be read or written.
    """
    return sample_request(from_options(SampleRequest, {"model": str(model), **options}), listener)


def reconstruct(model: str | Path, *, listener: Listener | None = None, **options: Any) -> Reconstructions:
    """Reconstructs images with a trained generator from the means of their posterior and writes them to the files named, if any.

    Args:
        model: A run's folder, a weights file or `pretrained:NAME`.
        listener: Receives progress, notes and warnings.
        options: Those of `glimpse reconstruct` by their names, with `_` for `-`: `count`, `split`, `indices`, `out`, `frames`,
            `data`, `data_dir`, `device`, `threads`; `pictures`, a file or several, stands for
            `--image`, with `stretch`, `invert`, `resize`, `pad`.

    Returns:
        The reconstructions with the images.

    Raises:
        TypeError: If there is no such option.
        ValueError: If there is no such model, the file's suffix is unknown, or images or options do not fit the model.
        OSError: If a file cannot be read or written.
    """
    return reconstruct_request(from_options(ReconstructRequest, {"model": str(model), **options}), listener)


def interpolate(model: str | Path, *, listener: Listener | None = None, **options: Any) -> Interpolation | Traversal:
    """Interpolates between two images, or varies single latents of a sample, and writes the result to the file named, if any.

    Args:
        model: A run's folder, a weights file or `pretrained:NAME`.
        listener: Receives progress, notes and warnings.
        options: Those of `glimpse interpolate` by their names, with `_` for `-`: `steps`, `latent`, `count`, `seed`, `split`,
            `indices`, `out`, `data`, `data_dir`, `device`, `threads`; `pictures`, two files, stands for `--image`,
            with `stretch`, `invert`, `resize`, `pad`.

    Returns:
        A `Traversal` with `latent=True`, else an `Interpolation`.

    Raises:
        TypeError: If there is no such option.
        ValueError: If there is no such model, the file's suffix is unknown, or images or options do not fit the model.
        OSError: If a file cannot be read or written.
    """
    return interpolate_request(from_options(InterpolateRequest, {"model": str(model), **options}), listener)


def sample_request(request: SampleRequest, listener: Listener | None = None) -> Samples:
    """Returns the requested samples and writes the requested files; raises as `sample`."""
    began, listener = time.monotonic(), listener or Listener()
    kind = file_kind(request.out, (".png", ".gif", ".npz"))
    shown = ".gif" if kind in (None, ".npz") and request.frames is not None else kind
    _check_least("count", request.count, 1)
    check_shown(shown, request.count, "samples", "a .npz without --frames holds any number")
    generator = opened_generator(request.model, request.machine, listener)
    if shown in (".png", ".gif"):
        generator.check_pictures()
    generator.check_memory(request.count)
    if request.binary and generator.model.config.observation != "bernoulli":
        raise ValueError(f"--binary is for a Bernoulli likelihood: {request.model} draws 256 levels")
    latents = prior_latents(generator.model, request.count, seed=request.seed, temperature=request.temperature)
    means = generator.draw(latents)
    samples = Samples(
        model=request.model,
        drawn=means.black_or_white(request.seed) if request.binary else means,
        latents=latents.cpu(),
        out=request.out,
        frames=request.frames,
        temperature=request.temperature,
        seed=request.seed,
        neighbors=find_neighbors(generator, means.images, request.images) if kind == ".png" else None,
    )
    write_samples(samples, listener)
    return _timed(samples, began)


def reconstruct_request(request: ReconstructRequest, listener: Listener | None = None) -> Reconstructions:
    """Returns the requested reconstructions and writes the requested files; raises as `reconstruct`."""
    began, listener = time.monotonic(), listener or Listener()
    kind = file_kind(request.out, (".png", ".gif"))
    if request.count is not None:
        _check_least("count", request.count, 1)
    shown = ".gif" if kind is None and request.frames is not None else kind
    generator = opened_generator(request.model, request.machine, listener)
    if shown is not None:
        generator.check_pictures()
    selection = request.selection
    few = None if selection.indices is not None or selection.pictures else _FEW
    images, names = selected_images(generator, selection, request.images, request.count or few)
    check_shown(shown, len(images), "images", "choose fewer with --count")
    generator.check_memory(len(images))
    drawn, latents = generator.reconstruct(images)
    found = Reconstructions(
        model=request.model,
        drawn=drawn,
        latents=latents.cpu(),
        out=request.out,
        frames=request.frames,
        originals=images.cpu(),
        names=names,
    )
    write_reconstructions(found, listener)
    return _timed(found, began)


def interpolate_request(request: InterpolateRequest, listener: Listener | None = None) -> Interpolation | Traversal:
    """Returns the requested interpolation or traversal and writes the requested file; raises as `interpolate`."""
    began, listener = time.monotonic(), listener or Listener()
    kind = file_kind(request.out, (".png", ".gif"))
    generator = opened_generator(request.model, request.machine, listener)
    if kind is not None:
        generator.check_pictures()
    steps = request.steps if request.steps is not None else _STEPS[kind]
    _check_least("steps", steps, 2)
    if kind is not None and steps > _MOST_STEPS[kind]:
        raise ValueError(f"a {kind} shows at most {_MOST_STEPS[kind]} steps, not {steps}")
    if request.count is not None and not request.latent:
        raise ValueError("--count is for --latent: how many latents")
    if request.latent:
        varied = _traversal(generator, request, steps)
        write_traversal(varied, listener)
        return _timed(varied, began)
    between_two = _interpolation(generator, request, steps)
    write_interpolation(between_two, listener)
    return _timed(between_two, began)


def _interpolation(generator: OpenGenerator, request: InterpolateRequest, steps: int) -> Interpolation:
    """Returns the interpolation between the latents of two images."""
    selection = request.selection
    if len(picture_paths(selection.pictures)) != 2 and (selection.pictures or selection.indices is None):
        raise ValueError("say which two images to go between: --indices A,B, or --image twice")
    ends, names = selected_images(generator, selection, request.images)
    if len(ends) != 2:
        raise ValueError(f"--indices must name two images to go between, got {selection.indices}")
    generator.check_memory(steps)
    first, last = generator.reconstruct(ends)[1]
    latents = between(first, last, steps)
    return Interpolation(
        model=request.model,
        drawn=generator.draw(latents),
        latents=latents.cpu(),
        out=request.out,
        ends=ends.cpu(),
        names=names,
        seed=request.seed,
    )


def _traversal(generator: OpenGenerator, request: InterpolateRequest, steps: int) -> Traversal:
    """Returns drawings of a sample in which single latents, the most used ones, are varied."""
    selection, count = request.selection, request.count if request.count is not None else _FEW
    if selection.pictures or selection.indices is not None:
        raise ValueError("--latent starts from a sample, chosen by --seed: leave out --image and --indices")
    if not 1 <= count <= _MOST_LATENTS:
        raise ValueError(f"count must be 1 to {_MOST_LATENTS}, got {count}")
    generator.check_memory(1 + count * steps)
    data = open_set(generator, request.images)
    part = part_of(data, selection.split)
    images = part.batch(torch.arange(min(_USAGE_IMAGES, len(part)))).images
    usage = latent_usage(generator.model, images, seed=request.seed)
    variables = most_used(usage, count)
    values = torch.linspace(-_REACH, _REACH, steps)
    base = prior_latents(generator.model, 1, seed=request.seed)
    latents = torch.cat([base, *(traversal(base[0], step, dimension, values) for step, dimension in variables)])
    drawn = generator.draw(latents)
    return Traversal(
        model=request.model,
        drawn=drawn.part(slice(1, None)),
        latents=latents[1:].cpu(),
        out=request.out,
        sample=drawn.images[0],
        variables=tuple(variables),
        values=values,
        usage=usage.cpu(),
        measured_on=f"{len(images)} {selection.split} images of {data.name}",
        seed=request.seed,
    )


def _check_least(name: str, value: int, least: int) -> None:
    """Raises ValueError if a number is below its minimum."""
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")


def _timed(found: G, began: float) -> G:
    """Returns the result with the seconds since it began."""
    return replace(found, seconds=round(time.monotonic() - began, 2))
