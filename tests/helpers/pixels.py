"""Pixels of pictures: reading a file, and finding a color."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.image import imread
from numpy.typing import NDArray


def pixels(path: Path) -> NDArray[np.uint8]:
    """Returns a picture as (H, W, 3), 0 to 255."""
    return np.asarray(imread(path)[..., :3] * 255).round().astype(np.uint8)


def places(picture: NDArray[np.uint8], color: Sequence[float], tolerance: int = 0) -> NDArray[Any]:
    """Returns where a color (0 to 1) is in a picture, as rows of x, y."""
    off = np.abs(picture.astype(int) - np.round(255 * np.array(color))).max(axis=-1)
    return np.argwhere(off <= tolerance)[:, ::-1]
