"""Spatial transformer classifier: a convolutional network over the whole image chooses a small window, which is classified.

Coordinates are those of the source, x before y: the outer edges of the first and last pixel are at -1 and 1, so that pixel p of A,
counted from 0, is centered on (2 p + 1) / A - 1. Dimensions: B images, C channels, H rows, W columns, a window of n x n values.

References:
    M. Jaderberg, K. Simonyan, A. Zisserman, K. Kavukcuoglu, "Spatial Transformer Networks", 2015, arXiv:1506.02025.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glimpse.attention.precision import at_least_float32, in_float32
from glimpse.models.base import ImageClassifier
from glimpse.models.convolutional import strided_stages
from glimpse.models.inputs import check_images
from glimpse.settings.spatial_transformer import SpatialTransformerConfig

__all__ = ["Localizer", "SpatialTransformer", "affine_read"]

_STAGES = ((2, 1), (4, 2))  # stages of the localization network
_STEP = 2 ** (len(_STAGES) + 1)  # its stride in pixels
_FIRST_SCALE = 0.35  # initial side of the window, as a fraction of the image's


class SpatialTransformer(ImageClassifier):
    """Localization network, affine sampling of one n x n window, and a classifier of the window.

    The method is that of Jaderberg et al. (2015, arXiv:1506.02025), with one departure: the localization network points to a
    position (see `Localizer`). The window is sampled by bilinear interpolation, as in the source. If its points are more than a
    pixel apart, for example if 12 x 12 points cover a digit of 28 x 28 pixels, it is aliased. The number of parameters does not
    depend on the image's size.

    Args:
        config: Settings; the defaults if None.
    """

    config_class = SpatialTransformerConfig
    config: SpatialTransformerConfig

    def __init__(self, config: SpatialTransformerConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or SpatialTransformerConfig()
        self.localise = Localizer(config.channels, config.filters)  # spelled as in the shipped weights
        self.what = nn.Sequential(
            nn.Linear(config.channels * config.window**2, 2 * config.features),
            nn.LayerNorm(2 * config.features),
            nn.ReLU(),
            nn.Linear(2 * config.features, config.features),
            nn.LayerNorm(config.features),
            nn.ReLU(),
        )
        self.classify = nn.Linear(config.features, config.classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the class logits and the affine matrices of the windows.

        Args:
            images: Shape (B, C, H, W), 0 to 1; H and W may differ and change from call to call.

        Returns:
            Logits of shape (B, 1, classes) and affine matrices of shape (B, 2, 3) from the window's coordinates to the image's,
            both at least float32.

        Raises:
            ValueError: If the number of channels is not the config's, or the images have no pixels.
        """
        check_images(images, self.config.channels, weights=self.classify.weight.dtype)
        affine = self.localise(images)
        window = affine_read(images, affine, self.config.window)
        logits = self.classify(self.what(window.flatten(1)))
        return at_least_float32(logits)[:, None], affine

    def named_outputs(self, images: Tensor, **inputs: Any) -> dict[str, Tensor]:
        """Returns `probabilities`, shape (B, 1, K), and `affine`, the matrices of the windows, shape (B, 2, 3)."""
        logits, affine = self(images)
        return {"probabilities": logits.softmax(dim=-1), "affine": affine}


class Localizer(nn.Module):
    r"""Localization network: a batch-normalized convolutional network over the whole image that points to a position.

    .. math:: A = s \, (I + R), \quad t = \sum_{ij} p_{ij} (x_j, y_i) + s \, r, \quad p = \text{softmax}(w \cdot f_{ij}),
        \quad (R, r) = L \Big( \sum_{ij} p_{ij} f_{ij} \Big)

    with f the features at the positions (x_j, y_i) of the image, s the initial scale, and L a linear map initialized to 0. In the
    source the features of the whole image are mapped to six unconstrained values; among clutter, training must then find the digit
    by chance before it makes progress. The mean position under a softmax is close to the position to which the features respond,
    and L has to learn only the scale, rotation, shear and a residual translation.

    Args:
        channels: Number of image channels.
        filters: Number of filters in the first layer.
    """

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        features = _STAGES[-1][0] * filters
        self.stages = strided_stages(channels, filters, _STAGES)
        self.worth = nn.Linear(features, 1, bias=False)
        self.rest = nn.Linear(features, 6)
        nn.init.zeros_(self.rest.weight)
        nn.init.zeros_(self.rest.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Returns affine matrices of shape (B, 2, 3), at least float32, for images (B, C, H, W)."""
        return self._affine(self.stages(images), images)

    @in_float32
    def _affine(self, features: Tensor, images: Tensor) -> Tensor:
        """Returns the affine matrices for features (B, F, rows, columns) of images (B, C, H, W)."""
        features = features.permute(0, 2, 3, 1)  # (B, rows, columns, F)
        weights = torch.softmax(self.worth(features).flatten(1), dim=1).view(features.shape[:3])
        x, y = _positions(weights.shape[2], images.shape[3], weights), _positions(weights.shape[1], images.shape[2], weights)
        pointed = torch.stack([weights.sum(dim=1) @ x, weights.sum(dim=2) @ y], dim=1)  # (B, 2)
        rest = self.rest(torch.einsum("bijf,bij->bf", features, weights)).view(-1, 2, 3)
        start = torch.eye(2, 3, dtype=rest.dtype, device=rest.device)
        affine: Tensor = F.pad(pointed[:, :, None], (2, 0)) + _FIRST_SCALE * (start + rest)
        return affine


@in_float32
def affine_read(images: Tensor, affine: Tensor, n: int) -> Tensor:
    """Returns the n x n windows that affine matrices sample from images by bilinear interpolation, with zeros outside the image.

    The identity samples the whole image. Sixteen-bit inputs are converted to float32, also under autocast.

    Args:
        images: Shape (B, C, H, W).
        affine: Matrices from the window's coordinates to the image's, shape (B, 2, 3).
        n: Side of the window.

    Returns:
        Windows, shape (B, C, n, n).
    """
    if images.shape[0] == 0:
        return images.new_empty(0, images.shape[1], n, n)  # which affine_grid refuses
    grid = F.affine_grid(affine, [*images.shape[:2], n, n], align_corners=False)
    window: Tensor = F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return window


def _positions(count: int, pixels: int, like: Tensor) -> Tensor:
    """Returns the coordinates of the localization network's outputs along an axis of this number of pixels, shape (count,)."""
    pixel: Tensor = _STEP * torch.arange(count, dtype=like.dtype, device=like.device)
    return (2 * pixel + 1) / pixels - 1
