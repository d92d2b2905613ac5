"""`How a glimpse works`, written once: a fragment of HTML for any page, and a page that opens from disk, without a network.

The fragment consists of a section, its style and its scripts. `GlimpseHow.mount(section, pictures)` fills the section, and returns
an object whose `show(picture)` shows another picture. A picture is an object of

- `name`: the text shown; `height`, `width`: its size in pixels; `n`: filters along each axis;
- `image`: height x width gray values from 0 to 1, row after row, in an array;
- `windows`: a list of at least one `[center x, center y, stride, sigma, intensity]`, in pixels: those of a model, in order;
- `beliefs`: what the model predicts after each window, as text; null if there is none.

The numbers equal those of `glimpse.read` and `glimpse.write`. A page may have several sections.
"""

import base64
import html
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from glimpse.atomic import atomic_file
from glimpse.attention.track import Track
from glimpse.figures.files import check_ending
from glimpse.trajectories.page.shared import page_head, page_style
from glimpse.trajectories.views import Trajectories

__all__ = ["how_fragment", "how_script", "how_section", "how_style", "write_how"]

_FRAME = (
    '<!doctype html>\n<html lang="en">\n<head>\n{head}'
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
    "<title>{title}</title>\n<style>\n{style}"
    "body {{ margin: 0 auto; max-width: 1560px; padding: 8px 14px 24px; }}\nh1 {{ font-size: 1.3rem; }}\n</style>\n</head>\n"
    "<body>\n<main>\n<h1>{title}</h1>\n{fragment}\n</main>\n</body>\n</html>\n"
)


def how_section() -> str:
    """Returns the markup: one `section` of class `how`, to be given to `GlimpseHow.mount`."""
    return _part("how.html")


def how_style() -> str:
    """Returns the style sheet; its rules apply within the section only, in the color scheme of the page around it."""
    return _part("how.css")


def how_script() -> str:
    """Returns the script, which defines one global object `GlimpseHow`; it fetches nothing."""
    return _part("how-math.js") + _part("how.js")


def how_fragment(trajectories: Trajectories) -> str:
    """Returns a fragment of HTML in which the pictures and windows of a model are explained.

    Args:
        trajectories: Of a model with a blurred window; its first track is shown. Images in color are shown as their mean over the
            channels. All pixels are in the fragment: give it a few images.

    Raises:
        ValueError: If there is no image, or the windows have no blur.
    """
    data = json.dumps(_pictures(trajectories), separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    start = (
        "{ const section = document.currentScript.parentElement.querySelector('.how');"
        " const data = document.currentScript.previousElementSibling.textContent;"
        " GlimpseHow.shown = GlimpseHow.mount(section, GlimpseHow.pictures(data)); }"
    )
    return (
        f"<div>\n<style>\n{how_style()}</style>\n{how_section()}<script>\n{how_script()}</script>\n"
        f'<script type="application/json">{data}</script>\n<script>{start}</script>\n</div>'
    )


def write_how(trajectories: Trajectories, path: str | Path, *, title: str = "How a glimpse works") -> None:
    """Writes a page that explains the glimpses of a model.

    Args:
        trajectories: As in `how_fragment`.
        path: File to write, ending in `.html`; its folder is made.
        title: The page's heading.

    Raises:
        ValueError: If there is no image, the windows have no blur, or the path does not end in `.html`.
        OSError: If the file cannot be written.
    """
    check_ending(path, ".html")
    page = _FRAME.format(head=page_head(), style=page_style(), title=html.escape(title), fragment=how_fragment(trajectories))
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(Path(path)) as file:
        file.write(page.encode())


def _part(name: str) -> str:
    return (files("glimpse.trajectories.how") / name).read_text("utf-8")


def _pictures(trajectories: Trajectories) -> list[dict[str, Any]]:
    """Returns every image with its windows and what the model predicted after each."""
    track = trajectories.tracks[0]
    if not len(trajectories):
        raise ValueError("there is not one image to show")
    if not torch.isfinite(track.window.sigma).all():
        raise ValueError("the model's windows have no blur: give trajectories of a model that reads through Gaussian filters")
    return [_picture(trajectories, track, row) for row in range(len(trajectories))]


def _picture(trajectories: Trajectories, track: Track, row: int) -> dict[str, Any]:
    image = trajectories.images[row].mean(dim=0)
    return {
        "name": trajectories.names[row] if trajectories.names else f"image {int(trajectories.index[row])}",
        "height": image.shape[0],
        "width": image.shape[1],
        "n": track.n,
        "image": _floats(image),
        "windows": torch.stack(track.window, dim=-1)[row].tolist(),
        "beliefs": _beliefs(trajectories, row),
    }


def _beliefs(trajectories: Trajectories, row: int) -> list[str] | None:
    """Returns the most probable class after every step with its probability, as text."""
    if trajectories.probabilities is None:
        return None
    names = trajectories.class_names
    best = trajectories.probabilities[row].max(dim=-1)
    pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    return [f"{names[index] if names else index} with {100 * share:.1f}\u202f%" for index, share in pairs]


def _floats(values: Tensor) -> str:
    return base64.b64encode(np.asarray(values.numpy(), dtype="<f4").tobytes()).decode("ascii")
