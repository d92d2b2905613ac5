"""Convolutional classifiers of the whole image: the two-layer baseline of the papers, and a batch-normalized network.

Their logits have the shape of a glimpse classifier's with T = 1, so that all are trained and evaluated in the same way. Dimensions:
B images, C channels, H rows, W columns.

References:
    V. Mnih, N. Heess, A. Graves, K. Kavukcuoglu, "Recurrent Models of Visual Attention", 2014, arXiv:1406.6247 (baseline).
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
from glimpse.models.inputs import check_images
from glimpse.settings.convolutional import ConvConfig, ConvNetConfig

__all__ = ["AVERAGING_MOMENTUM", "ConvNet", "TwoLayerConv", "normalized_convolution", "strided_stages"]

AVERAGING_MOMENTUM = 0.02
"""Momentum of batch normalization with running statistics over about 50 steps, for networks whose weights are averaged."""

_STAGES = ((2, 2), (4, 3))  # per stage: filters as a multiple of the first layer's, and number of convolutions
_CHUNK = 25  # images at once in evaluation on a CPU: the features of more would be allocated anew in every layer, which is slow


class TwoLayerConv(ImageClassifier):
    """Strided convolution and fully connected layer, each followed by a ReLU, and a softmax.

    The baseline of RAM (Mnih et al., 2014, arXiv:1406.6247) and of Table 1 of DRAW. The fully connected layer requires images of
    the config's size. Rows and columns at the end are ignored if no filter fits into them.

    Args:
        config: Settings; those of the papers if None.
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
        """Returns the class logits.

        Args:
            images: Shape (B, C, H, W) with the config's C, H and W, 0 to 1.

        Returns:
            A tuple of one entry: logits of shape (B, 1, classes), at least float32.

        Raises:
            ValueError: If the images have another shape.
        """
        config = self.config
        check_images(images, config.channels, (config.height, config.width))
        features = F.relu(self.convolve(images)).flatten(1)
        logits = self.classify(F.relu(self.connect(features)))
        return (at_least_float32(logits)[:, None],)


class ConvNet(ImageClassifier):
    """Batch-normalized convolutional network over the whole image, with global max pooling before the softmax.

    A 5 x 5 convolution of stride 2 is followed by stages of 3 x 3 convolutions, the first of each stage with stride 2. The digit is
    at one position among clutter: max pooling keeps its features, whereas average pooling would dilute them. The number of
    parameters does not depend on the image's size.

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
        """Returns the class logits.

        Args:
            images: Shape (B, C, H, W), 0 to 1; H and W may differ and change from call to call.

        Returns:
            A tuple of one entry: logits of shape (B, 1, classes), at least float32.

        Raises:
            ValueError: If the number of channels is not the config's, or the images have no pixels.
        """
        check_images(images, self.config.channels)
        features = torch.cat([self.stages(chunk).amax(dim=(2, 3)) for chunk in self._chunks(images)])
        logits = self.classify(features)
        return (at_least_float32(logits)[:, None],)

    def _chunks(self, images: Tensor) -> list[Tensor]:
        """Returns the images in chunks whose features fit into a CPU's cache, or in one chunk unless evaluated eagerly on a CPU."""
        if self.training or torch.is_grad_enabled() or images.device.type != "cpu" or torch.compiler.is_compiling():
            return [images]
        return [images[first : first + _CHUNK] for first in range(0, max(1, len(images)), _CHUNK)]


def strided_stages(channels: int, filters: int, stages: Sequence[tuple[int, int]]) -> nn.Sequential:
    """Returns a batch-normalized convolutional network: a 5 x 5 convolution of stride 2, then stages of 3 x 3 convolutions.

    The first convolution of each stage has stride 2. With S stages the total stride is 2^(S + 1) pixels: output i along either axis
    is centered on pixel 2^(S + 1) i of the image.

    Args:
        channels: Number of image channels.
        filters: Number of filters in the first layer.
        stages: For each stage, its number of filters as a multiple of the first layer's, and its number of convolutions.
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
        momentum: Momentum of the running statistics.
    """
    convolution = nn.Conv2d(incoming, outgoing, side, step, padding=side // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outgoing, momentum=momentum), nn.ReLU(inplace=True))
