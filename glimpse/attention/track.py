"""Track: one window of a model over all its steps, what every model that looks through windows answers alike."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Self

import torch
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
        window: Fields of shape (B, T), in pixels of the image; sigma is NaN if the window has no blur.
        patches: What was seen through it or written through it, shape (B, T, C, n, n); None where it was not asked for.
    """

    kind: WindowKind
    scale: int
    n: int
    window: Window
    patches: Tensor | None = None

    @classmethod
    def joined(cls, parts: Sequence["Track"]) -> "Track":
        """Returns the tracks of several batches as the track of one, the images of the first batch first.

        Args:
            parts: At least one; of the same window of one model, with the same number of steps.

        Returns:
            The track of all images; it has patches if every part has.
        """
        patches = [part.patches for part in parts if part.patches is not None]
        return parts[0]._replace(
            window=Window.joined([part.window for part in parts]),
            patches=torch.cat(patches) if len(patches) == len(parts) else None,
        )

    def rows(self, chosen: Tensor | slice) -> Self:
        """Returns the track of some of the images, chosen by a mask (B,), by their indices or by a slice."""
        patches = None if self.patches is None else self.patches[chosen]
        return self._replace(window=self.window.rows(chosen), patches=patches)

    def cpu(self) -> Self:
        """Returns the track in float32 on the CPU."""
        patches = None if self.patches is None else self.patches.float().cpu()
        return self._replace(window=self.window.cpu(), patches=patches)
