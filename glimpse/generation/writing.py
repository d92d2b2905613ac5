"""Files of what a generator drew: sheets, animations, one picture a step, and arrays."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from glimpse.atomic import atomic_file, write_atomically
from glimpse.figures.files import gif, png, save
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
from glimpse.generation.results import Generated, Interpolation, Reconstructions, Samples, Traversal
from glimpse.listener import Listener

__all__ = [
    "check_shown",
    "file_kind",
    "write_arrays",
    "write_interpolation",
    "write_reconstructions",
    "write_samples",
    "write_steps",
    "write_traversal",
]

_MOST = {".png": 32, ".gif": 64}  # rows of a sheet, images of an animation


def file_kind(out: Path | None, known: Sequence[str]) -> str | None:
    """Returns the ending of a file to write; None if there is none.

    Raises:
        ValueError: If the ending is none of those known.
    """
    if out is None:
        return None
    kind = out.suffix.lower()
    if kind not in known:
        raise ValueError(f"{out} must end in {' or '.join(known)}")
    return kind


def check_shown(kind: str | None, count: int, what: str, advice: str) -> None:
    """Checks how many images a file is to show.

    Args:
        kind: The file's ending.
        count: How many.
        what: What they are, in the plural.
        advice: What to do where they are too many.

    Raises:
        ValueError: If they are more than such a file shows.
    """
    if kind in _MOST and count > _MOST[kind]:
        raise ValueError(f"a {kind} shows at most {_MOST[kind]} {what}, not {count:,}: {advice}")


def write_samples(samples: Samples, listener: Listener) -> None:
    """Writes samples to their file, a sheet, an animation or arrays, and to their folder of frames.

    Raises:
        ValueError: If the folder holds frames of another drawing.
        OSError: If a file cannot be written.
    """
    if samples.out is not None and samples.kind == ".png":
        found = samples.neighbors
        nearest, note = (None, "") if found is None else (found.nearest, found.note)
        save(samples.out, sample_sheet(samples.drawn, nearest=nearest, title=samples.title, note=note))
    elif samples.out is not None and samples.kind == ".npz":
        write_arrays(samples.out, samples)
    write_steps(samples, None, listener)


def write_reconstructions(found: Reconstructions, listener: Listener) -> None:
    """Writes reconstructions to their file, a sheet or an animation, and their folder of frames; errors as of `write_samples`."""
    if found.out is not None and found.kind == ".png":
        note = "The latents are the posteriors' means."
        save(found.out, reconstruction_sheet(found.drawn, found.originals, title=found.title, note=note))
    write_steps(found, found.originals, listener)


def write_interpolation(found: Interpolation, listener: Listener) -> None:
    """Writes the way between two images to its file, a sheet or an animation; errors as of `write_samples`."""
    if found.out is None:
        return
    if found.kind == ".png":
        note = "Spherical between the means of the two images' latents."
        save(found.out, interpolation_sheet(found.ends, found.images, title=found.title, note=note))
    else:
        frames = interpolation_frames(found.ends, found.images, title=found.title)
        _write_there_and_back(found.out, frames, len(found.images), listener)


def write_traversal(found: Traversal, listener: Listener) -> None:
    """Writes a sample with single latents changed to its file, a sheet or an animation; errors as of `write_samples`."""
    if found.out is None:
        return
    values = found.values.tolist()
    if found.kind == ".png":
        note = f"Left: the sample. Rows: the latents that say most, with their mean divergence in nats over {found.measured_on}."
        save(found.out, traversal_sheet(found.sample, found.rows, values, found.names, title=found.title, note=note))
    else:
        frames = traversal_frames(found.rows, values, found.names, title=found.title)
        _write_there_and_back(found.out, frames, len(values), listener)


def write_arrays(out: Path, found: Generated) -> None:
    """Writes images, canvases, latents and windows as a `.npz` file, whole or not at all.

    Raises:
        OSError: If the file cannot be written.
    """
    arrays: dict[str, Any] = {
        "samples": found.images.numpy(),
        "canvases": found.canvases.numpy(),
        "latents": found.latents.numpy(),
    }
    for track in found.tracks:
        arrays |= {f"{track.kind}_{name}": field.numpy() for name, field in track.window._asdict().items()}
        arrays[f"{track.kind}_n"] = np.array(track.n)
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(out) as file:
        np.savez_compressed(file, **arrays)


def write_steps(found: Generated, images: Tensor | None, listener: Listener) -> None:
    """Writes the steps as a GIF and as numbered pictures, where they are asked for.

    Args:
        found: What is drawn, with its file and its folder.
        images: What it was drawn after, shape (N, C, H, W).
        listener: Receives progress.

    Raises:
        ValueError: If the folder holds frames of another drawing.
        OSError: If a file cannot be written.
    """
    if found.kind != ".gif" and found.frames is None:
        return
    steps = found.drawn.steps
    frames = _rendered(step_frames(found.drawn, images, title=found.title), steps + 2, listener)
    if found.frames is not None:
        _write_frames(found.frames, frames[:-1])
    if found.out is not None and found.kind == ".gif":
        each = min(0.5, max(0.08, 6 / steps))
        save(found.out, gif(frames, [each] * (len(frames) - 1) + [2.5]))


def _write_frames(folder: Path, frames: Sequence[Pixels]) -> None:
    """Writes frames as `step-00.png` and so on, each whole.

    Raises:
        ValueError: If the folder holds other frames, that would seem to go on with these.
    """
    names = [f"step-{number:0{len(str(len(frames) - 1))}}.png" for number in range(len(frames))]
    folder.mkdir(parents=True, exist_ok=True)
    others = {path.name for path in folder.glob("step-*.png")} - set(names)
    if others:
        raise ValueError(f"{folder} holds frames of another drawing, such as {min(others)}: remove them or name another folder")
    for name, frame in zip(names, frames, strict=True):
        write_atomically(folder / name, png(frame))


def _write_there_and_back(out: Path, frames: Iterator[Pixels], count: int, listener: Listener) -> None:
    """Writes a GIF that goes from the first frame to the last and back, resting at both."""
    there = _rendered(frames, count, listener)
    seconds = [1.0] + [min(0.5, 4 / count)] * (count - 2) + [1.0]
    save(out, gif(there + there[-2:0:-1], seconds + seconds[-2:0:-1]))


def _rendered(frames: Iterable[Pixels], count: int, listener: Listener) -> list[Pixels]:
    """Returns the frames."""
    kept = []
    with listener.progress("Rendering", count, unit="frames") as advance:
        for frame in frames:
            kept.append(frame)
            advance(len(kept))
    return kept
