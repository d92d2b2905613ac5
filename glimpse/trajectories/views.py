"""Trajectories of a batch of images: where a model looked at each step, and what it predicted.

Positions are pixels counted from 0, x before y. Dimensions: N images of H x W pixels in C channels, T steps, K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from glimpse.attention.track import Track

__all__ = ["UNKNOWN", "Trajectories", "written_limit"]

UNKNOWN = -1
"""Stands for a class that is not known."""


@dataclass(frozen=True)
class Trajectories:
    """Where a model looked at N images and what it predicted, on the CPU.

    Attributes:
        index: Position of each image in its source, shape (N,), int64.
        images: Shape (N, C, H, W), float32 in 0 to 1.
        labels: True classes, shape (N,), int64; `UNKNOWN` where there is none.
        digits: Center (x, y) of each digit's frame in pixels, shape (N, 2), float32; NaN if unknown.
        tracks: The windows over all steps, at least one; fields of shape (N, T).
        probabilities: Of every class after each step, shape (N, T, K), float32; None for a model that does not classify.
        names: Name of each image; empty if they have none, as images of a data set.
        class_names: Name of each class; None if they are numbers.
    """

    index: Tensor
    images: Tensor
    labels: Tensor
    digits: Tensor
    tracks: tuple[Track, ...]
    probabilities: Tensor | None = None
    names: tuple[str, ...] = ()
    class_names: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.index)

    @property
    def steps(self) -> int:
        """Number T of steps."""
        return int(self.tracks[0].window.center_x.shape[1])

    @property
    def predictions(self) -> Tensor | None:
        """The most probable class after each step, shape (N, T), int64; None for a model that does not classify."""
        return None if self.probabilities is None else self.probabilities.argmax(dim=-1)

    @property
    def canvases(self) -> Tensor | None:
        """Canvas after every step, gray or RGB in 0 to 1, shape (N, T, C, H', W'); None if no track has one."""
        return next((track.canvases for track in self.tracks if track.canvases is not None), None)

    @property
    def is_drawing(self) -> bool:
        """Whether they are a generator's, which reads and writes, and patches and canvases were kept."""
        kinds = [track.kind for track in self.tracks if track.patches is not None]
        return kinds == ["read", "write"] and self.canvases is not None

    def rows(self, chosen: Tensor) -> Self:
        """Returns the trajectories of some of the images, chosen by a mask (N,) or by their rows."""
        return replace(
            self,
            index=self.index[chosen],
            images=self.images[chosen],
            labels=self.labels[chosen],
            digits=self.digits[chosen],
            tracks=tuple(track.rows(chosen) for track in self.tracks),
            probabilities=None if self.probabilities is None else self.probabilities[chosen],
            names=tuple(self.names[i] for i in torch.arange(len(self))[chosen].tolist()) if self.names else (),
        )

    @classmethod
    def joined(cls, parts: Sequence["Trajectories"]) -> "Trajectories":
        """Returns the parts, of one model and one size of image, as one.

        Raises:
            ValueError: If the images differ in size.
        """
        sizes = sorted({(part.images.shape[3], part.images.shape[2]) for part in parts})
        if len(sizes) > 1:
            named = " and ".join(f"{width} x {height}" for width, height in sizes)
            raise ValueError(f"images of {named} pixels do not go together: give images of one size, or --resize and --pad them")
        probabilities = [part.probabilities for part in parts if part.probabilities is not None]
        return cls(
            index=torch.cat([part.index for part in parts]),
            images=torch.cat([part.images for part in parts]),
            labels=torch.cat([part.labels for part in parts]),
            digits=torch.cat([part.digits for part in parts]),
            tracks=tuple(map(Track.joined, zip(*(part.tracks for part in parts), strict=True))),
            probabilities=torch.cat(probabilities) if probabilities else None,
            names=tuple(name for part in parts for name in part.names),
            class_names=parts[0].class_names,
        )


def written_limit(patches: Tensor) -> float:
    """Returns the magnitude that 99 % of the values of written patches do not exceed, at least 1e-6: the white of a gray scale.

    Among more than a million values, evenly spaced ones are compared.
    """
    values = patches.abs().flatten()
    return max(float(values[:: -(-len(values) // 1_000_000)].quantile(0.99)), 1e-6)
