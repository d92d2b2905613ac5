"""Multiply-adds and bytes, counted in closed form from the settings.

Multiply-adds are those of products of matrices, as in `glimpse.evaluation.costs`: a product of a x b by b x c numbers takes a b c,
and filters' exponentials, normalizations, activations and other work number by number is left out. Bytes are the least that must
move between memory and processor, in float32: images, canvases and filters that are read or written, each once an operation. What
is small is taken to stay in the cache, such as states, and so are weights, which a batch shares.

A training step counts three times the forward pass, in multiply-adds and in bytes: a product C = A B has two in its gradient,
dA = dC B^T and dB = A^T dC. That is exact where all inputs have gradients, and a little too much where the images have none.

Dimensions: B images, C channels, H rows, W columns, T steps, windows of n x n filters, S scales, K classes, Z latent numbers.
"""

from typing import NamedTuple, Self

from glimpse.settings.draw import GeneratorConfig
from glimpse.settings.glimpse_classifier import ClassifierConfig
from glimpse.settings.ram import RAMConfig

__all__ = [
    "Operations",
    "classifier_operations",
    "clutter_operations",
    "draw_operations",
    "filter_operations",
    "ram_operations",
    "read_operations",
    "write_operations",
]

_FLOAT = 4  # bytes
_RAW = 5  # numbers that place a window


class Operations(NamedTuple):
    """What something takes, for one image or one filter.

    Attributes:
        multiply_adds: In products of matrices.
        bytes: That move at least.
    """

    multiply_adds: int
    bytes: int

    def plus(self, other: "Operations") -> "Operations":
        """Returns what this and another one take together."""
        return Operations(self.multiply_adds + other.multiply_adds, self.bytes + other.bytes)

    def times(self, count: int) -> "Operations":
        """Returns what this takes a number of times."""
        return Operations(self.multiply_adds * count, self.bytes * count)

    @property
    def step(self) -> "Operations":
        """What a training step takes if this is its forward pass: three times as much.

        >>> Operations(2, 5).step
        Operations(multiply_adds=6, bytes=15)
        """
        return self.times(3)

    @classmethod
    def linear(cls, inputs: int, outputs: int) -> Self:
        """Returns what a linear map of an image's numbers takes."""
        return cls(inputs * outputs, 0)

    @classmethod
    def lstm(cls, inputs: int, hidden: int) -> Self:
        """Returns what a step of an LSTM takes: a map of its input and its output to four gates."""
        return cls.linear(inputs + hidden, 4 * hidden)


def filter_operations(pixels: int) -> Operations:
    """Returns what one Gaussian filter over A pixels takes: A numbers to write, no products."""
    return Operations(0, _FLOAT * pixels)


def read_operations(channels: int, n: int, height: int, width: int) -> Operations:
    """Returns what reading a glimpse takes: F_Y x, of n x H by H x W numbers, then times F_X^T, for every channel.

    >>> read_operations(1, 2, 10, 20)
    Operations(multiply_adds=480, bytes=1056)
    """
    multiply_adds = channels * (n * height * width + n * width * n)
    return Operations(multiply_adds, _FLOAT * (channels * (height * width + n * n) + n * (height + width)))


def write_operations(channels: int, n: int, height: int, width: int) -> Operations:
    """Returns what writing a patch takes: w F_X, of n x n by n x W numbers, then F_Y^T times that, for every channel.

    >>> write_operations(1, 2, 10, 20)
    Operations(multiply_adds=480, bytes=1056)
    """
    multiply_adds = channels * (n * n * width + height * n * width)
    return Operations(multiply_adds, _FLOAT * (channels * (height * width + n * n) + n * (height + width)))


def clutter_operations(canvas: int, pieces: int, piece_size: int, digit: tuple[int, int]) -> Operations:
    """Returns what drawing a cluttered digit takes: its float32 pixels to write, the bytes of the digit and its pieces to read.

    Args:
        canvas: Side of the image in pixels.
        pieces: Distractors in it.
        piece_size: Their side in pixels.
        digit: Height and width of the digits.
    """
    return Operations(0, _FLOAT * canvas**2 + digit[0] * digit[1] + pieces * piece_size**2)


def classifier_operations(config: ClassifierConfig, height: int, width: int) -> Operations:
    """Returns what the forward pass of the glimpse classifier takes for an image of H x W pixels.

    T glimpses at S scales, the encoder, the LSTM, the window's map and the softmax's. What points at the next window is one more
    map of the state to n x n numbers, which the first glimpse does without.
    """
    n, hidden, steps = config.window, config.hidden, config.glimpses
    pixels = config.scales * config.channels * n**2
    inputs = pixels if config.encoder == "none" else config.features
    step = read_operations(config.channels, n, height, width).times(config.scales)
    step = step.plus(Operations.linear(hidden, _RAW)).plus(Operations.lstm(inputs, hidden))
    step = step.plus(Operations.linear(hidden, config.classes))
    if config.encoder != "none":
        step = step.plus(_encoder(pixels, config.features, place=4))
    worth = Operations.linear(hidden, n**2) if config.parametrization == "pointing" else Operations(0, 0)
    return step.times(steps).plus(worth.times(steps - 1))


def ram_operations(config: RAMConfig, height: int, width: int) -> Operations:
    """Returns what the forward pass of RAM takes in training for an image of H x W pixels, with all its sampled sequences.

    The retina picks and averages numbers, without products. The policy and the baseline run between glimpses: T - 1 times.
    """
    hidden, pixels = config.hidden, config.scales * config.channels * config.window**2
    step = _encoder(pixels, config.features, place=2).plus(Operations.lstm(config.features, hidden))
    step = step.plus(Operations.linear(hidden, config.classes)).plus(Operations(0, _FLOAT * pixels))
    policy = Operations.linear(hidden + pixels + 2, hidden).plus(Operations.linear(hidden, 2))
    between = policy.plus(Operations.linear(hidden, 1))
    image = Operations(0, _FLOAT * config.channels * height * width)
    return image.plus(step.times(config.glimpses)).plus(between.times(config.glimpses - 1)).times(config.monte_carlo)


def draw_operations(config: GeneratorConfig) -> Operations:
    """Returns what the forward pass of DRAW takes for an image: T steps of both LSTMs, the latent's map, a read and a write.

    With attention it reads image and error image through one window of n x n filters and writes through another, each placed by a
    map of its own; without, it reads both whole and writes the whole canvas.
    """
    channels, height, width, hidden = config.channels, config.height, config.width, config.hidden
    if config.attention:
        seen, drawn = 2 * channels * config.read**2, channels * config.write**2
        moved = read_operations(2 * channels, config.read, height, width)
        moved = moved.plus(write_operations(channels, config.write, height, width)).plus(Operations.linear(hidden, _RAW).times(2))
    else:
        seen, drawn = 2 * config.pixels, config.pixels
        moved = Operations(0, _FLOAT * 3 * config.pixels)
    step = moved.plus(Operations.lstm(seen + hidden, hidden)).plus(Operations.linear(hidden, 2 * config.latent))
    decoded = config.latent + (config.pixels if config.canvas_input else 0)
    step = step.plus(Operations.lstm(decoded, hidden)).plus(Operations.linear(hidden, drawn))
    if config.prior == "learned":
        step = step.plus(Operations.linear(hidden, 2 * config.latent))
    return step.times(config.glimpses)


def _encoder(pixels: int, features: int, place: int) -> Operations:
    """Returns what encoding a glimpse takes: two maps of what it shows, one of where it is."""
    what = Operations.linear(pixels, 2 * features).plus(Operations.linear(2 * features, features))
    return what.plus(Operations.linear(place, features))
