"""Pictures as images of one size, decoded in parallel when they are asked for, and kept as uint8 if they fit into memory.

Dimensions: N pictures of H x W pixels in C channels.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from glimpse.environment import usable_cores
from glimpse.listener import Listener
from glimpse.settings.requests import Fit

__all__ = ["PictureRows", "fitted", "refuse_broken"]


_SHARE = 0.5  # of the free memory that decoded pictures may take
_AT_ONCE = 256  # pictures that are decoded at most between two reports of progress
_BLOCK = 256_000_000  # bytes of pictures between two reports of progress, if one is smaller
_NAMED = 5  # broken pictures that an error names


class PictureRows:
    """Pictures as an array (N, H, W, C) of uint8 whose rows are decoded when they are first indexed.

    They are kept as long as all of them take at most half of the memory that is free at the start; otherwise they are decoded
    each time.

    Args:
        sources: N sources of pictures, such as their files.
        decode: Function that returns the picture of a source, shape (H, W, C), uint8; called from several threads.
        shape: Height, width and channels (H, W, C) of all pictures.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, sources: Sequence[Any], decode: Callable[[Any], NDArray[np.uint8]], shape: tuple[int, int, int]) -> None:
        import psutil

        self.sources, self._decode, self._size = sources, decode, shape
        self.is_kept = len(sources) * prod(shape) <= _SHARE * psutil.virtual_memory().available
        self._pixels = np.empty(self.shape if self.is_kept else (0, *shape), dtype=np.uint8)
        self._is_decoded = np.zeros(len(sources), dtype=np.bool_)
        self._threads = usable_cores()

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape (N, H, W, C)."""
        return len(self.sources), *self._size

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, rows: Any, /) -> NDArray[np.uint8]:
        index = np.arange(len(self))[rows]
        wanted = np.unique(index)
        if not self.is_kept:
            pixels, _ = self._decoded(wanted)
            chosen: NDArray[np.uint8] = pixels[np.searchsorted(wanted, index)]
            return chosen
        missing = wanted[~self._is_decoded[wanted]]
        if len(missing):
            self._pixels[missing], _ = self._decoded(missing)
            self._is_decoded[missing] = True
        kept: NDArray[np.uint8] = self._pixels[index]
        return kept

    def read_all(self, rows: NDArray[np.int64], listener: Listener) -> None:
        """Decodes pictures, so that those that are broken are known before a training starts.

        Args:
            rows: Indices of the pictures.
            listener: Hears the progress.

        Raises:
            ValueError: If pictures cannot be decoded; the message names the first of them.
        """
        missing = rows[~self._is_decoded[rows]]
        broken: list[str] = []
        with listener.progress("Reading pictures", len(missing), unit="pictures") as advance:
            at_once = max(1, min(_AT_ONCE, _BLOCK // prod(self._size)))
            for start in range(0, len(missing), at_once):
                chosen = missing[start : start + at_once]
                pixels, errors = self._decoded(chosen, gather=True)
                broken += errors
                if self.is_kept and not errors:
                    self._pixels[chosen], self._is_decoded[chosen] = pixels, True
                advance(start + len(chosen))
        refuse_broken(broken, len(rows))

    def _decoded(self, rows: NDArray[np.int64], *, gather: bool = False) -> tuple[NDArray[np.uint8], list[str]]:
        """Returns pictures, and the messages of those that are broken if they are to be gathered; else the first one is raised."""
        pixels, errors = np.empty((len(rows), *self._size), dtype=np.uint8), []

        def decode(place: int) -> str | None:
            try:
                pixels[place] = self._decode(self.sources[int(rows[place])])
            except (ValueError, OSError) as error:
                if not gather:
                    raise
                return str(error)
            return None

        if len(rows) == 1 or self._threads == 1:
            errors = [decode(place) for place in range(len(rows))]
        else:
            with ThreadPoolExecutor(min(self._threads, len(rows))) as threads:
                errors = [*threads.map(decode, range(len(rows)))]
        return pixels, [error for error in errors if error is not None]


def refuse_broken(errors: Sequence[str], total: int) -> None:
    """Raises ValueError if there are messages of pictures that cannot be read; it names the first of them."""
    if errors:
        more = f" and {len(errors) - _NAMED} more" if len(errors) > _NAMED else ""
        what = "one picture" if len(errors) == 1 else f"{len(errors):,} pictures"
        raise ValueError(f"{what} of {total:,} cannot be read: {'; '.join(errors[:_NAMED])}{more}; repair or remove them")


def fitted(pixels: NDArray[np.uint8], size: tuple[int, int], fit: Fit) -> NDArray[np.uint8]:
    """Returns a picture in another size.

    Args:
        pixels: Shape (H, W, C), C 1 or 3.
        size: Height and width in pixels.
        fit: How its shape is changed.

    Returns:
        Shape (height, width, C).
    """
    if pixels.shape[:2] == size:
        return pixels
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    target, method = (size[1], size[0]), Image.Resampling.BICUBIC
    if fit == "pad":
        picture = ImageOps.pad(picture, target, method=method, color=0)
    elif fit == "crop":
        picture = ImageOps.fit(picture, target, method=method)
    else:
        picture = picture.resize(target, method)
    return np.asarray(picture).reshape(*size, pixels.shape[2])
