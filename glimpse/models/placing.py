"""Choice of the next window: the parametrization of DRAW, one that points within the last glimpse, and random windows.

Positions are pixels counted from 0, x before y. Dimensions: B images of H x W pixels, a window of n x n filters.

References:
    K. Gregor, I. Danihelka, A. Graves, D. J. Rezende, D. Wierstra, "DRAW: A Recurrent Neural Network For Image Generation", 2015,
    arXiv:1502.04623, eqs. 21-24.
"""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn

from glimpse.attention.filterbank import filter_offsets
from glimpse.attention.precision import at_least_float32, in_float32
from glimpse.attention.window import Window
from glimpse.settings.glimpse_classifier import ClassifierConfig, Parametrization

__all__ = ["FINEST_STRIDE", "PLACERS", "Locator", "Pointer", "Scatter", "brightness", "expected_offset"]

FINEST_STRIDE = 0.75
"""Smallest stride of a window that a pointer places, in pixels."""

_FIRST_STRIDE = 4.0  # raw stride of the first window: it covers the whole image
_GAIN = 5.0  # initial gain of brightness: the weight of the brightest filter is e^5 times that of a filter of mean brightness
_FLAT = 1e-3  # contrast below which a glimpse counts as uniform


class Locator(nn.Module):
    """Chooses the window by eqs. 21-24 of DRAW: a linear map of the state to five values, decoded by `Window.from_raw`.

    Args:
        config: Settings of the model; its `sigma` is in pixels.

    Attributes:
        takes_noise: Whether the windows depend on noise.
    """

    takes_noise: ClassVar[bool] = False

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        self.n = config.window
        self.raw = _with_small_weights(nn.Linear(config.hidden, 5))
        with torch.no_grad():
            self.raw.bias[2] = 2 * math.log(config.sigma)

    @in_float32
    def forward(
        self, state: Tensor, previous: Window | None, glimpse: Tensor | None, uniforms: Tensor | None, *, height: int, width: int
    ) -> Window:
        """Returns the window for a state (B, hidden); the previous window, its glimpse and the noise are unused."""
        return Window.from_raw(self.raw(state), n=self.n, height=height, width=width)


class Pointer(nn.Module):
    r"""Chooses the window by pointing to a position within the last glimpse, with bounded stride, sigma and intensity.

    The next center is the mean position of the n x n filters of the last window under a softmax, plus a step:

    .. math:: g' = g + \delta \sum_{ij} p_{ij} (i, j) + \rho \tfrac{(n - 1) \delta}{2} (x, y), \quad
        p = \text{softmax}(\beta \, b + W h)

    with b the brightness of the glimpse relative to its mean and maximum, beta a learned gain initialized to 5, h the state, rho
    the config's reach, and (i, j) counted from the window's center. From the first training step the window moves toward bright
    pixels, which avoids a plateau of the loss on which it would have to find the digit by chance; W learns to favor other
    positions. The center is clamped to the image with a straight-through gradient, so that a window at the edge can move back. No
    gradient passes from a window to the previous one, neither through its parameters nor through its glimpse: with gradients
    through eight windows training was slower, and the mean gradient norm reached 60. The stride is between 0.75 px and the stride
    that spans the longer side; sigma is within a factor of 2 of the config's number of strides, which limits aliasing; the
    intensity is within a factor of e of 1.

    Args:
        config: Settings of the model; its `sigma` is in strides.

    Attributes:
        takes_noise: Whether the windows depend on noise.
    """

    takes_noise: ClassVar[bool] = False

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        self.n, self.sigma, self.reach = config.window, config.sigma, config.reach
        self.raw = _with_small_weights(nn.Linear(config.hidden, 5))
        self.worth = _with_small_weights(nn.Linear(config.hidden, self.n**2))
        self.gain = nn.Parameter(torch.tensor(_GAIN))

    @in_float32
    def forward(
        self, state: Tensor, previous: Window | None, glimpse: Tensor | None, uniforms: Tensor | None, *, height: int, width: int
    ) -> Window:
        """Returns the next window.

        Args:
            state: Output of the LSTM, shape (B, hidden).
            previous: Previous window, fields of shape (B,); None for the first window, which is learned and initially covers the
                whole image.
            glimpse: Glimpse of the previous window, shape (B, C, n, n); None for the first window.
            uniforms: Uniform noise in 0 to 1, shape (B, 2), which determines a random center; unused by a pointer.
            height: Height H of the image in pixels.
            width: Width W of the image in pixels.

        Returns:
            Window with fields of shape (B,), at least float32.
        """
        x, y, log_ratio, raw_stride, log_intensity = self.raw(state).unbind(dim=1)
        coarsest = (max(height, width) - 1) / max(self.n - 1, 1)
        if previous is None or glimpse is None:
            raw_stride = raw_stride + _FIRST_STRIDE
            center_x, center_y = torch.full_like(x, (width - 1) / 2), torch.full_like(y, (height - 1) / 2)
            step = torch.full_like(x, (max(height, width) - 1) / 2 * self.reach)
        else:
            previous, glimpse = previous.detached(), glimpse.detach()
            center_x, center_y, step = self._around(state, previous, glimpse, uniforms, height=height, width=width)
        stride = FINEST_STRIDE * torch.exp(_log(max(coarsest / FINEST_STRIDE, 1.0)) * torch.sigmoid(raw_stride))
        return Window(
            center_x=_inside(center_x + step * x, width),
            center_y=_inside(center_y + step * y, height),
            stride=stride,
            sigma=self.sigma * stride * torch.exp(math.log(2) * torch.tanh(log_ratio)),
            intensity=torch.exp(torch.tanh(log_intensity)),
        )

    def _around(
        self, state: Tensor, previous: Window, glimpse: Tensor, uniforms: Tensor | None, *, height: int, width: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Returns the center before the step, column and row, and the length of a raw step of 1 in pixels, all of shape (B,)."""
        scores = self.gain * brightness(glimpse) + self.worth(state).view(-1, self.n, self.n)
        right, down = expected_offset(scores).unbind(dim=1)
        step = previous.stride * (self.n - 1) / 2 * self.reach
        return previous.center_x + previous.stride * right, previous.center_y + previous.stride * down, step


class Scatter(Pointer):
    """Chooses random windows: the baseline of `Pointer`.

    All centers but the first are uniformly random over the image. The first window, and the stride, sigma and intensity of all
    windows are chosen as by `Pointer`.

    Args:
        config: Settings of the model; its `sigma` is in strides.
    """

    takes_noise = True

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__(config)
        del self.worth, self.gain  # unused: the centers are random

    def _around(
        self, state: Tensor, previous: Window, glimpse: Tensor, uniforms: Tensor | None, *, height: int, width: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Returns a random center in the image, and a step length of 0."""
        if uniforms is None:
            raise ValueError("random windows require uniforms, the noise of their centers")
        x, y = at_least_float32(uniforms).unbind(dim=1)
        return (width - 1) * x, (height - 1) * y, torch.zeros_like(x)


PLACERS: dict[Parametrization, type[Locator] | type[Pointer]] = {"paper": Locator, "pointing": Pointer, "random": Scatter}
"""Class that chooses the windows, by parametrization."""


def brightness(glimpse: Tensor) -> Tensor:
    """Returns the mean of a glimpse over channels, shifted and scaled to mean 0 and maximum 1.

    Args:
        glimpse: Shape (B, C, n, n).

    Returns:
        Shape (B, n, n); close to 0 if the glimpse is uniform.
    """
    gray = at_least_float32(glimpse).mean(dim=1)
    above = gray - gray.mean(dim=(1, 2), keepdim=True)
    return above / (above.amax(dim=(1, 2), keepdim=True) + _FLAT)


def expected_offset(scores: Tensor) -> Tensor:
    """Returns the mean position of a window's filters under a softmax of their scores, relative to the window's center.

    Args:
        scores: Scores of the filters, rows before columns, shape (B, n, n).

    Returns:
        Position (x, y) in strides, shape (B, 2).
    """
    weights = torch.softmax(scores.flatten(1), dim=1).view_as(scores)
    offset = filter_offsets(scores.shape[1], scores)
    return torch.stack([weights.sum(dim=1) @ offset, weights.sum(dim=2) @ offset], dim=1)


def _log(value: float) -> float | Tensor:
    """Returns the logarithm of a number; of a symbolic number, which depends on the size of the image in an export, as a tensor."""
    return math.log(value) if isinstance(value, float) else torch.full((), value, dtype=torch.float64).log()


def _inside(center: Tensor, pixels: int) -> Tensor:
    """Returns the center clamped to the image, with a straight-through gradient."""
    return center + (center.clamp(0, pixels - 1) - center).detach()


def _with_small_weights(layer: nn.Linear) -> nn.Linear:
    """Returns the layer with its weights reduced to a tenth and its bias set to 0, so that its initial output is close to 0."""
    with torch.no_grad():
        layer.weight.mul_(0.1)
        layer.bias.zero_()
    return layer
