"""Classification errors that others published on cluttered MNIST, to be set beside measured ones when the task is the same.

The two tasks are real MNIST digits on a canvas of 100 x 100 pixels among 8 pieces, and on 60 x 60 among 4. Numbers marked
second-hand were read in somebody's reproduction, not in the paper they come from.

References:
    K. Gregor, I. Danihelka, A. Graves, D. J. Rezende, D. Wierstra, "DRAW: A Recurrent Neural Network For Image Generation", 2015,
    arXiv:1502.04623.
    V. Mnih, N. Heess, A. Graves, K. Kavukcuoglu, "Recurrent Models of Visual Attention", 2014, arXiv:1406.6247.
    A. Almahairi, N. Ballas, T. Cooijmans, Y. Zheng, H. Larochelle, A. Courville, "Dynamic Capacity Networks", 2015,
    arXiv:1511.07838.
"""

from typing import NamedTuple

__all__ = ["PublishedResult", "published_classification"]

_DRAW = "DRAW, Table 1"
_RAM = "RAM"
_REPRODUCTION = "public reproduction"
_SECOND_HAND = "second-hand"
_WHOLE_IMAGE = "sees the whole image"


class PublishedResult(NamedTuple):
    """One published number.

    Attributes:
        model: What was trained.
        error_percent: Test error in percent.
        source: Where the number stands.
        note: What to know before comparing with it, or nothing.
    """

    model: str
    error_percent: float
    source: str
    note: str = ""


_BY_TASK: dict[tuple[int, int], tuple[PublishedResult, ...]] = {
    (100, 8): (
        PublishedResult("convolutional, 2 layers", 14.35, _DRAW, _WHOLE_IMAGE),
        PublishedResult("RAM, 4 glimpses, 12x12, 4 scales", 9.41, _DRAW),
        PublishedResult("RAM, 8 glimpses, 12x12, 4 scales", 8.11, _DRAW),
        PublishedResult("differentiable RAM, 4 glimpses, 12x12", 4.18, _DRAW),
        PublishedResult("differentiable RAM, 8 glimpses, 12x12", 3.36, _DRAW),
        PublishedResult("convolutional", 16.51, _RAM, f"{_SECOND_HAND}; {_WHOLE_IMAGE}"),
        PublishedResult("RAM, 4 glimpses", 14.95, _RAM, _SECOND_HAND),
        PublishedResult("RAM, 6 glimpses", 11.58, _RAM, _SECOND_HAND),
        PublishedResult("RAM, 8 glimpses", 10.83, _RAM, _SECOND_HAND),
        PublishedResult("RAM with a context CNN, 6 glimpses", 2.00, _REPRODUCTION, "number of pieces unclear"),
        PublishedResult("RAM with a context CNN, 8 glimpses", 1.71, _REPRODUCTION, "number of pieces unclear"),
        PublishedResult("dynamic capacity network", 1.39, "DCN", f"{_SECOND_HAND}; {_WHOLE_IMAGE} through a coarse CNN"),
        PublishedResult("convolutional, batch norm, fresh clutter", 0.92, _REPRODUCTION, f"{_WHOLE_IMAGE} at full resolution"),
    ),
    (60, 4): (
        PublishedResult("fully connected, 64 units", 28.58, _RAM, f"{_SECOND_HAND}; {_WHOLE_IMAGE}"),
        PublishedResult("fully connected, 256 units", 11.96, _RAM, f"{_SECOND_HAND}; {_WHOLE_IMAGE}"),
        PublishedResult("convolutional", 8.09, _RAM, f"{_SECOND_HAND}; {_WHOLE_IMAGE}"),
        PublishedResult("RAM, 4 glimpses", 4.96, _RAM, _SECOND_HAND),
        PublishedResult("RAM, 6 glimpses", 4.08, _RAM, _SECOND_HAND),
        PublishedResult("RAM, 8 glimpses", 4.04, _RAM, _SECOND_HAND),
    ),
}


def published_classification(canvas: int, pieces: int, digits_source: str) -> tuple[PublishedResult, ...]:
    """Returns the published errors on a task, none where the task differs.

    Args:
        canvas: Side of the image in pixels.
        pieces: Number of 8 x 8 distractors.
        digits_source: Name of the digit source; only `mnist`, the real one, was ever published on.

    Returns:
        Rows in the order of the sources, empty unless digits, canvas and pieces are all those of a published task.

    >>> published_classification(100, 8, "mnist")[4].error_percent
    3.36
    >>> published_classification(100, 8, "sklearn")
    ()
    """
    return _BY_TASK.get((canvas, pieces), ()) if digits_source == "mnist" else ()
