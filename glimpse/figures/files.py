"""Picture files: figures rendered to pixels, and pixels written as PNG or GIF, whole or not at all.

Dimensions: H rows, W columns. Nothing goes through pyplot: no global state, no display.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from glimpse.atomic import write_atomically

__all__ = ["check_ending", "gif", "png", "rendered", "save", "svg", "tiled"]


def rendered(figure: Figure) -> NDArray[np.uint8]:
    """Returns a figure's pixels, shape (H, W, 3)."""
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.array(canvas.buffer_rgba())[..., :3]


def tiled(pictures: Sequence[NDArray[np.uint8]], columns: int) -> NDArray[np.uint8]:
    """Returns pictures (H, W, 3) side by side in rows, white where the last row ends early."""
    height, width, _ = pictures[0].shape
    rows = -(-len(pictures) // columns)
    grid = np.full((rows * height, columns * width, 3), 255, dtype=np.uint8)
    for i, picture in enumerate(pictures):
        row, column = divmod(i, columns)
        grid[row * height : (row + 1) * height, column * width : (column + 1) * width] = picture
    return grid


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Returns pixels, gray (H, W) or RGB (H, W, 3), as a PNG file's content."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "png")
    return content.getvalue()


def svg(figure: Figure) -> bytes:
    """Returns a figure as an SVG file's content, which is the same for the same figure."""
    content = io.BytesIO()
    with rc_context({"svg.hashsalt": "glimpse"}):
        canvas: Any = FigureCanvasSVG(figure)
        canvas.print_svg(content, metadata={"Date": None})
    return content.getvalue()


def gif(frames: Sequence[NDArray[np.uint8]], seconds: Sequence[float]) -> bytes:
    """Returns frames (H, W, 3), all of one size, as the content of a GIF that begins again at its end.

    All frames share one palette of at most 256 colors, so that nothing flickers, without dithering, so that grounds stay even.

    Args:
        frames: At least one.
        seconds: How long each is shown, rounded to hundredths.
    """
    height, width, _ = frames[0].shape
    film = Image.fromarray(np.concatenate(frames)).quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    pictures = [film.crop((0, top, width, top + height)) for top in range(0, film.height, height)]
    content, times = io.BytesIO(), [round(100 * time) * 10 for time in seconds]
    pictures[0].save(content, "gif", save_all=True, append_images=pictures[1:], duration=times, loop=0)
    return content.getvalue()


def save(path: str | Path, content: Figure | bytes) -> None:
    """Writes a figure as PNG, or the content of a picture file, whole or not at all; its folder is made.

    Raises:
        ValueError: If the path does not end as the content's format does.
        OSError: If the file cannot be written.
    """
    path = Path(path)
    ending = ".gif" if isinstance(content, bytes) and content[:3] == b"GIF" else ".png"
    check_ending(path, ending)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, png(rendered(content)) if isinstance(content, Figure) else content)


def check_ending(path: str | Path, ending: str) -> None:
    """Raises a ValueError unless a path ends in `.png`, say."""
    if Path(path).suffix.lower() != ending:
        raise ValueError(f"the file's name must end in {ending}, got {path}")
