"""Where the window goes next: DRAW's own parametrization, and one that points at what the last glimpse showed.

Positions are pixels counted from 0, x before y. Dimensions: B images of H x W pixels, a window of n x n filters.

References:
    K. Gregor, I. Danihelka, A. Graves, D. J. Rezende, D. Wierstra, "DRAW: A Recurrent Neural Network For Image Generation", 2015,
    arXiv:1502.04623, eqs. 21-24.
"""

import math

import torch
from torch import Tensor, nn

from glimpse.attention.filterbank import filter_offsets
from glimpse.attention.precision import at_least_float32, in_float32
from glimpse.attention.window import Window
from glimpse.models.linear import Linear
from glimpse.settings.glimpse_classifier import ClassifierConfig, Parametrization

__all__ = ["FINEST_STRIDE", "PLACERS", "Locator", "Pointer", "Scatter", "brightness", "expected_offset"]

FINEST_STRIDE = 0.75
"""Smallest stride of a window that a pointer places, in pixels."""

_FIRST_PLACE = 4.0  # raw stride of the first window: it sees the whole image
_GAIN = 5.0  # of brightness at the start: the brightest filter weighs e^5 times the mean one
_FLAT = 1e-3  # contrast below which a glimpse shows nothing to point at


class Locator(nn.Module):
    """Places the window by DRAW's eqs. 21-24: five numbers, a linear map of the state, decoded by `Window.from_raw`.

    Args:
        config: Settings: its window, hidden units, and sigma in pixels at the start.
    """

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        self.n = config.window
        self.raw = _quiet(nn.Linear(config.hidden, 5))
        with torch.no_grad():
            self.raw.bias[2] = 2 * math.log(config.sigma)

    @in_float32
    def forward(
        self, state: Tensor, previous: Window | None, glimpse: Tensor | None, uniforms: Tensor | None, *, height: int, width: int
    ) -> Window:
        """Returns the window that a state (B, hidden) asks for; what came before does not matter, nor does noise."""
        return Window.from_raw(self.raw(state), n=self.n, height=height, width=width)


class Pointer(nn.Module):
    r"""Places the window where the last glimpse showed something, with bounds in place of free exponentials.

    The next center is the mean of a softmax over the n x n filters of the last window, plus a step:

    .. math:: g' = g + \delta \sum_{ij} p_{ij} (i, j) + \rho \tfrac{(n - 1) \delta}{2} (x, y), \quad
        p = \text{softmax}(\beta \, b + W h)

    with b the brightness of the glimpse relative to its mean and maximum, beta a learned gain that starts at 5, h the state, rho
    the config's reach, and (i, j) counted from the window's center. So from the first step the window goes to what is bright, and
    there is no plateau on which it must find the digit by chance; W learns what is worth looking at. The center stays inside the
    image, but the gradient passes as if it did not, so that a window at the edge finds back. No gradient passes from a window to
    the one before it, neither through its place nor through what it read: with chains of eight windows training was slower and
    gradients reached a mean norm of 60. The stride is between 0.75 px and the one that spans the longer side; sigma is within
    a factor of 2 of a fixed number of strides, so that little is aliased; the intensity within a factor of e.

    Args:
        config: Settings: its window, hidden units, and sigma in strides at the start.
    """

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        self.n, self.sigma, self.reach = config.window, config.sigma, config.reach
        self.raw = _quiet(nn.Linear(config.hidden, 5))
        self.worth = _quiet(Linear(config.hidden, self.n**2))
        self.gain = nn.Parameter(torch.tensor(_GAIN))

    @in_float32
    def forward(
        self, state: Tensor, previous: Window | None, glimpse: Tensor | None, uniforms: Tensor | None, *, height: int, width: int
    ) -> Window:
        """Returns the next window.

        Args:
            state: Output of the LSTM, shape (B, hidden).
            previous: The window before, fields of shape (B,); None for the first, which is learned and sees the whole image.
            glimpse: What it read, shape (B, C, n, n); None for the first.
            uniforms: Noise in 0 to 1, shape (B, 2), for what is random about the window; a pointer needs none.
            height: Rows H of the image.
            width: Columns W of the image.

        Returns:
            Window with fields of shape (B,), at least float32.
        """
        x, y, log_ratio, place, log_intensity = self.raw(state).unbind(dim=1)
        coarsest = (max(height, width) - 1) / max(self.n - 1, 1)
        if previous is None or glimpse is None:
            place = place + _FIRST_PLACE
            center_x, center_y = torch.full_like(x, (width - 1) / 2), torch.full_like(y, (height - 1) / 2)
            step = torch.full_like(x, (max(height, width) - 1) / 2 * self.reach)
        else:
            previous, glimpse = previous.detached(), glimpse.detach()
            center_x, center_y, step = self._around(state, previous, glimpse, uniforms, height=height, width=width)
        stride = FINEST_STRIDE * torch.exp(math.log(max(coarsest / FINEST_STRIDE, 1.0)) * torch.sigmoid(place))
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
        """Returns what the window's center starts from, column and row, and how far a raw step of 1 moves it, all of shape (B,)."""
        scores = self.gain * brightness(glimpse) + self.worth(state).view(-1, self.n, self.n)
        right, down = expected_offset(scores).unbind(dim=1)
        step = previous.stride * (self.n - 1) / 2 * self.reach
        return previous.center_x + previous.stride * right, previous.center_y + previous.stride * down, step


class Scatter(Pointer):
    """Places windows anywhere: what a pointer is worth shows against it.

    The first window, stride, sigma and intensity are a pointer's; all centers but the first are uniform over the image.

    Args:
        config: Settings: its window, hidden units, and sigma in strides at the start.
    """

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__(config)
        del self.worth, self.gain  # it points at nothing

    def _around(
        self, state: Tensor, previous: Window, glimpse: Tensor, uniforms: Tensor | None, *, height: int, width: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Returns a center anywhere in the image, and that no raw step moves it."""
        if uniforms is None:
            raise ValueError("windows at random need uniforms, the noise of their places")
        x, y = at_least_float32(uniforms).unbind(dim=1)
        return (width - 1) * x, (height - 1) * y, torch.zeros_like(x)


PLACERS: dict[Parametrization, type[Locator] | type[Pointer]] = {"paper": Locator, "pointing": Pointer, "random": Scatter}
"""Class that places the windows, by the name of its parametrization."""


def brightness(glimpse: Tensor) -> Tensor:
    """Returns a glimpse, averaged over channels, on a scale where its mean is 0 and its maximum 1.

    Args:
        glimpse: Shape (B, C, n, n).

    Returns:
        Shape (B, n, n); nearly 0 everywhere if the glimpse is flat.
    """
    gray = at_least_float32(glimpse).mean(dim=1)
    above = gray - gray.mean(dim=(1, 2), keepdim=True)
    return above / (above.amax(dim=(1, 2), keepdim=True) + _FLAT)


def expected_offset(scores: Tensor) -> Tensor:
    """Returns the mean position of the filters of a glimpse under a softmax of their scores, relative to the window's center.

    Args:
        scores: Shape (B, n, n).

    Returns:
        Position (x, y) in strides, shape (B, 2).
    """
    weights = torch.softmax(scores.flatten(1), dim=1).view_as(scores)
    offset = filter_offsets(scores.shape[1], scores)
    return torch.stack([weights.sum(dim=1) @ offset, weights.sum(dim=2) @ offset], dim=1)


def _inside(center: Tensor, pixels: int) -> Tensor:
    """Returns the center moved into the image; its gradient is that of the center as it was."""
    return center + (center.clamp(0, pixels - 1) - center).detach()


def _quiet(layer: nn.Linear) -> nn.Linear:
    """Returns the layer with small weights and no bias, so that training starts from what its zero stands for."""
    with torch.no_grad():
        layer.weight.mul_(0.1)
        layer.bias.zero_()
    return layer
