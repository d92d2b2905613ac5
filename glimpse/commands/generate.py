"""What `glimpse sample`, `reconstruct` and `interpolate` do between parsing and printing."""

import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from glimpse import environment
from glimpse.atomic import atomic_file, write_atomically
from glimpse.commands import console
from glimpse.commands.options import parse_positions
from glimpse.commands.task_images import open_training_images
from glimpse.datasets.generative import GenerativeData
from glimpse.datasets.picture_files import load_picture
from glimpse.figures.windows import gif, png, save
from glimpse.generation.figures import (
    Pixels,
    interpolation_frames,
    interpolation_sheet,
    reconstruction_sheet,
    sample_sheet,
    step_frames,
    traversal_frames,
    traversal_sheet,
)
from glimpse.generation.sampling import (
    Drawn,
    Nearest,
    between,
    draw_latents,
    latent_usage,
    most_used,
    nearest_images,
    prior_latents,
    reconstruct_images,
    traversal,
)
from glimpse.models.catalogue import open_generator
from glimpse.models.draw import DRAW
from glimpse.models.weights import load_weights

__all__ = ["interpolate", "reconstruct", "sample"]

_MOST = {".png": 32, ".gif": 64}  # rows of a sheet, images of an animation
_FEW = 8  # images that are drawn again, or latents that are changed, where no number is given
_COMPARED = 250  # test images that say how far apart images of the set are
_MEASURED = 250  # images that say which latents are used
_REACH = 3.0  # standard deviations that a single latent is moved by, to either side
_STEPS = {".png": 9, ".gif": 33}
_MOST_STEPS = {".png": 15, ".gif": 200}
_MOST_NUMBERS = 2**30  # in a file of arrays: 4 GiB, which are made in memory


def sample(source: str, options: dict[str, Any], *, as_json: bool) -> None:
    """Draws samples of a generator to a sheet, an animation or a file of arrays.

    Args:
        source: A run's folder, a weights file or `pretrained:NAME`.
        options: All options by name.
        as_json: Whether to print one line with one JSON object.

    Raises:
        ValueError: If there is no such model, or the file's ending is unknown.
        OSError: If a file cannot be read or written.
    """
    out, began = options["out"], time.monotonic()
    kind = _ending(out, (".png", ".gif", ".npz"))
    shown = ".gif" if kind == ".npz" and options["frames"] is not None else kind
    if options["count"] > _MOST.get(shown, options["count"]):
        raise ValueError(f"a {shown} shows at most {_MOST[shown]} samples, not {options['count']:,}: a .npz alone holds any number")
    model, task = _open(source, options, drawn=shown != ".npz")
    if options["count"] * (model.config.glimpses + 2) * model.config.pixels > _MOST_NUMBERS:
        raise ValueError(
            f"{options['count']:,} samples with all their canvases are over 4 GiB: draw fewer at a time, each with its --seed"
        )
    if options["binary"] and model.config.observation != "bernoulli":
        raise ValueError(f"--binary is for a Bernoulli likelihood: {source} draws 256 levels")
    latents = prior_latents(model, options["count"], seed=options["seed"], temperature=options["temperature"])
    means = _drawn(model, latents)
    drawn = means.black_or_white(options["seed"]) if options["binary"] else means
    title = f"{source}: {len(latents)} samples, temperature {options['temperature']:g}, seed {options['seed']}"
    facts: dict[str, Any] = {"samples": len(latents), "temperature": options["temperature"], "seed": options["seed"]}
    if kind == ".png":
        nearest, note, distances = _neighbours(source, model, task, options, means.images)
        save(out, sample_sheet(drawn, nearest=nearest, title=title, note=note))
        facts |= distances
    elif kind == ".npz":
        _save_arrays(out, drawn, latents)
    _animate(options, kind, drawn, None, title)
    _say(source, facts | {"steps": drawn.steps}, options, began, as_json=as_json)


def reconstruct(source: str, options: dict[str, Any], *, as_json: bool) -> None:
    """Draws how a generator draws images again; arguments and errors as of `sample`."""
    out, began = options["out"], time.monotonic()
    kind = _ending(out, (".png", ".gif"))
    model, task = _open(source, options)
    few = None if options["indices"] or options["pictures"] else _FEW
    images, names = _images(source, model, task, options, options["count"] or few)
    if len(images) > _MOST[kind]:
        raise ValueError(f"a {kind} shows at most {_MOST[kind]} images, not {len(images):,}: choose fewer with --count")
    drawn, _ = reconstruct_images(model, images)
    title = f"{source} draws again: {names}"
    if kind == ".png":
        save(out, reconstruction_sheet(drawn, images, title=title, note="The latents are the posteriors' means."))
    _animate(options, kind, drawn, images, title)
    _say(source, {"images": len(images), "steps": drawn.steps}, options, began, as_json=as_json)


def interpolate(source: str, options: dict[str, Any], *, as_json: bool) -> None:
    """Draws the way from one image to another, or what single latents do; arguments and errors as of `sample`."""
    out, began = options["out"], time.monotonic()
    kind = _ending(out, (".png", ".gif"))
    model, task = _open(source, options)
    steps = options["steps"] or _STEPS[kind]
    if steps > _MOST_STEPS[kind]:
        raise ValueError(f"a {kind} shows at most {_MOST_STEPS[kind]} steps, not {steps}")
    if options["count"] is not None and not options["latent"]:
        raise ValueError("--count is for --latent: how many latents")
    draw = _single_latents if options["latent"] else _way
    draw(source, model, task, options, kind, steps)
    _say(source, {"steps": steps, "seed": options["seed"]}, options, began, as_json=as_json)


def _way(source: str, model: DRAW, task: dict[str, Any], options: dict[str, Any], kind: str, steps: int) -> None:
    """Draws the way from one image to another."""
    if len(options["pictures"]) != 2 and (options["pictures"] or not options["indices"]):
        raise ValueError("say which two images to go between: --indices A,B, or --image twice")
    ends, names = _images(source, model, task, options)
    if len(ends) != 2:
        raise ValueError(f"--indices must name two images to go between, got {options['indices']}")
    _, latents = reconstruct_images(model, ends)
    way = _drawn(model, between(latents[0], latents[1], steps)).images
    title = f"{source}: between {names}"
    if kind == ".png":
        note = "Spherical between the means of the two images' latents."
        save(options["out"], interpolation_sheet(ends, way, title=title, note=note))
    else:
        _save_there_and_back(options["out"], interpolation_frames(ends, way, title=title), steps)


def _single_latents(source: str, model: DRAW, task: dict[str, Any], options: dict[str, Any], kind: str, steps: int) -> None:
    """Draws a sample with single latents, the most used ones, set to other values."""
    if options["pictures"] or options["indices"]:
        raise ValueError("--latent starts from a sample, chosen by --seed: leave out --image and --indices")
    data = _data(source, model, task, options)
    images = getattr(data, options["split"]).batch(torch.arange(min(_MEASURED, len(getattr(data, options["split"]))))).images
    usage = latent_usage(model, images, seed=options["seed"])
    places = most_used(usage, options["count"] or _FEW)
    values = torch.linspace(-_REACH, _REACH, steps)
    base = prior_latents(model, 1, seed=options["seed"])
    changed = [traversal(base[0], step, dimension, values) for step, dimension in places]
    sample, *rows = torch.split(_drawn(model, torch.cat([base, *changed])).images, [1, *[steps] * len(places)])
    names = [f"step {t + 1}, latent {z + 1} ({usage[t, z]:.2f})" for t, z in places]
    title = f"{source}: one latent at -3 ... 3 (seed {options['seed']})"
    if kind == ".png":
        note = (
            "Left: the sample. Rows: the latents that say most,"
            f" with their mean divergence in nats over {len(images)} {options['split']} images of {data.name}."
        )
        sheet = traversal_sheet(sample[0], rows, values.tolist(), names, title=title, note=note)
        save(options["out"], sheet)
    else:
        _save_there_and_back(options["out"], traversal_frames(rows, values.tolist(), names, title=title), steps)


# What is drawn


def _ending(out: Path, known: Sequence[str]) -> str:
    """Returns a file's ending.

    Raises:
        ValueError: If it is none of those known.
    """
    kind = out.suffix.lower()
    if kind not in known:
        raise ValueError(f"{out} must end in {' or '.join(known)}")
    return kind


def _open(source: str, options: dict[str, Any], *, drawn: bool = True) -> tuple[DRAW, dict[str, Any]]:
    """Returns the generator on its device, and what its weights say it was trained on.

    Raises:
        ValueError: If it is none, or a picture is asked for that has neither one nor three channels.
    """
    _, facts = load_weights(source)
    environment.use_threads(options["threads"])
    model = open_generator(source).to(environment.choose_device(options["device"]))
    if drawn and model.config.channels not in (1, 3):
        raise ValueError(f"pictures have 1 or 3 channels, {source} draws {model.config.channels}")
    return model, facts["task"]


def _drawn(model: DRAW, latents: Tensor) -> Drawn:
    """Returns what is drawn from latents, with a progress bar."""
    parts = []
    with console.ProgressView("Drawing", len(latents)) as view:
        for part in draw_latents(model, latents):
            parts.append(part)
            view.update(sum(len(part.canvases) for part in parts))
    return Drawn.joined(parts)


def _data(source: str, model: DRAW, task: dict[str, Any], options: dict[str, Any]) -> GenerativeData:
    """Returns the set that a generator was trained on, or another that was asked for.

    Raises:
        ValueError: If its images are of another size than the model's.
    """
    data = open_training_images(source, task, options, model.initial_canvas.device)
    _check_size(data.name, (data.channels, data.height, data.width), model)
    return data


def _check_size(name: object, shape: Sequence[int], model: DRAW) -> None:
    """Raises ValueError unless a shape (C, H, W) is the model's."""
    config = model.config
    own = (config.channels, config.height, config.width)
    has, draws = (
        f"{width} x {height} pixels in {channels} channel{'s' if channels > 1 else ''}" for channels, height, width in (shape, own)
    )
    if has != draws:
        raise ValueError(f"{name} has {has}, the model draws {draws}: give images of that size")


def _images(
    source: str, model: DRAW, task: dict[str, Any], options: dict[str, Any], count: int | None = None
) -> tuple[Tensor, str]:
    """Returns the images asked for, shape (N, C, H, W), on the model's device, and in a few words what they are."""
    if options["pictures"]:
        others = [f"--{name}" for name in ("data", "indices") if options[name]]
        if others:
            raise ValueError(f"--image brings its own pictures: leave out {', '.join(others)}")
        pictures = [load_picture(path, model.config.channels) for path in options["pictures"]]
        for path, picture in zip(options["pictures"], pictures, strict=True):
            _check_size(path, picture.shape[1:], model)
        return torch.cat(pictures)[:count].to(model.initial_canvas.device), ", ".join(path.name for path in options["pictures"])
    data = _data(source, model, task, options)
    part = getattr(data, options["split"])
    positions = parse_positions(options["indices"], len(part))[:count]
    named = "" if len(positions) > 12 else " " + ", ".join(map(str, positions.tolist()))
    return part.batch(positions).images, f"{data.name}, {options['split']} images{named}"


def _neighbours(
    source: str, model: DRAW, task: dict[str, Any], options: dict[str, Any], images: Tensor
) -> tuple[Nearest | None, str, dict[str, Any]]:
    """Returns the nearest training images, a note on their distances, and the distances; nothing where the data are not at hand.

    What is binarized afresh at each visit is compared by its intensities.
    """
    try:
        data = _data(source, model, task, options)
    except (OSError, ValueError) as error:
        if options["data"] is not None:
            raise
        console.note(f"Nearest training images are left out: {error}")
        console.note("Say where the images are that it was trained on with --data NAME or PATH, or --data-dir FOLDER.")
        return None, "", {}
    data.train.binarized = data.test.binarized = False
    others = reconstruct_images(model, data.test.batch(torch.arange(min(_COMPARED, len(data.test)))).images)[0].images
    with console.ProgressView("Comparing", len(data.train)) as view:
        for step in nearest_images(torch.cat([images, others]).to(model.initial_canvas.device), data.train):
            if isinstance(step, Nearest):
                found = step
            else:
                view.update(step)
    nearest, usual = (
        Nearest(*parts) for parts in zip(*(torch.split(field, [len(images), len(others)]) for field in found), strict=True)
    )
    scale = float(usual.distances.median())
    note = (
        f"Nearest: the closest of {len(data.train):,} training images, by the Euclidean distance of pixel values, 0 to 1, from the"
        f" sample's means; of test images that the model draws again the median is {scale:.2f}."
    )
    return nearest, note, {"nearest_distances": nearest.distances.tolist(), "reconstruction_nearest_median": scale}


# What is written


def _save_arrays(out: Path, drawn: Drawn, latents: Tensor) -> None:
    """Writes samples, canvases, latents and windows as a `.npz` file, whole or not at all."""
    arrays: dict[str, Any] = {"samples": drawn.images.numpy(), "canvases": drawn.canvases.numpy(), "latents": latents.cpu().numpy()}
    for track in drawn.tracks:
        arrays |= {f"{track.kind}_{name}": field.numpy() for name, field in track.window._asdict().items()}
        arrays[f"{track.kind}_n"] = np.array(track.n)
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(out) as file:
        np.savez_compressed(file, **arrays)


def _animate(options: dict[str, Any], kind: str, drawn: Drawn, images: Tensor | None, title: str) -> None:
    """Writes the steps as a GIF and as numbered pictures, where they are asked for."""
    folder = options["frames"]
    if kind != ".gif" and folder is None:
        return
    frames = _rendered(step_frames(drawn, images, title=title), drawn.steps + 2)
    if folder is not None:
        _save_frames(folder, frames[:-1])
    if kind == ".gif":
        each = min(0.5, max(0.08, 6 / drawn.steps))
        save(options["out"], gif(frames, [each] * (len(frames) - 1) + [2.5]))


def _save_frames(folder: Path, frames: Sequence[Pixels]) -> None:
    """Writes frames as `step-00.png` and so on, each whole.

    Raises:
        ValueError: If other frames, that would seem to go on with these, lie there.
    """
    names = [f"step-{number:0{len(str(len(frames) - 1))}}.png" for number in range(len(frames))]
    folder.mkdir(parents=True, exist_ok=True)
    others = {path.name for path in folder.glob("step-*.png")} - set(names)
    if others:
        raise ValueError(f"{folder} holds frames of another drawing, such as {min(others)}: remove them or name another folder")
    for name, frame in zip(names, frames, strict=True):
        write_atomically(folder / name, png(frame))


def _save_there_and_back(out: Path, frames: Iterator[Pixels], count: int) -> None:
    """Writes a GIF that goes from the first frame to the last and back, resting at both."""
    there = _rendered(frames, count)
    seconds = [1.0] + [min(0.5, 4 / count)] * (count - 2) + [1.0]
    save(out, gif(there + there[-2:0:-1], seconds + seconds[-2:0:-1]))


def _rendered(frames: Iterable[Pixels], count: int) -> list[Pixels]:
    """Returns the frames, with a progress bar."""
    kept = []
    with console.ProgressView("Rendering", count, unit="frames") as view:
        for frame in frames:
            kept.append(frame)
            view.update(len(kept))
    return kept


def _say(source: str, facts: dict[str, Any], options: dict[str, Any], began: float, *, as_json: bool) -> None:
    """Says what was written."""
    out, frames = options["out"], options.get("frames")
    if as_json:
        written = {"model": source, "out": str(out), "frames": None if frames is None else str(frames)}
        console.print_json(written | facts | {"seconds": round(time.monotonic() - began, 2)})
        return
    console.note(f"Wrote {out}" + ("" if frames is None else f" and the frames in {frames}"))
