"""Digits as generative sets, binarized by intensity: MNIST as `dynamic-mnist`, scikit-learn's digits as `digits`.

The bits of training images are sampled anew at each visit, the bits of validation and test images are fixed. MNIST is split
50,000 / 10,000 / 10,000, scikit-learn's digits 1,197 / 300 / 300.
"""

from dataclasses import replace

from glimpse.datasets.catalog import DIGIT_SOURCES, Request
from glimpse.datasets.digits import DigitSource
from glimpse.datasets.folders import NAME_FOLDER, NotAtHand
from glimpse.datasets.pixel_sets import Images, Opened

__all__ = ["as_images", "mnist_of", "open_digit_images", "open_dynamic_mnist"]


def open_dynamic_mnist(request: Request) -> Opened:
    """Returns MNIST; see `mnist_of`."""
    return as_images(mnist_of(request))


def open_digit_images(request: Request) -> Opened:
    """Returns scikit-learn's digits, which need neither files nor a network."""
    return as_images(DIGIT_SOURCES["sklearn"].open(replace(request, name="sklearn")))


def mnist_of(request: Request) -> DigitSource:
    """Returns MNIST for a generative set that is derived from it.

    Raises:
        NotAtHand: If MNIST is in none of the folders searched and cannot be downloaded.
        ValueError: If its files are damaged.
    """
    try:
        return DIGIT_SOURCES["mnist"].open(replace(request, name="mnist"))
    except NotAtHand as error:
        raise NotAtHand(error.reason, f"{NAME_FOLDER}, or use the set digits") from error


def as_images(source: DigitSource) -> Opened:
    """Returns the glyphs of a source as images with one channel."""
    train, valid, test = (Images(part.images[:, None], part.labels) for part in (source.train, source.valid, source.test))
    return Opened(train, valid, test, source.path, source.sha256)
