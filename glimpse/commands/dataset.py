"""Output of `glimpse dataset build`, `verify` and `preview`."""

from dataclasses import asdict
from pathlib import Path

from glimpse import environment
from glimpse.commands import console
from glimpse.datasets import build as building
from glimpse.datasets.labeled_images import first_images
from glimpse.datasets.opening import open_digit_source
from glimpse.datasets.preview import write_preview
from glimpse.datasets.split_rule import SplitRule
from glimpse.settings.clutter import ClutterRecipe
from glimpse.settings.requests import BuildRequest, FormChoice, chosen

__all__ = ["build", "preview", "verify"]


def build(request: BuildRequest) -> None:
    """Renders a set into a folder with a progress bar, or resumes an interrupted build.

    Raises:
        ValueError: If the folder holds something else, the set does not fit on the disk, or an option is out of range.
        OSError: If the digits cannot be read or the folder cannot be written.
    """
    environment.use_threads(request.threads)
    source = open_digit_source(request.digits, request.data_dir, SplitRule(seed=request.seed or 0), console.ConsoleListener())
    seed = 0 if request.seed is None and request.split == "train" else request.seed
    recipe = ClutterRecipe(**chosen(request.clutter))
    steps = building.build(request.out, source, split=request.split, count=request.count, seed=seed, recipe=recipe)
    first = next(steps)
    with console.ProgressView("Rendering", first.total, start=first.done) as view:
        for step in steps:
            view.update(step.done)
    console.note(f"{request.out} holds {first.total:,} images. Preview them with: glimpse dataset preview {request.out}")


def verify(path: Path, digits: str | None, data_dir: Path | None, *, as_json: bool) -> None:
    """Verifies a built set and prints the result.

    Args:
        path: Folder of the set.
        digits: The `.npz` file of the digits, if the set was built from one.
        data_dir: Folder searched first for MNIST and other downloads.
        as_json: Whether to print a single line of JSON.

    Raises:
        ValueError: If the set is damaged or incomplete.
        OSError: If a file cannot be read.
    """
    verdict = building.verify(path, building.source_at_hand(path, digits, data_dir))
    if as_json:
        console.print_json(asdict(verdict))
        return
    again = (
        f"{verdict.rendered_again:,} re-rendered identically" if verdict.rendered_again else "digits not found to re-render them"
    )
    console.print_line(f"{path} is valid: {verdict.count:,} images, {again}.")


def preview(path: Path, form: FormChoice, *, out: Path, count: int, columns: int, boxes: bool) -> None:
    """Writes a sheet of the first images of a set, each with its label.

    Args:
        path: A built set, or your own images.
        form: How they are read.
        out: Image file to write.
        count: Maximum number of images.
        columns: Number of images per row.
        boxes: Whether to outline the digits, if their positions are known.

    Raises:
        ValueError: If the set cannot be read, or the file name has no image format's extension.
        OSError: If a file cannot be read or written.
    """
    images, names, frame = first_images(path, count, form)
    shown = write_preview(out, images, count, columns=columns, frame=frame if boxes else None, names=names)
    console.print_line(f"{out} shows {shown} images.")
