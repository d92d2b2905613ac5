"""Track: one window of a model over all steps, the common format of all models with windows."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Self

import torch
from torch import Tensor

from glimpse.attention.window import Window

__all__ = ["Track", "WindowKind"]

WindowKind = Literal["glimpse", "read", "write"]


class Track(NamedTuple):
    """One window of a model over all steps.

    Attributes:
        kind: `glimpse` of a classifier, or `read` or `write` of a generator.
        scale: Index of the window among the concentric windows of a step; 0 is the smallest.
        n: Number of filters, or boxes, along each axis.
        window: Fields of shape (B, T), in pixels of the image; sigma is NaN if the window has no blur.
        patches: Patches that were read or written, shape (B, T, C, n, n); None if they were not requested.
    """

    kind: WindowKind
    scale: int
    n: int
    window: Window
    patches: Tensor | None = None

    @classmethod
    def joined(cls, parts: Sequence["Track"]) -> "Track":
        """Concatenates the tracks of several batches.

        Args:
            parts: At least one track; all of the same window of one model, with the same number of steps.

        Returns:
            Track of all images in order, with patches if all parts have them.
        """
        patches = [part.patches for part in parts if part.patches is not None]
        return parts[0]._replace(
            window=Window.joined([part.window for part in parts]),
            patches=torch.cat(patches) if len(patches) == len(parts) else None,
        )

    def rows(self, chosen: Tensor | slice) -> Self:
        """Returns the track of the images selected by a mask (B,), indices or a slice."""
        patches = None if self.patches is None else self.patches[chosen]
        return self._replace(window=self.window.rows(chosen), patches=patches)

    def cpu(self) -> Self:
        """Returns the track in float32 on the CPU."""
        patches = None if self.patches is None else self.patches.float().cpu()
        return self._replace(window=self.window.cpu(), patches=patches)
