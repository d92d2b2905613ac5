"""Closed-form counts of multiply-adds and bytes.

Multiply-adds are those of matrix products, as in `glimpse.evaluation.costs`: a product of a x b by b x c numbers has a b c of them.
Elementwise operations, such as the exponentials of filters, normalization and activations, are not counted. Bytes are a lower bound
on the traffic between memory and processor in float32: images, canvases and filters, each read or written once per operation. Small
tensors, such as states, and weights, which a batch shares, are assumed to stay in the cache.

A training step counts as three forward passes, in multiply-adds and in bytes: a product C = A B has two in its gradient,
dA = dC B^T and dB = A^T dC. This is exact if all inputs have gradients, and slightly too high if the images have none.

Dimensions: B images, C channels, H rows, W columns, T steps, windows of n x n filters, S scales, K classes, Z latent numbers.
"""

from dataclasses import dataclass

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
_RAW = 5  # numbers that determine a window


@dataclass(frozen=True)
class Operations:
    """Cost of an operation per image or filter.

    Attributes:
        multiply_adds: Multiply-adds of matrix products.
        bytes: Least traffic between memory and processor in bytes.
    """

    multiply_adds: int = 0
    bytes: int = 0

    def __add__(self, other: "Operations") -> "Operations":
        """Returns the cost of both operations."""
        return Operations(self.multiply_adds + other.multiply_adds, self.bytes + other.bytes)

    def __mul__(self, count: int) -> "Operations":
        """Returns the cost of repeating the operation."""
        return Operations(self.multiply_adds * count, self.bytes * count)

    @property
    def step(self) -> "Operations":
        """Cost of a training step with this forward pass: three times as much.

        >>> Operations(2, 5).step
        Operations(multiply_adds=6, bytes=15)
        """
        return self * 3


def filter_operations(pixels: int) -> Operations:
    """Returns the cost of one Gaussian filter over A pixels: it writes A numbers, without products."""
    return Operations(bytes=_FLOAT * pixels)


def read_operations(channels: int, n: int, height: int, width: int) -> Operations:
    """Returns the cost of reading a glimpse: F_Y x, of n x H by H x W numbers, then times F_X^T, for every channel.

    >>> read_operations(1, 2, 10, 20)
    Operations(multiply_adds=480, bytes=1056)
    """
    multiply_adds = channels * (n * height * width + n * width * n)
    return Operations(multiply_adds, _FLOAT * (channels * (height * width + n * n) + n * (height + width)))


def write_operations(channels: int, n: int, height: int, width: int) -> Operations:
    """Returns the cost of writing a patch: w F_X, of n x n by n x W numbers, then F_Y^T times the result, for every channel.

    >>> write_operations(1, 2, 10, 20)
    Operations(multiply_adds=480, bytes=1056)
    """
    multiply_adds = channels * (n * n * width + height * n * width)
    return Operations(multiply_adds, _FLOAT * (channels * (height * width + n * n) + n * (height + width)))


def clutter_operations(canvas: int, pieces: int, piece_size: int, digit: tuple[int, int]) -> Operations:
    """Returns the cost of rendering a cluttered digit: it writes float32 pixels and reads the bytes of the digit and its pieces.

    Args:
        canvas: Side of the image in pixels.
        pieces: Number of distractors in the image.
        piece_size: Side of a distractor in pixels.
        digit: Height and width of a digit in pixels.
    """
    return Operations(bytes=_FLOAT * canvas**2 + digit[0] * digit[1] + pieces * piece_size**2)


def classifier_operations(config: ClassifierConfig, height: int, width: int) -> Operations:
    """Returns the cost of the glimpse classifier's forward pass for an image of H x W pixels.

    It consists of T glimpses at S scales, the encoder, the LSTM, and the linear maps to the window and the classes. A pointing
    classifier also maps the state to n x n numbers before every glimpse but the first.
    """
    n, hidden, steps = config.window, config.hidden, config.glimpses
    pixels = config.scales * config.channels * n**2
    encoded = config.encoder != "none"
    step = read_operations(config.channels, n, height, width) * config.scales
    step += _linear(hidden, _RAW) + _lstm(config.features if encoded else pixels, hidden) + _linear(hidden, config.classes)
    if encoded:
        step += _encoder(pixels, config.features, place=4)
    pointing = _linear(hidden, n**2) if config.parametrization == "pointing" else Operations()
    return step * steps + pointing * (steps - 1)


def ram_operations(config: RAMConfig, height: int, width: int) -> Operations:
    """Returns the cost of RAM's forward pass in training for an image of H x W pixels, with all its sampled sequences.

    The retina crops and averages, without products. The policy and the baseline run between glimpses: T - 1 times.
    """
    hidden, pixels = config.hidden, config.scales * config.channels * config.window**2
    step = _encoder(pixels, config.features, place=2) + _lstm(config.features, hidden) + _linear(hidden, config.classes)
    step += Operations(bytes=_FLOAT * pixels)
    policy, baseline = _linear(hidden + pixels + 2, hidden) + _linear(hidden, 2), _linear(hidden, 1)
    image = Operations(bytes=_FLOAT * config.channels * height * width)
    return (image + step * config.glimpses + (policy + baseline) * (config.glimpses - 1)) * config.monte_carlo


def draw_operations(config: GeneratorConfig) -> Operations:
    """Returns the cost of DRAW's forward pass for an image: T steps of both LSTMs, the latent's map, a read and a write.

    With attention, it reads image and error image through a window of n x n filters and writes through another, each placed by its
    own linear map; without, it reads both as a whole and writes the whole canvas.
    """
    channels, height, width, hidden = config.channels, config.height, config.width, config.hidden
    if config.attention:
        inputs, outputs = 2 * channels * config.read**2, channels * config.write**2
        step = read_operations(2 * channels, config.read, height, width) + write_operations(channels, config.write, height, width)
        step += _linear(hidden, _RAW) * 2
    else:
        inputs, outputs = 2 * config.pixels, config.pixels
        step = Operations(bytes=_FLOAT * 3 * config.pixels)
    step += _lstm(inputs + hidden, hidden) + _linear(hidden, 2 * config.latent)
    decoded = config.latent + (config.pixels if config.canvas_input else 0)
    step += _lstm(decoded, hidden) + _linear(hidden, outputs)
    if config.prior == "learned":
        step += _linear(hidden, 2 * config.latent)
    return step * config.glimpses


def _linear(inputs: int, outputs: int) -> Operations:
    """Returns the cost of a linear map."""
    return Operations(inputs * outputs)


def _lstm(inputs: int, hidden: int) -> Operations:
    """Returns the cost of a step of an LSTM: a linear map of its input and its output to four gates."""
    return _linear(inputs + hidden, 4 * hidden)


def _encoder(pixels: int, features: int, place: int) -> Operations:
    """Returns the cost of encoding a glimpse: two linear maps of its pixels, one of its location."""
    return _linear(pixels, 2 * features) + _linear(2 * features, features) + _linear(place, features)
