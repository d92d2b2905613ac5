"""Files with the results of a generator: sheets, animations, one picture per step, and arrays."""

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
    sample_gallery,
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
    "write_interpolation",
    "write_reconstructions",
    "write_samples",
    "write_traversal",
]

_ROWS = 32  # maximum number of rows of a sheet; more samples are a gallery
_MOST = {(".png", "samples"): 400, (".png", "images"): _ROWS, (".gif", "samples"): 100, (".gif", "images"): 64}


def file_kind(out: Path | None, known: Sequence[str]) -> str | None:
    """Returns the suffix of a file to write, in lower case; None without a file.

    Raises:
        ValueError: If the suffix is unknown.
    """
    if out is None:
        return None
    kind = out.suffix.lower()
    if kind not in known:
        raise ValueError(f"{out} must end in {' or '.join(known)}")
    return kind


def check_shown(kind: str | None, count: int, what: str, advice: str) -> None:
    """Checks the number of images in a file.

    Args:
        kind: Suffix of the file, or None.
        count: Number of images.
        what: Plural noun for the images, `samples` or `images`.
        advice: What to do if there are too many.

    Raises:
        ValueError: If such a file cannot show that number of images.
    """
    most = _MOST.get((kind or "", what))
    if most is not None and count > most:
        raise ValueError(f"a {kind} shows at most {most} {what}, not {count:,}: {advice}")


def write_samples(samples: Samples, listener: Listener) -> None:
    """Writes samples to their file, a sheet or gallery, an animation or arrays, and to their folder of frames.

    Raises:
        ValueError: If the folder contains frames of another drawing.
        OSError: If a file cannot be written.
    """
    if samples.out is not None and samples.kind == ".png":
        found = samples.neighbors
        nearest, note = (None, "") if found is None else (found.nearest, found.note)
        if len(samples.images) <= _ROWS:
            figure = sample_sheet(samples.drawn, nearest=nearest, title=samples.title, note=note)
        else:
            others = None if nearest is None else nearest.images
            figure = sample_gallery(samples.images, nearest=others, title=samples.title, note=note)
        save(samples.out, figure)
    elif samples.out is not None and samples.kind == ".npz":
        _write_arrays(samples.out, samples)
    _write_steps(samples, None, listener)


def write_reconstructions(found: Reconstructions, listener: Listener) -> None:
    """Writes reconstructions to their file, a sheet or an animation, and their folder of frames; raises as `write_samples`."""
    if found.out is not None and found.kind == ".png":
        note = "The latents are the means of the posterior."
        save(found.out, reconstruction_sheet(found.drawn, found.originals, title=found.title, note=note))
    _write_steps(found, found.originals, listener)


def write_interpolation(found: Interpolation, listener: Listener) -> None:
    """Writes an interpolation to its file, a sheet or an animation; raises as `write_samples`."""
    if found.out is None:
        return
    if found.kind == ".png":
        note = "Spherical interpolation between the means of the posterior of the two images."
        save(found.out, interpolation_sheet(found.ends, found.images, title=found.title, note=note))
    else:
        frames = interpolation_frames(found.ends, found.images, title=found.title)
        _write_there_and_back(found.out, frames, len(found.images), listener)


def write_traversal(found: Traversal, listener: Listener) -> None:
    """Writes a traversal to its file, a sheet or an animation; raises as `write_samples`."""
    if found.out is None:
        return
    values = found.values.tolist()
    if found.kind == ".png":
        note = f"Left: the sample. Rows: the latents with the largest mean KL divergence, in nats on {found.measured_on}."
        save(found.out, traversal_sheet(found.sample, found.rows, values, found.names, title=found.title, note=note))
    else:
        frames = traversal_frames(found.rows, values, found.names, title=found.title)
        _write_there_and_back(found.out, frames, len(values), listener)


def _write_arrays(out: Path, found: Generated) -> None:
    """Writes images, canvases, latents and windows as a `.npz` file, atomically."""
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


def _write_steps(found: Generated, images: Tensor | None, listener: Listener) -> None:
    """Writes the steps as a GIF and as numbered pictures, if requested, next to the reconstructed images (N, C, H, W), if any."""
    if found.kind != ".gif" and found.frames is None:
        return
    steps = found.drawn.steps
    frames = _rendered(step_frames(found.drawn, images, title=found.title), steps + 2, listener)  # the first is before any step
    if found.frames is not None:
        _write_frames(found.frames, frames[:-1])
    if found.out is not None and found.kind == ".gif":
        each = min(0.5, max(0.08, 6 / steps))
        save(found.out, gif(frames[1:], [each] * steps + [2.5]))


def _write_frames(folder: Path, frames: Sequence[Pixels]) -> None:
    """Writes frames as `step-00.png` and so on, each atomically.

    Raises:
        ValueError: If the folder contains frames of another drawing, with higher numbers.
    """
    names = [f"step-{number:0{len(str(len(frames) - 1))}}.png" for number in range(len(frames))]
    folder.mkdir(parents=True, exist_ok=True)
    others = {path.name for path in folder.glob("step-*.png")} - set(names)
    if others:
        raise ValueError(f"{folder} holds frames of another drawing, such as {min(others)}: remove them or name another folder")
    for name, frame in zip(names, frames, strict=True):
        write_atomically(folder / name, png(frame))


def _write_there_and_back(out: Path, frames: Iterator[Pixels], count: int, listener: Listener) -> None:
    """Writes a GIF that plays from the first frame to the last and back, with a pause at both."""
    there = _rendered(frames, count, listener)
    seconds = [1.0] + [min(0.5, 4 / count)] * (count - 2) + [1.0]
    save(out, gif(there + there[-2:0:-1], seconds + seconds[-2:0:-1]))


def _rendered(frames: Iterable[Pixels], count: int, listener: Listener) -> list[Pixels]:
    """Returns the frames as a list, reporting progress."""
    kept = []
    with listener.progress("Rendering", count, unit="frames") as advance:
        for frame in frames:
            kept.append(frame)
            advance(len(kept))
    return kept
