"""What `glimpse trajectories` does between parsing and printing."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from glimpse import environment
from glimpse.commands import console
from glimpse.commands.options import parse_positions
from glimpse.commands.task_images import TaskImages, check_images, open_task_images
from glimpse.datasets.batches import Batch
from glimpse.evaluation.classifier import samples_of
from glimpse.evaluation.prediction import load_picture
from glimpse.models.catalog import Looking, open_looking
from glimpse.models.draw import DRAW
from glimpse.models.weights import load_weights
from glimpse.training.folder import RunFolder, refuse_record
from glimpse.trajectories.collecting import collect, look_at, matches
from glimpse.trajectories.files import DATA_FORMATS, open_writer
from glimpse.trajectories.page.page import write_page
from glimpse.trajectories.pictures import learning_gif, trajectory_gif, trajectory_sheet
from glimpse.trajectories.summary import FAR, Summary, summarise_trajectories
from glimpse.trajectories.summary_figure import summary_figure
from glimpse.trajectories.table import Table
from glimpse.trajectories.views import UNKNOWN, Trajectories

__all__ = ["export", "show_learning", "summarise"]

_FEW = {"png": 8, "gif": 9, "html": 300}  # images where no count is given
_MOST = {"png": 100, "gif": 16}


class _Source(NamedTuple):
    """A model with the images it is to look at.

    Attributes:
        model: In evaluation mode, on its device.
        images: Those of a data set; None for pictures.
        pictures: A person's own.
        positions: Which images, shape (N,).
        name: What the images are, for a title.
    """

    model: Looking | DRAW
    images: TaskImages | None
    pictures: tuple[Path, ...]
    positions: torch.Tensor
    name: str


def export(source: str, options: dict[str, Any], chosen: dict[str, Any], *, as_json: bool) -> None:
    """Writes trajectories to a file, of data or a picture.

    Args:
        source: A run's folder, a weights file or `pretrained:NAME`.
        options: All options by name.
        chosen: Those that describe images other than the model was trained on.
        as_json: Whether to print one line with one JSON object.

    Raises:
        ValueError: If there is no such model or image, or the format is unknown.
        OSError: If a file cannot be read or written.
    """
    out, kind = options["out"], _format(options)
    refuse_record(out)
    opened = _open(source, options, chosen)
    there, most = len(opened.positions), _MOST.get(kind)
    count = options["count"] or (_FEW.get(kind, there) if options["indices"] is None else there)
    if most is not None and min(count, there) > most:
        raise ValueError(f"a .{kind} shows at most {most} images, not {min(count, there):,}: choose fewer, or make a .html")
    if kind in _FEW and opened.model.config.channels not in (1, 3):
        raise ValueError(
            f"pictures have 1 or 3 channels, {source} looks at {opened.model.config.channels}: choose a format of data"
        )
    began = time.monotonic()
    parts = _Counted(_found(opened, options, count, patches=kind in _FEW or options["pixels"]))
    _write(parts, out, kind, options, opened.name, source)
    if as_json:
        facts = {"out": str(out), "format": kind, "images": parts.images, "steps": parts.steps}
        console.print_json({"model": source, "data": opened.name} | facts | {"seconds": round(time.monotonic() - began, 2)})
        return
    cut = f", the first of {there:,}" if options["count"] is None and not options["only"] and parts.images < there else ""
    steps = "1 step" if parts.steps == 1 else f"{parts.steps} steps"
    console.note(f"{out} holds the trajectories of {_images(parts.images)}{cut}, {steps} each.")
    if kind in DATA_FORMATS:
        named = "" if out.suffix.lower() == f".{kind}" else f", format={kind!r}"
        console.note(f"Read it with: glimpse.trajectories.load({str(out)!r}{named})")


def summarise(source: str, options: dict[str, Any], chosen: dict[str, Any], *, as_json: bool) -> None:
    """Prints what all trajectories have in common, and draws it where a file is named."""
    if options["out"] is not None and options["out"].suffix.lower() != ".png":
        raise ValueError(f"the summary is drawn as .png, got {options['out']}; its numbers are printed, with --json as one line")
    opened = _open(source, options, chosen)
    frame = opened.images.frame if opened.images is not None else None
    summary = summarise_trajectories(_found(opened, options, options["count"], patches=False), frame)
    if options["out"] is not None:
        summary_figure(summary, options["out"])
    if as_json:
        console.print_json({"model": source, "data": opened.name} | summary.as_dict())
    else:
        _show(source, opened.name, summary)
    if options["out"] is not None:
        console.note(f"{options['out']} shows it.")


def show_learning(source: str, options: dict[str, Any], chosen: dict[str, Any], *, as_json: bool) -> None:
    """Draws the same images with the weights that a run kept along its way.

    Raises:
        ValueError: If the model is no run's folder, or it kept no weights.
    """
    out = options["learning"]
    if out.suffix.lower() != ".gif":
        raise ValueError(f"--learning writes a .gif, got {out}")
    kept = RunFolder(Path(source)).kept_weights() if Path(source).is_dir() else {}
    if not kept:
        raise ValueError(f"{source} holds no weights kept along the way: --learning needs the folder of a run on this machine")
    opened = _open(str(next(iter(kept.values()))), options, chosen, task_of=source)
    positions = opened.positions[: options["count"] or 8]
    frames = []
    with console.ProgressView("Looking", len(kept), unit="weights") as view:
        for images, path in kept.items():
            model = open_looking(path).to(next(opened.model.parameters()).device)
            parts = _looked(opened._replace(model=model, positions=positions), options["glimpses"], invert=options["invert"])
            frames.append((images, Trajectories.joined(list(parts))))
            view.update(len(frames))
    learning_gif(frames, out)
    if as_json:
        facts = {"out": str(out), "format": "gif", "images": len(positions), "frames": len(frames)}
        console.print_json({"model": source, "data": opened.name} | facts)
        return
    console.note(f"{out} shows {_images(len(positions))} at {len(frames)} moments of the training.")


# What is looked at


def _open(source: str, options: dict[str, Any], chosen: dict[str, Any], *, task_of: str | None = None) -> _Source:
    """Returns the model and the images asked for."""
    _, facts = load_weights(source)
    environment.use_threads(options["threads"])
    device = environment.choose_device(options["device"])
    model = open_looking(source).to(device)
    if samples_of(model) > 1:
        console.note(f"One of {samples_of(model)} sampled sequences is shown; `glimpse evaluate` averages over all of them.")
    if options["pictures"]:
        others = [name for name in ("data", "indices") if options[name]] + [*chosen]
        if others or options["only"] in ("right", "wrong"):
            wrong = ", ".join("--" + name.replace("_", "-") for name in others) or f"--only {options['only']}"
            raise ValueError(f"--image brings pictures whose class is unknown: leave out {wrong}")
        names = ", ".join(path.name for path in options["pictures"])
        if options["only"]:
            names += f", {options['only']} ones"
        return _Source(model, None, options["pictures"], torch.arange(len(options["pictures"])), names)
    if options["invert"]:
        raise ValueError("--invert is for --image: the other images are as the model knows them")
    images = open_task_images(task_of or source, facts["task"], options, chosen, device)
    check_images(images, model.config)
    name = _name(images.description) + (f", {options['only']} ones" if options["only"] else "")
    return _Source(model, images, (), parse_positions(options["indices"], len(images.data)), name)


def _name(description: dict[str, Any]) -> str:
    """Returns in a few words what images a description stands for."""
    if description["kind"] == "generative":
        return f"{description['name']}, {description['split']}"
    if description["kind"] == "file":
        return f"{Path(description['path']).name}, {description['part']}"
    recipe = description["recipe"]
    size = f"{recipe['canvas']}x{recipe['canvas']}, {recipe['pieces']} pieces"
    return f"cluttered {description['digits']}, {size}, {description['split']}"


def _found(opened: _Source, options: dict[str, Any], count: int | None, *, patches: bool) -> Iterator[Trajectories]:
    """Yields the trajectories asked for, with a progress bar, until there are enough."""
    left, seen = count, 0
    with console.ProgressView("Looking", len(opened.positions)) as view:
        if count is not None and not options["only"]:
            opened = opened._replace(positions=opened.positions[:count])
            view.total = len(opened.positions)
        for part in _looked(opened, options["glimpses"], patches=patches, invert=options["invert"]):
            seen += len(part)
            if options["only"]:
                part = part.rows(matches(part, options["only"], options["margin"]))
            if left is not None:
                part, left = part.rows(torch.arange(min(left, len(part)))), left - min(left, len(part))
            if len(part):
                yield part
            view.update(seen)
            if left == 0:
                return


def _looked(opened: _Source, glimpses: int | None, *, patches: bool = False, invert: bool = False) -> Iterator[Trajectories]:
    """Yields the trajectories of all positions of a source."""
    if opened.images is not None:
        for part in collect(opened.model, opened.images.data, opened.positions, glimpses=glimpses, patches=patches):
            known = None if isinstance(opened.model, DRAW) else opened.model.config.classes
            if known is not None and int(part.labels.max()) >= known:
                raise ValueError(f"the model knows classes 0 to {known - 1}, the images have {int(part.labels.max())}")
            yield part
        return
    device = next(opened.model.parameters()).device
    for i in opened.positions.tolist():
        image = load_picture(opened.pictures[i], opened.model.config.channels)
        batch = Batch(1 - image if invert else image, torch.tensor([UNKNOWN]), torch.full((1, 2), torch.nan))
        on_device = Batch(*(field.to(device) for field in batch))
        found = look_at(opened.model, on_device, torch.zeros(1, dtype=torch.int64), glimpses=glimpses, patches=patches)
        yield replace(found, index=torch.tensor([i]))  # what it shows of a picture does not depend on the others


# What is written


def _format(options: dict[str, Any]) -> str:
    """Returns the format asked for: by name, else by the file's ending."""
    known = (*DATA_FORMATS, *_FEW)
    ending = options["out"].suffix.lower().removeprefix(".")
    kind = options["format"] or ending
    if kind not in known:
        raise ValueError(f"{options['out']}: choose an ending or a --format among {', '.join(known)}")
    if kind != ending and (ending in known or kind in _FEW):
        raise ValueError(f"--format {kind} does not go with {options['out']}: let it end in .{kind}")
    return str(kind)


def _images(count: int) -> str:
    """Returns so many images in words."""
    return f"{count:,} image" if count == 1 else f"{count:,} images"


class _Counted:
    """Trajectories passing through, counted."""

    def __init__(self, parts: Iterable[Trajectories]) -> None:
        self.parts, self.images, self.steps = parts, 0, 0

    def __iter__(self) -> Iterator[Trajectories]:
        for part in self.parts:
            self.images, self.steps = self.images + len(part), part.steps
            yield part
        if not self.images:
            raise ValueError("no image is of the kind that was asked for: choose other --indices, another --only or --margin")


def _write(parts: _Counted, out: Path, kind: str, options: dict[str, Any], name: str, source: str) -> None:
    """Writes trajectories in a format."""
    if kind in DATA_FORMATS:
        with open_writer(out, kind) as writer:
            for part in parts:
                writer.write(Table.from_trajectories(part, pixels=options["pixels"]))
    elif kind == "html":
        write_page(parts, out, title=f"Glimpses of {source}", facts={"model": source, "images": name})
    else:
        draw = trajectory_sheet if kind == "png" else trajectory_gif
        draw(_of_one_size(parts), out)


def _of_one_size(parts: Iterable[Trajectories]) -> Trajectories:
    """Returns all trajectories as one.

    Raises:
        ValueError: If the images differ in size.
    """
    kept = list(parts)
    sizes = {tuple(part.images.shape[2:]) for part in kept}
    if len(sizes) > 1:
        named = " and ".join(f"{width}x{height}" for height, width in sorted(sizes))
        raise ValueError(f"pictures of {named} pixels do not fit one sheet: draw them one by one, or make a .html")
    return Trajectories.joined(kept)


def _show(source: str, name: str, summary: Summary) -> None:
    """Prints a summary for a person."""
    columns = (
        "step",
        "error %",
        "distance px",
        "quartiles",
        f"> {FAR:g} px %",
        "holds center %",
        "covers %",
        "stride px",
        "sigma px",
    )

    def number(value: float | None, digits: int = 1) -> str:
        return "-" if value is None else f"{value:.{digits}f}"

    rows = []
    kinds = {step.window for step in summary.steps}
    for step in summary.steps:
        quartiles = "-" if step.distance_quartiles is None else " to ".join(map(number, step.distance_quartiles))
        rows.append(
            (
                f"{step.window} {step.step}" if len(kinds) > 1 else step.step,
                number(step.error, 2),
                number(step.distance),
                quartiles,
                number(step.far),
                number(step.on_center),
                number(step.covered),
                number(step.stride, 2),
                number(step.sigma, 2),
            )
        )
    shown = [i for i in range(len(columns)) if any(row[i] != "-" for row in rows)]
    cells = [tuple(row[i] for i in shown) for row in rows]
    console.print_rows([columns[i] for i in shown], cells, title=f"{source} on {summary.images:,} images: {name}")
