"""Two digits at random positions on one canvas, sampled anew for every image: the second data set of DRAW.

An image is the sum of two 28 x 28 digits on 60 x 60 pixels, clipped to 1. The first digit follows the random order of the epoch,
the second is drawn uniformly from the same split, and each frame is placed uniformly on the canvas. The paper does not state how
the two digits are chosen or whether images are binarized.

References:
    K. Gregor, I. Danihelka, A. Graves, D. J. Rezende, D. Wierstra, "DRAW: A Recurrent Neural Network For Image Generation", 2015,
    arXiv:1502.04623, section 4.3.
"""

from dataclasses import replace

import torch
from torch import Tensor

from glimpse.datasets.batches import Split
from glimpse.datasets.catalog import Request
from glimpse.datasets.clutter import add_patches
from glimpse.datasets.counter import bounded, words
from glimpse.datasets.digit_images import as_images, mnist_of
from glimpse.datasets.digits import Digits
from glimpse.datasets.pixel_sets import Images, Opened, PixelSet

__all__ = ["CANVAS", "TwoDigits", "open_two_digit"]

CANVAS = 60
"""Side of the image in pixels."""


def open_two_digit(request: Request) -> Opened:
    """Returns MNIST, to be rendered as pairs; see `mnist_of`."""
    return replace(as_images(mnist_of(request)), make=_pairs)


class TwoDigits(PixelSet):
    """Pairs of digits of one split, without labels; an epoch has as many images as the split has digits.

    Args:
        digits: Glyphs of the split; images are rendered on their device.
        split: Split that selects the random stream.
        seed: Random seed of the training images, 0 to 2^64 - 1.
        binarized: Whether every pixel is sampled as 0 or 1 with its value as the probability.
    """

    def __init__(self, digits: Digits, split: Split, *, seed: int = 0, binarized: bool = True) -> None:
        device = digits.images.device
        super().__init__(len(digits.labels), split, (1, CANVAS, CANVAS), seed=seed, binarized=binarized, device=device)
        self.digits = digits

    @property
    def is_drawn(self) -> bool:
        """True: the pairs and their positions depend on the seed."""
        return True

    def render(self, epochs: Tensor, index: Tensor, item: Tensor) -> Images:
        """Returns the images whose first digits are these items; see `PixelSet.render`."""
        height, width = self.digits.images.shape[1:]
        drawn = words(self.seed, self.stream("two-digit"), epochs, index, 5)  # (B, 5)
        digit = torch.stack([item, bounded(drawn[:, 4], self.count)], dim=1)  # (B, 2)
        left, top = bounded(drawn[:, 0:4:2], CANVAS - width + 1), bounded(drawn[:, 1:4:2], CANVAS - height + 1)
        canvas = torch.zeros(len(index), CANVAS * CANVAS, dtype=torch.int32, device=self.device)
        add_patches(canvas, CANVAS, self.digits.images[digit], left, top)
        pixels = canvas.clamp(max=255).to(torch.uint8).view(-1, 1, CANVAS, CANVAS)
        return Images.unlabeled(pixels)


def _pairs(
    images: Images,
    split: Split,
    *,
    seed: int,
    binarized: bool,
    crop: tuple[int, int] | None,
    device: torch.device | str,
) -> TwoDigits:
    if crop is not None:
        raise ValueError(f"two-digit takes no crop: its images are rendered at {CANVAS} x {CANVAS} pixels")
    digits = Digits(images.pixels[:, 0], images.labels, "mnist").to(device)
    return TwoDigits(digits, split, seed=seed, binarized=binarized)
