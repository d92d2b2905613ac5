"""Images as single objects of Python: Pillow's pictures, arrays, tensors, lists, and encoded bytes, brought into one array.

Dimensions: N images of H x W pixels in C channels.
"""

from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glimpse.datasets.damage import one_line
from glimpse.datasets.forms.given import Given
from glimpse.datasets.forms.pixels import arranged, in_range
from glimpse.datasets.limits import check_bytes, check_pixels
from glimpse.datasets.picture_files import pixels_of, to_eight_bits
from glimpse.datasets.picture_rows import fitted

__all__ = ["is_image", "on_host", "stacked"]


def is_image(value: object) -> bool:
    """Returns whether an object is an image in one of these forms; a string is none."""
    if isinstance(value, Mapping):
        return {"bytes", "path"} <= value.keys()
    return isinstance(value, bytes | Image.Image | list) or (hasattr(value, "__array__") and np.ndim(value) >= 1)


def on_host(value: Any) -> NDArray[Any]:
    """Returns an array, a tensor on any device, or nested lists as an array in memory; a view where possible.

    Raises:
        TypeError: If a type of values is unknown to numpy.
        ValueError: If lists differ in length.
    """
    return np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)


def stacked(cells: Iterable[Any], total: int, given: Given, where: str) -> NDArray[Any]:
    """Returns images as one array, shape (N, H, W, C), uint8 or float32 in 0 to 1; of the chosen size if there is one.

    Args:
        cells: N images.
        total: Their number N.
        given: What they were found in, with the choice of a size.
        where: Name of it, for messages.

    Raises:
        ValueError: If one is no image, they differ in size and none is chosen, or they do not fit into memory.
    """
    images: list[NDArray[Any]] = []
    size = 0
    with given.listener.progress("Reading images", total) as advance:
        for number, cell in enumerate(cells):
            try:
                image = _pixels(cell)
            except (ValueError, TypeError, OSError) as error:
                raise ValueError(f"{where}: image {number} cannot be read ({one_line(error)})") from error
            if given.choice.size is not None:
                image = _fitted(image, given, f"{where}: image {number}")
            size = check_bytes(size + image.nbytes, where)
            images.append(image)
            advance(len(images))
    if len({image.ndim for image in images}) > 1:  # gray and color
        images = [_in_color(image) for image in images]
    shapes = {image.shape for image in images}
    if len(shapes) > 1:
        some = " and ".join(" x ".join(map(str, shape)) for shape in sorted(shapes)[:: len(shapes) - 1])
        raise ValueError(f"{where}: the images differ in size, such as {some}; choose one with size (--size H,W)")
    if not images:
        raise ValueError(f"{where} holds no images")
    return np.asarray(in_range([arranged(np.stack(images), where)], [where], as_stored=given.as_stored)[0])


def _pixels(cell: Any) -> NDArray[Any]:
    """Returns the pixels of an image, shape (H, W) if it is a gray picture, (H, W, 3) if it is one in color, else as it is."""
    if isinstance(cell, Mapping):
        cell = cell["bytes"] if cell["bytes"] is not None else Path(cell["path"]).read_bytes()
    if isinstance(cell, bytes):
        cell = Image.open(BytesIO(cell))
    if isinstance(cell, Image.Image):
        check_pixels(*cell.size, "it")
        is_gray = cell.mode in ("1", "L", "LA", "La") or cell.mode.startswith("I")
        pixels = to_eight_bits(pixels_of(cell, 1 if is_gray else 3))
        return pixels[..., 0] if is_gray else pixels
    array = on_host(cell)
    if array.dtype == object and array.ndim == 1:  # the rows of an image, as frames of polars have them
        array = np.array([np.asarray(row.tolist() if isinstance(row, np.ndarray) else row) for row in array])
    if array.dtype.kind not in "biuf":
        raise ValueError(f"expected an image, got {type(cell).__name__}")
    if array.ndim < 2 and not (array.ndim == 1 and array.size > 1):
        raise ValueError(f"expected an image, got an array of shape {array.shape}")
    return array


def _fitted(image: NDArray[Any], given: Given, where: str) -> NDArray[np.uint8]:
    """Returns an image in the chosen size, shape (H, W, C), uint8."""
    pixels = in_range([arranged(image[None], where)], [where], as_stored=given.as_stored)[0][0]
    eight_bits = pixels if pixels.dtype == np.uint8 else np.rint(pixels * 255).astype(np.uint8)
    size = given.choice.size or eight_bits.shape[:2]
    resized = fitted(eight_bits, size, given.choice.fit or "pad")
    return resized[..., 0] if resized.shape[2] == 1 else resized


def _in_color(image: NDArray[Any]) -> NDArray[Any]:
    return np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image
