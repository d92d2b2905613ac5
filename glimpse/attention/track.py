"""Track: one window of a model over all its steps, what every model that looks through windows answers alike."""

from typing import Literal, NamedTuple

from torch import Tensor

from glimpse.attention.window import Window

__all__ = ["Track", "WindowKind"]

WindowKind = Literal["glimpse", "read", "write"]


class Track(NamedTuple):
    """One window of a model over all its steps.

    Attributes:
        kind: What the window is for: a classifier's `glimpse`, or a generator's `read` or `write`.
        scale: Which of the nested windows of a step it is, from 0, the smallest.
        n: Filters, or pixels, along each axis.
        window: Fields of shape (B, T), in pixels of the image; sigma is NaN where the window has no blur.
        patches: What was seen through it or written through it, shape (B, T, C, n, n); None where it was not asked for.
    """

    kind: WindowKind
    scale: int
    n: int
    window: Window
    patches: Tensor | None = None
