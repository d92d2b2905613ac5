"""Classifier behind a spatial transformer: a convnet over the whole image decides where a small window is read.

Coordinates are the source's, x before y: the outer edges of the first and last pixel are at -1 and 1, so that pixel p of A, counted
from 0, is centered on (2 p + 1) / A - 1. Dimensions: B images, C channels, H rows, W columns, a window of n x n.

References:
    M. Jaderberg, K. Simonyan, A. Zisserman, K. Kavukcuoglu, "Spatial Transformer Networks", 2015, arXiv:1506.02025.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glimpse.attention.precision import at_least_float32, in_float32
from glimpse.models.base import ImageClassifier
from glimpse.models.convolutional import check_shape, strided_stages
from glimpse.settings.spatial_transformer import SpatialTransformerConfig

__all__ = ["Localizer", "SpatialTransformer", "affine_read"]

_STAGES = ((2, 1), (4, 2))  # of the localization network
_STEP = 2 ** (len(_STAGES) + 1)  # pixels from one of its places to the next
_FIRST_SCALE = 0.35  # side of the window at the start, as a part of the image's


class SpatialTransformer(ImageClassifier):
    """Reads one n x n window through an affine matrix that a localization network chooses, and classifies what it shows.

    Jaderberg et al. (2015, arXiv:1506.02025), with one departure: the localization network points (see `Localizer`). The window is
    read by bilinear interpolation, as in the source: where its points are more than a pixel apart, as when 12 x 12 of them cover a
    digit of 28 x 28, pixels between them are not seen and the window is aliased. That is a property of the method and left as it
    is. The number of parameters does not depend on the image's size.

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
        """Returns what the model believes and where it looked.

        Args:
            images: Shape (B, C, H, W), 0 to 1; H and W may differ and change from call to call.

        Returns:
            Logits of shape (B, 1, classes) and affine matrices of shape (B, 2, 3) from the window's coordinates to the image's,
            both at least float32.

        Raises:
            ValueError: If the images have another number of channels than the model, or no pixels.
        """
        check_shape(images, self.config.channels)
        affine = self.localise(images)
        window = affine_read(images, affine, self.config.window)
        logits = self.classify(self.what(window.flatten(1)))
        return at_least_float32(logits)[:, None], affine


class Localizer(nn.Module):
    r"""Localization network: a strided, batch-normalized convnet over the whole image that points at a place.

    .. math:: A = s \, (I + R), \quad t = \sum_{ij} p_{ij} (x_j, y_i) + s \, r, \quad p = \text{softmax}(w \cdot f_{ij}),
        \quad (R, r) = L \Big( \sum_{ij} p_{ij} f_{ij} \Big)

    with f the features at the places (x_j, y_i) of the image and s the scale at the start. The source maps the features of the
    whole image to six free numbers; among clutter these must find the digit by chance before they learn anything. The mean of a
    softmax over places is near whatever the features answer to, wherever that is, and L has only what is left to learn: scale,
    rotation, shear and the rest of the way.

    Args:
        channels: Channels of the images.
        filters: Filters of its first layer.
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
        return self._placed(self.stages(images), images)

    @in_float32
    def _placed(self, features: Tensor, images: Tensor) -> Tensor:
        """Returns the affine matrices for features (B, F, rows, columns) of images (B, C, H, W)."""
        features = features.permute(0, 2, 3, 1)  # (B, rows, columns, F)
        weights = torch.softmax(self.worth(features).flatten(1), dim=1).view(features.shape[:3])
        x, y = _places(weights.shape[2], images.shape[3], weights), _places(weights.shape[1], images.shape[2], weights)
        pointed = torch.stack([weights.sum(dim=1) @ x, weights.sum(dim=2) @ y], dim=1)  # (B, 2)
        rest = self.rest(torch.einsum("bijf,bij->bf", features, weights)).view(-1, 2, 3)
        start = torch.eye(2, 3).to(rest)
        affine: Tensor = F.pad(pointed[:, :, None], (2, 0)) + _FIRST_SCALE * (start + rest)
        return affine


@in_float32
def affine_read(images: Tensor, affine: Tensor, n: int) -> Tensor:
    """Returns the n x n window that affine matrices place on images, by bilinear interpolation; outside the image all is 0.

    The identity reads the whole image. Sixteen-bit inputs are computed in float32, under autocast too.

    Args:
        images: Shape (B, C, H, W).
        affine: Matrices from the window's coordinates to the image's, shape (B, 2, 3).
        n: Side of the window.

    Returns:
        Shape (B, C, n, n).
    """
    grid = F.affine_grid(affine, [*images.shape[:2], n, n], align_corners=False)
    window: Tensor = F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return window


def _places(count: int, pixels: int, like: Tensor) -> Tensor:
    """Returns the coordinates of the localization network's places along an axis of `pixels` pixels, shape (count,)."""
    pixel: Tensor = _STEP * torch.arange(count, dtype=like.dtype, device=like.device)
    return (2 * pixel + 1) / pixels - 1
