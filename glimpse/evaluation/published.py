"""Published errors and negative log-likelihoods, for comparison with measured ones on the same task.

The two classification tasks are MNIST digits on a canvas of 100 x 100 pixels among 8 pieces, and on 60 x 60 pixels among 4 pieces.
Numbers marked second-hand were quoted from a reproduction, not from the original paper.

The generative sets are binarized MNIST, where the sources seldom state whether the binarization is fixed, and CIFAR-10.

References:
    K. Gregor, I. Danihelka, A. Graves, D. J. Rezende, D. Wierstra, "DRAW: A Recurrent Neural Network For Image Generation", 2015,
    arXiv:1502.04623.
    V. Mnih, N. Heess, A. Graves, K. Kavukcuoglu, "Recurrent Models of Visual Attention", 2014, arXiv:1406.6247.
    A. Almahairi, N. Ballas, T. Cooijmans, Y. Zheng, H. Larochelle, A. Courville, "Dynamic Capacity Networks", 2015,
    arXiv:1511.07838.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

from glimpse.settings.clutter import ClutterRecipe

__all__ = [
    "PublishedBound",
    "PublishedResult",
    "counterpart",
    "published_bounds_on",
    "published_classification",
    "published_generation",
    "published_on",
]

_DRAW = "DRAW, Table 1"
_RAM = "RAM"
_REPRODUCTION = "public reproduction"
_SECOND_HAND = "second-hand"
_WHOLE_IMAGE = "sees the whole image"


class PublishedResult(NamedTuple):
    """One published error.

    Attributes:
        model: Description of the model.
        error_percent: Test error in percent.
        source: Table or paper that reports the number.
        note: Caveat for the comparison; empty if there is none.
        kind: Kind of the model in `glimpse train-classifier`; empty if it is not implemented here.
        glimpses: Number of glimpses T; None for a model without glimpses.
        values_read: Numbers read from an image: T n^2 at each scale, or the whole canvas; None if not stated.
    """

    model: str
    error_percent: float
    source: str
    note: str = ""
    kind: str = ""
    glimpses: int | None = None
    values_read: int | None = None


class PublishedBound(NamedTuple):
    """One published negative log-likelihood.

    Attributes:
        model: Description of the model.
        value: In nats per image, or in bits per dimension for CIFAR-10.
        relation: `=` for an exact number, `<=` for a bound, `~` for an estimate.
        source: Table or paper that reports the number.
        note: Caveat for the comparison; empty if there is none.
    """

    model: str
    value: float
    relation: str
    source: str
    note: str = ""


_BY_TASK: dict[tuple[int, int], tuple[PublishedResult, ...]] = {
    (100, 8): (
        PublishedResult("convolutional, 2 layers", 14.35, _DRAW, _WHOLE_IMAGE, "conv", None, 100 * 100),
        PublishedResult("RAM, 4 glimpses, 12x12, 4 scales", 9.41, _DRAW, "", "ram", 4, 4 * 12 * 12 * 4),
        PublishedResult("RAM, 8 glimpses, 12x12, 4 scales", 8.11, _DRAW, "", "ram", 8, 8 * 12 * 12 * 4),
        PublishedResult("differentiable RAM, 4 glimpses, 12x12", 4.18, _DRAW, "", "glimpse", 4, 4 * 12 * 12),
        PublishedResult("differentiable RAM, 8 glimpses, 12x12", 3.36, _DRAW, "", "glimpse", 8, 8 * 12 * 12),
        PublishedResult("convolutional", 16.51, _RAM, f"{_SECOND_HAND}; {_WHOLE_IMAGE}", "conv", None, 100 * 100),
        PublishedResult("RAM, 4 glimpses, 12x12, 4 scales", 14.95, _RAM, _SECOND_HAND, "ram", 4, 4 * 12 * 12 * 4),
        PublishedResult("RAM, 6 glimpses, 12x12, 4 scales", 11.58, _RAM, _SECOND_HAND, "ram", 6, 6 * 12 * 12 * 4),
        PublishedResult("RAM, 8 glimpses, 12x12, 4 scales", 10.83, _RAM, _SECOND_HAND, "ram", 8, 8 * 12 * 12 * 4),
        PublishedResult("RAM with a context CNN, 6 glimpses", 2.00, _REPRODUCTION, "number of pieces unclear", "", 6),
        PublishedResult("RAM with a context CNN, 8 glimpses", 1.71, _REPRODUCTION, "number of pieces unclear", "", 8),
        PublishedResult(
            "dynamic capacity network",
            1.39,
            "DCN",
            f"{_SECOND_HAND}; {_WHOLE_IMAGE} through a coarse CNN",
            values_read=100 * 100,
        ),
        PublishedResult(
            "convolutional, batch norm, fresh clutter",
            0.92,
            _REPRODUCTION,
            f"{_WHOLE_IMAGE} at full resolution",
            "convnet",
            None,
            100 * 100,
        ),
    ),
    (60, 4): (
        PublishedResult("fully connected, 64 units", 28.58, _RAM, f"{_SECOND_HAND}; {_WHOLE_IMAGE}", values_read=60 * 60),
        PublishedResult("fully connected, 256 units", 11.96, _RAM, f"{_SECOND_HAND}; {_WHOLE_IMAGE}", values_read=60 * 60),
        PublishedResult("convolutional", 8.09, _RAM, f"{_SECOND_HAND}; {_WHOLE_IMAGE}", "conv", None, 60 * 60),
        PublishedResult("RAM, 4 glimpses, 12x12, 3 scales", 4.96, _RAM, _SECOND_HAND, "ram", 4, 4 * 12 * 12 * 3),
        PublishedResult("RAM, 6 glimpses, 12x12, 3 scales", 4.08, _RAM, _SECOND_HAND, "ram", 6, 6 * 12 * 12 * 3),
        PublishedResult("RAM, 8 glimpses, 12x12, 3 scales", 4.04, _RAM, _SECOND_HAND, "ram", 8, 8 * 12 * 12 * 3),
    ),
}


def published_classification(canvas: int, pieces: int, digits_source: str) -> tuple[PublishedResult, ...]:
    """Returns the published errors on a task.

    Args:
        canvas: Side of the image in pixels.
        pieces: Number of 8 x 8 distractors.
        digits_source: Name of the digit source; there are published errors for `mnist` only.

    Returns:
        Rows in the order of the sources; empty unless digits, canvas and pieces match a published task.

    >>> published_classification(100, 8, "mnist")[4].error_percent
    3.36
    >>> published_classification(100, 8, "sklearn")
    ()
    """
    return _BY_TASK.get((canvas, pieces), ()) if digits_source == "mnist" else ()


def counterpart(rows: tuple[PublishedResult, ...], kind: str, *, glimpses: int | None, values_read: int) -> PublishedResult | None:
    """Returns the first published row of a model of the same kind, glimpses and values read; None if there is none.

    Args:
        rows: Published rows of the task.
        kind: Kind of the model in `glimpse train-classifier`.
        glimpses: Number of glimpses; None for a model without glimpses.
        values_read: Numbers that the model reads from an image.

    >>> rows = published_classification(100, 8, "mnist")
    >>> counterpart(rows, "ram", glimpses=8, values_read=8 * 144 * 4).error_percent
    8.11
    >>> counterpart(rows, "glimpse", glimpses=8, values_read=8 * 144 * 4)
    """
    alike = (row for row in rows if kind and (row.kind, row.glimpses, row.values_read) == (kind, glimpses, values_read))
    return next(alike, None)


_DRAW_2 = "DRAW, Table 2"
_BOUNDS: dict[str, tuple[PublishedBound, ...]] = {
    "binarized-mnist": (
        PublishedBound("DBM, 2 hidden layers", 84.62, "~", _DRAW_2),
        PublishedBound("DBN, 2 hidden layers", 84.55, "~", _DRAW_2),
        PublishedBound("NADE", 88.33, "=", _DRAW_2),
        PublishedBound("EoNADE, 2 hidden layers, 128 orderings", 85.10, "=", _DRAW_2),
        PublishedBound("EoNADE-5, 2 hidden layers, 128 orderings", 84.68, "=", _DRAW_2),
        PublishedBound("DLGM", 86.60, "~", _DRAW_2),
        PublishedBound("DLGM, 8 leapfrog steps", 85.51, "~", _DRAW_2),
        PublishedBound("DLGM, 8 leapfrog steps", 88.30, "<=", _DRAW_2),
        PublishedBound("DARN, 1 hidden layer", 84.13, "~", _DRAW_2),
        PublishedBound("DARN, 1 hidden layer", 88.30, "<=", _DRAW_2),
        PublishedBound("DARN, 12 hidden layers", 87.72, "<=", _DRAW_2),
        PublishedBound("DRAW without attention", 87.40, "<=", _DRAW_2),
        PublishedBound("DRAW", 80.97, "<=", _DRAW_2, "binarization and number of samples not stated"),
        PublishedBound("DRAW, 200 epochs, reproduced", 82.36, "<=", "layer normalization", _SECOND_HAND),
        PublishedBound("DRAW with layer normalization, 200 epochs", 82.09, "<=", "layer normalization", _SECOND_HAND),
        PublishedBound("DRAW + VGP", 79.88, "<=", "VGP", _SECOND_HAND),
        PublishedBound("IAF", 79.88, "<=", "IAF", _SECOND_HAND),
    ),
    "cifar10": (
        PublishedBound("DRAW", 4.13, "<=", "ConvDRAW", f"{_SECOND_HAND}; bits per dimension"),
        PublishedBound("ConvDRAW", 3.58, "<=", "ConvDRAW", f"{_SECOND_HAND}; bits per dimension"),
    ),
}


def published_generation(name: str, binarization: str, observation: str) -> tuple[PublishedBound, ...]:
    """Returns the published bounds on a set's test images; empty unless set, binarization and likelihood match.

    Args:
        name: Name of the set.
        binarization: `fixed`, `dynamic` or `none`; the rows for MNIST are on the fixed one.
        observation: `bernoulli`, whose bounds are in nats, or `logistic`, whose bounds are in bits per dimension.

    >>> published_generation("binarized-mnist", "fixed", "bernoulli")[12].value
    80.97
    >>> published_generation("dynamic-mnist", "dynamic", "bernoulli")
    ()
    """
    own = {"binarized-mnist": ("fixed", "bernoulli"), "cifar10": ("none", "logistic")}
    return _BOUNDS[name] if own.get(name) == (binarization, observation) else ()


def published_on(task: Mapping[str, Any]) -> tuple[PublishedResult, ...]:
    """Returns the published errors on a task; empty unless the digits, the recipe and the split, if named, match the papers'.

    Args:
        task: Description of the images: `kind` and, for cluttered digits, `digits`, `recipe` and possibly `split`.
    """
    if task["kind"] != "cluttered" or task.get("split", "test") != "test":
        return ()
    recipe, usual = task["recipe"], asdict(ClutterRecipe())
    if any(recipe[name] != usual[name] for name in ("piece_size", "border")):
        return ()
    return published_classification(recipe["canvas"], recipe["pieces"], task["digits"])


def published_bounds_on(described: Mapping[str, Any], observation: str) -> tuple[PublishedBound, ...]:
    """Returns the published bounds on a set of images; empty unless it is a complete published test set, without a crop.

    Args:
        described: Description of the images: `name`, `split`, `binarization`, `crop` and `note`.
        observation: The generator's likelihood, `bernoulli` or `logistic`.
    """
    if described["split"] != "test" or described["crop"] is not None or described["note"] is not None:
        return ()
    return published_generation(described["name"], described["binarization"], observation)
