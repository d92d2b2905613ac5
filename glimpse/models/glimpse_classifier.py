"""Recurrent classifier that sees an image only through a few glimpses, read through windows that it chooses.

Positions are pixels counted from 0, x before y. Dimensions: B images, C channels, H rows, W columns, T glimpses of n x n.

References:
    K. Gregor, I. Danihelka, A. Graves, D. J. Rezende, D. Wierstra, "DRAW: A Recurrent Neural Network For Image Generation", 2015,
    arXiv:1502.04623, section 4.1 (differentiable RAM).
"""

from typing import Any

import torch
from torch import Tensor, nn

from glimpse.attention.precision import at_least_float32
from glimpse.attention.track import Track
from glimpse.attention.window import Window, read
from glimpse.models.base import ImageClassifier
from glimpse.models.encoder import GlimpseEncoder
from glimpse.models.inputs import check_inputs, training_noise
from glimpse.models.losses import supervised_loss
from glimpse.models.lstm import LSTM, LSTMState
from glimpse.models.placing import PLACERS
from glimpse.settings.glimpse_classifier import ClassifierConfig

__all__ = ["GlimpseClassifier"]


class GlimpseClassifier(ImageClassifier):
    """LSTM over T glimpses of n x n values with a class prediction after each; the state determines the next window.

    The first window is learned and the same for every image. The window of glimpse t depends on the state after glimpse t - 1 and,
    unless the parametrization is `paper`, on that glimpse and its window (see `glimpse.models.placing`). The number of parameters
    does not depend on the image's size.

    Args:
        config: Settings; the preset `tuned` if None.
    """

    config_class = ClassifierConfig
    config: ClassifierConfig

    def __init__(self, config: ClassifierConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ClassifierConfig()
        pixels = config.scales * config.channels * config.window**2
        self.encoder = GlimpseEncoder(pixels, config.features, location=4) if config.encoder == "mlp" else None
        self.lstm = LSTM(pixels if self.encoder is None else config.features, config.hidden)
        self.place = PLACERS[config.parametrization](config)
        self.classify = nn.Linear(config.hidden, config.classes)

    def forward(self, images: Tensor, glimpses: int | None = None, uniforms: Tensor | None = None) -> tuple[Tensor, Window]:
        """Returns the class logits after every glimpse and the windows.

        Args:
            images: Shape (B, C, H, W), 0 to 1; H and W may differ and change from call to call.
            glimpses: Number of glimpses T, at least 1; the config's if None.
            uniforms: Uniform noise in 0 to 1, shape (B, T, 2), which determines the centers of random windows; otherwise unused.

        Returns:
            Logits of shape (B, T, classes), and the windows of the finest scale, fields of shape (B, T), in pixels.

        Raises:
            ValueError: If the images have another number of channels than the model, there are no glimpses, or a random model gets
                no noise for each of them.
        """
        config = self.config
        glimpses = config.glimpses if glimpses is None else glimpses
        check_inputs(images, config.channels, glimpses, uniforms, self.classify.weight.dtype)
        state, window, finest = self.lstm.initial(images.shape[0]), None, None
        logits, windows = [], []
        for t in range(glimpses):
            noise = None if uniforms is None else uniforms[:, t]
            state, window, finest, scores = self._run_step(images, state, window, finest, noise)
            logits.append(scores)
            windows.append(window)
        return torch.stack(logits, dim=1), Window.stacked(windows)

    def look(
        self, images: Tensor, glimpses: int | None = None, uniforms: Tensor | None = None, *, patches: bool = False
    ) -> tuple[Tensor, tuple[Track, ...]]:
        """Returns the class logits after every glimpse and the windows as tracks.

        Args:
            images: Shape (B, C, H, W), 0 to 1.
            glimpses: Number of glimpses T; the config's if None.
            uniforms: Noise, as in `forward`.
            patches: Whether to include the glimpses in the tracks.

        Returns:
            Logits of shape (B, T, classes), and one track per scale.

        Raises:
            ValueError: As `forward`.
        """
        logits, window = self(images, glimpses, uniforms)
        n, steps = self.config.window, range(logits.shape[1])
        read_patches = None
        if patches:
            read_patches = torch.stack([self._read(images, window.at(t)) for t in steps], dim=1)
        return logits, tuple(
            Track("glimpse", scale, n, window.widened(2**scale), None if read_patches is None else read_patches[:, :, scale])
            for scale in range(self.config.scales)
        )

    @property
    def takes_noise(self) -> bool:
        """Whether predictions depend on noise: True with random windows."""
        return self.place.takes_noise

    @property
    def shows_windows(self) -> bool:
        """Whether the model has windows: True."""
        return True

    def inputs(self, glimpses: int | None = None, uniforms: Tensor | None = None) -> dict[str, Any]:
        """Returns the keyword arguments of the call in evaluation: the number of glimpses, and the noise of random windows."""
        return {"glimpses": glimpses} | ({"uniforms": uniforms} if self.takes_noise else {})

    def training_loss(self, network: nn.Module, batch: Any, generator: torch.Generator) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Returns the cross-entropy under the config's supervision, and the logits; see the base class."""
        noise = (None, training_noise(len(batch.images), self.glimpses, generator)) if self.takes_noise else ()
        logits: Tensor = network(batch.images, *noise)[0]
        return supervised_loss(logits, batch.labels, self.config.supervision), logits, {}

    def _step(
        self, images: Tensor, state: LSTMState, window: Window | None, finest: Tensor | None, noise: Tensor | None
    ) -> tuple[LSTMState, Window, Tensor, Tensor]:
        """Returns the state, the window, the glimpse of the finest scale and the logits after a glimpse.

        Args:
            images: Shape (B, C, H, W).
            state: State after the last glimpse.
            window: Last window; None before the first glimpse.
            finest: Last glimpse of the finest scale, shape (B, C, n, n); None before the first glimpse.
            noise: Uniform noise of a random window, shape (B, 2).
        """
        height, width = images.shape[2:]
        window = self.place(state.output, window, finest, noise, height=height, width=width)
        glimpse = self._read(images, window)  # (B, S, C, n, n)
        features = glimpse.flatten(1) if self.encoder is None else self.encoder(glimpse, _location(window, height, width))
        state = self.lstm(features, state)
        return state, window, glimpse[:, 0], at_least_float32(self.classify(state.output))

    def _read(self, images: Tensor, window: Window) -> Tensor:
        """Returns the glimpses of all S scales for the finest window, shape (B, S, C, n, n)."""
        n = self.config.window
        return torch.stack([read(images, window.widened(2**scale), n) for scale in range(self.config.scales)], dim=1)


def _location(window: Window, height: int, width: int) -> Tensor:
    """Returns the location of a window in an image of H x W pixels as four values of order 1, shape (B, 4)."""
    location = (
        2 * window.center_x / max(width - 1, 1) - 1,
        2 * window.center_y / max(height - 1, 1) - 1,
        window.stride.log(),
        (window.sigma / window.stride).log(),
    )
    return torch.stack(location, dim=1)
