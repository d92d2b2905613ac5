"""Track: one window of a model over all steps, the common format of all models with windows."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Self

import torch
from torch import Tensor

from glimpse.attention.capture import saveable
from glimpse.attention.window import Window

__all__ = ["Track", "WindowKind"]

WindowKind = Literal["glimpse", "read", "write"]


@saveable
class Track(NamedTuple):
    """One window of a model over all steps.

    Attributes:
        kind: `glimpse` of a classifier, or `read` or `write` of a generator.
        scale: Index of the window among the concentric windows of a step; 0 is the smallest.
        n: Number of filters, or boxes, along each axis.
        window: Fields of shape (B, T), in pixels of the image; sigma is NaN if the window has no blur.
        patches: Patches that were read or written, shape (B, T, C, n, n); None if they were not requested.
        canvases: Canvas after every step, gray or RGB pixels from 0 to 1, shape (B, T, C, H', W'): of a generator's write windows
            the image as it is drawn, H' x W' being H x W; of a classifier the grid on which it assembles its glimpses, 0 until
            there are any. None if the model has no canvas, or patches were not requested.
    """

    kind: WindowKind
    scale: int
    n: int
    window: Window
    patches: Tensor | None = None
    canvases: Tensor | None = None

    @classmethod
    def joined(cls, parts: Sequence["Track"]) -> "Track":
        """Concatenates the tracks of several batches.

        Args:
            parts: At least one track; all of the same window of one model, with the same number of steps.

        Returns:
            Track of all images in order, with patches and canvases if all parts have them.
        """
        return parts[0]._replace(
            window=Window.joined([part.window for part in parts]),
            patches=_joined([part.patches for part in parts]),
            canvases=_joined([part.canvases for part in parts]),
        )

    def rows(self, chosen: Tensor | slice) -> Self:
        """Returns the track of the images selected by a mask (B,), indices or a slice."""
        patches, canvases = (None if kept is None else kept[chosen] for kept in (self.patches, self.canvases))
        return self._replace(window=self.window.rows(chosen), patches=patches, canvases=canvases)

    def cpu(self) -> Self:
        """Returns the track in float32 on the CPU."""
        patches, canvases = (None if kept is None else kept.float().cpu() for kept in (self.patches, self.canvases))
        return self._replace(window=self.window.cpu(), patches=patches, canvases=canvases)


def _joined(parts: Sequence[Tensor | None]) -> Tensor | None:
    """Returns the concatenated parts; None if one of them is None."""
    kept = [part for part in parts if part is not None]
    return torch.cat(kept) if len(kept) == len(parts) else None
