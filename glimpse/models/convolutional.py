"""Classifiers that see the whole image at once: the two-layer baseline of the papers, and a batch-normalized convnet.

They answer as the glimpse classifiers do, with one prediction for T = 1 look, so that all are trained and evaluated alike.
Dimensions: B images, C channels, H rows, W columns.

References:
    V. Mnih, N. Heess, A. Graves, K. Kavukcuoglu, "Recurrent Models of Visual Attention", 2014, arXiv:1406.6247 (the baseline).
    K. Gregor, I. Danihelka, A. Graves, D. J. Rezende, D. Wierstra, "DRAW: A Recurrent Neural Network For Image Generation", 2015,
    arXiv:1502.04623, Table 1 (its error).
    S. Ioffe, C. Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift", 2015,
    arXiv:1502.03167.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glimpse.attention.precision import at_least_float32
from glimpse.models.base import ImageClassifier
from glimpse.settings.convolutional import ConvConfig, ConvNetConfig

__all__ = ["ConvNet", "TwoLayerConv", "check_shape", "normalized_convolution", "strided_stages"]

_STAGES = ((2, 2), (4, 3))  # for each stage: multiple of the first layer's filters, and number of convolutions
_AT_ONCE = 25  # images in evaluation on a CPU: features of more are fresh memory for every layer, whose pages are slow to get


class TwoLayerConv(ImageClassifier):
    """One strided convolution and one fully connected layer, both rectified, before a softmax.

    The baseline of RAM (Mnih et al., 2014, arXiv:1406.6247) and of DRAW's Table 1. The fully connected layer ties it to one size
    of images, the config's; rows and columns at the end that no filter fits into are not seen.

    Args:
        config: Settings; the papers' if None.
    """

    config_class = ConvConfig
    config: ConvConfig

    def __init__(self, config: ConvConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ConvConfig()
        rows, columns = ((side - config.kernel) // config.step + 1 for side in (config.height, config.width))
        self.convolve = nn.Conv2d(config.channels, config.filters, config.kernel, config.step)
        self.connect = nn.Linear(config.filters * rows * columns, config.hidden)
        self.classify = nn.Linear(config.hidden, config.classes)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Returns what the model believes.

        Args:
            images: Shape (B, C, H, W) with the config's C, H and W, 0 to 1.

        Returns:
            A tuple of the logits only, shape (B, 1, classes), at least float32.

        Raises:
            ValueError: If the images have another shape.
        """
        config = self.config
        if images.ndim != 4 or images.shape[1:] != (config.channels, config.height, config.width):
            expected = f"(B, {config.channels}, {config.height}, {config.width})"
            raise ValueError(f"images must have shape {expected}, got {tuple(images.shape)}")
        seen = F.relu(self.convolve(images)).flatten(1)
        logits = self.classify(F.relu(self.connect(seen)))
        return (at_least_float32(logits)[:, None],)


class ConvNet(ImageClassifier):
    """Batch-normalized convnet over the whole image, with the maximum over all places before the softmax.

    A 5 x 5 convolution of stride 2, then stages of 3 x 3 convolutions whose first one has stride 2. A digit is in one place among
    clutter: the maximum over places keeps what was seen there, where their average would drown it. The number of parameters does
    not depend on the image's size.

    Args:
        config: Settings; the defaults if None.
    """

    config_class = ConvNetConfig
    config: ConvNetConfig

    def __init__(self, config: ConvNetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ConvNetConfig()
        self.stages = strided_stages(config.channels, config.filters, _STAGES)
        self.classify = nn.Linear(_STAGES[-1][0] * config.filters, config.classes)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        """Returns what the model believes.

        Args:
            images: Shape (B, C, H, W), 0 to 1; H and W may differ and change from call to call.

        Returns:
            A tuple of the logits only, shape (B, 1, classes), at least float32.

        Raises:
            ValueError: If the images have another number of channels than the model, or no pixels.
        """
        check_shape(images, self.config.channels)
        seen = torch.cat([self.stages(share).amax(dim=(2, 3)) for share in self._shares(images)])
        logits = self.classify(seen)
        return (at_least_float32(logits)[:, None],)

    def _shares(self, images: Tensor) -> list[Tensor]:
        """Returns the images in shares that a CPU's cache holds the features of, where no image's answer depends on another."""
        if self.training or torch.is_grad_enabled() or images.device.type != "cpu" or torch.compiler.is_compiling():
            return [images]
        return [images[first : first + _AT_ONCE] for first in range(0, max(1, len(images)), _AT_ONCE)]


def strided_stages(channels: int, filters: int, stages: Sequence[tuple[int, int]]) -> nn.Sequential:
    """Returns a batch-normalized, rectified convnet: a 5 x 5 convolution of stride 2, then stages of 3 x 3 convolutions.

    The first convolution of each stage has stride 2, so that S stages answer in steps of 2^(S + 1) pixels; place i of the result,
    along either axis, is centered on pixel 2^(S + 1) i of the image.

    Args:
        channels: Channels of the images.
        filters: Filters of the first layer.
        stages: For each stage its filters, as a multiple of the first layer's, and its number of convolutions.
    """
    layers = [*normalized_convolution(channels, filters, side=5, step=2)]
    incoming = filters
    for multiple, count in stages:
        for number in range(count):
            layers += normalized_convolution(incoming, multiple * filters, step=1 if number else 2)
            incoming = multiple * filters
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)  # a third faster on a CPU


def normalized_convolution(incoming: int, outgoing: int, *, side: int = 3, step: int = 1, momentum: float = 0.1) -> nn.Sequential:
    """Returns a convolution with "same" padding, followed by batch normalization and a ReLU.

    Args:
        incoming: Number of input channels.
        outgoing: Number of output channels.
        side: Side of the filters in pixels, odd.
        step: Stride of the convolution in pixels.
        momentum: Weight of a batch in the running statistics.
    """
    convolution = nn.Conv2d(incoming, outgoing, side, step, padding=side // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outgoing, momentum=momentum), nn.ReLU(inplace=True))


def check_shape(images: Tensor, channels: int) -> None:
    """Raises ValueError if images are not of shape (B, channels, H, W) with at least one pixel."""
    if images.ndim != 4 or images.shape[1] != channels or 0 in images.shape[2:]:
        raise ValueError(f"images must have shape (B, {channels}, H, W), got {tuple(images.shape)}")
