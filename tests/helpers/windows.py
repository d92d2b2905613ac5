"""Random windows, one window from its fields, and the whole pipeline of a window."""

import torch
from torch import Tensor

from glimpse.attention.window import Window, read, write
from tests.helpers.tensors import normal


def random_raw(batch: int, seed: int = 1) -> Tensor:
    """Returns raw windows (batch, 5) around the middle of the image, with moderate logarithms."""
    return 0.5 * normal(batch, 5, seed=seed)


def single(*fields: float) -> Window:
    """Returns one window in float32 from its five fields."""
    return Window(*(torch.tensor([field]) for field in fields))


def pipeline(raw: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
    """Returns a glimpse and the canvas it is written to, by the public functions."""
    window = Window.from_raw(raw, n=4, height=9, width=13)
    glimpse = read(image, window, 4)
    return glimpse, write(glimpse, window, 9, 13)
