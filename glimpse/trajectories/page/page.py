"""One page to play with trajectories: a single HTML file that opens from disk, without network, server or build step.

The page holds what a model did as it was exported: windows and probabilities as float32, images as PNG, glimpses as bytes. Each
chunk of trajectories is one JSON object in a script element of its own:

- `images`: base64 of one PNG for each image; `height`, `width`: their size in pixels; `index`, `labels`: lists of N integers;
- `names`: a list of N texts, null for images without names; `classNames`: a list of K texts, null for numbers;
- `steps`, `classes`: T and K, K 0 for a model that does not classify;
- `digits`: (N, 2) and `probabilities`: (N, T, K), base64 of little-endian float32;
- `tracks`: `kind`, `scale`, `n`, `windows` (N, T, 5), base64 of little-endian float32 in the order of `Window`'s fields, and
  `patches` (N, T, C, n, n), base64 of bytes q that stand for low + q / 255 * (high - low), null where none were kept; the range of
  what is written is symmetric and narrower than its extremes (`written_limit`); `canvases`: base64 of one PNG for each image, the
  canvases after every step one below the other, and `canvas`: their height and width in pixels; null where there are none.

Dimensions: N images of H x W pixels in C channels, T steps, K classes, windows of n x n.
"""

import base64
import html
import json
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from itertools import chain
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import torch
from torch import Tensor

from glimpse.atomic import atomic_file
from glimpse.attention.track import Track
from glimpse.figures.files import check_ending, png
from glimpse.trajectories.page.shared import page_head, page_style
from glimpse.trajectories.views import Trajectories, written_limit

__all__ = ["write_page"]

_DATA = "<!-- data -->"
_SCRIPTS = ("page-elements.js", "page-data.js", "page-player.js", "page-list.js", "page.js")  # one module, in this order


def write_page(
    trajectories_chunks: Iterable[Trajectories], path: str | Path, *, title: str, facts: Mapping[str, str] | None = None
) -> None:
    """Writes a page on which the trajectories can be gone through, filtered and played.

    Args:
        trajectories_chunks: Trajectories, batch after batch; of gray or RGB images.
        path: File to write, ending in `.html`; its folder is made.
        title: The page's heading.
        facts: What stands below the heading, by name: the model, the data set, the error.

    Raises:
        ValueError: If there is not one image, or the images are neither gray nor RGB, or the path does not end in `.html`.
        OSError: If the file cannot be written.
    """
    check_ending(path, ".html")
    path = Path(path)
    before, after = _template(title, facts or {}).split(_DATA)
    data = _chunks(trajectories_chunks)
    first = next(data, None)
    if first is None:
        raise ValueError("there is not one image to show")
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as file:
        for piece in chain([before, first], data, [after]):
            file.write(piece.encode())


def _template(title: str, facts: Mapping[str, str]) -> str:
    """Returns the page without its data: markup, style and script in one."""
    folder = files("glimpse.trajectories.page")
    rows = (f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd></div>" for name, text in facts.items())
    page = Template((folder / "page.html").read_text("utf-8"))
    return page.substitute(
        title=html.escape(title),
        facts=f'<dl class="facts">{"".join(rows)}</dl>' if facts else "",
        head=page_head(),
        style=page_style() + (folder / "page.css").read_text("utf-8"),
        script="\n".join((folder / name).read_text("utf-8") for name in _SCRIPTS),
    )


def _chunks(parts: Iterable[Trajectories]) -> Iterator[str]:
    """Yields each chunk as a script element; no text in it can end the element."""
    for part in parts:
        if len(part):
            text = json.dumps(_chunk(part), separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
            yield f'<script type="application/json" class="chunk">{text}</script>\n'


def _chunk(part: Trajectories) -> dict[str, Any]:
    """Returns what the page needs of some trajectories."""
    if part.images.shape[1] not in (1, 3):
        raise ValueError(f"images must be gray or RGB, of shape (N, C, H, W), got {tuple(part.images.shape)}")
    probabilities = part.probabilities
    return {
        "height": part.images.shape[2],
        "width": part.images.shape[3],
        "steps": part.steps,
        "classes": 0 if probabilities is None else probabilities.shape[2],
        "index": part.index.tolist(),
        "labels": part.labels.tolist(),
        "names": list(part.names) or None,
        "classNames": None if part.class_names is None else list(part.class_names),
        "images": [_base64(png(_pixels(image))) for image in part.images],
        "digits": _floats(part.digits),
        "probabilities": None if probabilities is None else _floats(probabilities),
        "tracks": [_track(track) for track in part.tracks],
    }


def _track(track: Track) -> dict[str, Any]:
    """Returns what the page needs of one window over all steps."""
    windows = _floats(torch.stack(track.window, dim=-1))
    facts: dict[str, Any] = {"kind": track.kind, "scale": track.scale, "n": track.n, "windows": windows}
    return facts | _patches(track) | _canvases(track)


def _patches(track: Track) -> dict[str, Any]:
    """Returns the patches of a track as bytes, with their range."""
    if track.patches is None:
        return {"patches": None}
    patches = track.patches
    low, high = float(patches.min()), float(patches.max())
    if track.kind == "write":
        high = written_limit(patches)
        low = -high
    shades = (patches - low) / ((high - low) or 1.0)
    return {"patches": _base64(_bytes(shades).tobytes()), "low": low, "high": high, "channels": patches.shape[2]}


def _canvases(track: Track) -> dict[str, Any]:
    """Returns the canvases of a track, for each image those of all steps as one PNG."""
    if track.canvases is None:
        return {"canvases": None}
    films = track.canvases.transpose(1, 2).flatten(2, 3)  # (N, C, T H', W')
    return {"canvases": [_base64(png(_pixels(film))) for film in films], "canvas": list(track.canvases.shape[3:])}


def _pixels(image: Tensor) -> Any:
    """Returns an image (C, H, W) in 0 to 1 as bytes, gray (H, W) or RGB (H, W, 3)."""
    return _bytes(image[0] if len(image) == 1 else image.permute(1, 2, 0))


def _bytes(shades: Tensor) -> Any:
    """Returns numbers in 0 to 1 as bytes, the nearest of 0 to 255."""
    return (255 * shades.clamp(0, 1)).round().to(torch.uint8).contiguous().numpy()


def _floats(values: Tensor) -> str:
    return _base64(np.asarray(values.numpy(), dtype="<f4").tobytes())


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
