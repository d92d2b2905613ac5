"""Recurrent classifier that sees an image only through a few glimpses of a window it moves itself.

Positions are pixels counted from 0, x before y. Dimensions: B images, C channels, H rows, W columns, T glimpses of n x n.

References:
    K. Gregor, I. Danihelka, A. Graves, D. J. Rezende, D. Wierstra, "DRAW: A Recurrent Neural Network For Image Generation", 2015,
    arXiv:1502.04623, section 4.1 (differentiable RAM).
"""

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glimpse.attention import Track, Window, read
from glimpse.config import ClassifierConfig, Supervision
from glimpse.filterbank import at_least_float32
from glimpse.linear import Linear
from glimpse.placing import PLACERS
from glimpse.recurrent import LSTM
from glimpse.weights import load_model

__all__ = ["GlimpseClassifier", "GlimpseEncoder", "check_input", "supervised_loss"]


class GlimpseClassifier(nn.Module):
    """LSTM with a softmax after every one of T glimpses of n x n numbers, read through a window that its state places.

    The window of glimpse t is a linear map of the state after glimpse t - 1, so that the first one is learned and the same for
    every image. The number of parameters does not depend on the image's size.

    Args:
        config: What it is made of; the preset `tuned` if None.
    """

    def __init__(self, config: ClassifierConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ClassifierConfig()
        pixels = config.scales * config.channels * config.window**2
        self.encoder = GlimpseEncoder(pixels, config.features, place=4) if config.encoder == "mlp" else None
        self.lstm = LSTM(pixels if self.encoder is None else config.features, config.hidden)
        self.place = PLACERS[config.parametrization](config)
        self.classify = nn.Linear(config.hidden, config.classes)

    @classmethod
    def from_pretrained(cls, path: str | Path) -> "GlimpseClassifier":
        """Returns the trained model of a run's folder, a weights file or `pretrained:NAME`, ready to evaluate.

        Raises:
            ValueError: If there is no such model, or it is no glimpse classifier.
            OSError: If the file cannot be read.
        """
        return load_model(cls, ClassifierConfig, path)

    def forward(self, images: Tensor, glimpses: int | None = None, uniforms: Tensor | None = None) -> tuple[Tensor, Window]:
        """Returns what the model believes after every glimpse and where it looked.

        Args:
            images: Shape (B, C, H, W), 0 to 1; H and W may differ and change from call to call.
            glimpses: Number of glimpses T, at least 1; the config's if None.
            uniforms: Noise in 0 to 1, shape (B, T, 2): the places of a model whose parametrisation is `random`; others ignore it.

        Returns:
            Logits of shape (B, T, classes) and a window whose fields have shape (B, T), in pixels: with several scales, the finest.

        Raises:
            ValueError: If the images have another number of channels than the model, there are no glimpses, or a random model gets
                no noise for each of them.
        """
        config = self.config
        glimpses = check_input(images, config.channels, config.glimpses if glimpses is None else glimpses, uniforms)
        batch, _, height, width = images.shape
        state, window, finest = self.lstm.initial(batch), None, None
        logits, windows = [], []
        for t in range(glimpses):
            noise = None if uniforms is None else uniforms[:, t]
            window = self.place(state.output, window, finest, noise, height=height, width=width)
            glimpse = self._see(images, window)  # (B, S, C, n, n)
            finest = glimpse[:, 0]
            seen = glimpse.flatten(1) if self.encoder is None else self.encoder(glimpse, _place(window, height, width))
            state = self.lstm(seen, state)
            logits.append(at_least_float32(self.classify(state.output)))
            windows.append(window)
        return torch.stack(logits, dim=1), Window(*(torch.stack(field, dim=1) for field in zip(*windows, strict=True)))

    def look(
        self, images: Tensor, glimpses: int | None = None, uniforms: Tensor | None = None, *, patches: bool = False
    ) -> tuple[Tensor, tuple[Track, ...]]:
        """Returns what `forward` does, the windows as tracks: what every model that looks through windows answers alike.

        Args:
            images: Shape (B, C, H, W), 0 to 1.
            glimpses: Number of glimpses T; the config's if None.
            uniforms: Noise, as in `forward`.
            patches: Whether the tracks are to hold what was seen.

        Returns:
            Logits of shape (B, T, classes) and one track a scale.
        """
        logits, window = self(images, glimpses, uniforms)
        n, steps = self.config.window, range(logits.shape[1])
        seen = None
        if patches:
            seen = torch.stack([self._see(images, Window(*(field[:, t] for field in window))) for t in steps], dim=1)
        return logits, tuple(
            Track("glimpse", scale, n, window.widened(2**scale), None if seen is None else seen[:, :, scale])
            for scale in range(self.config.scales)
        )

    def _see(self, images: Tensor, window: Window) -> Tensor:
        """Returns the glimpses of every scale around a window, shape (B, S, C, n, n)."""
        n = self.config.window
        return torch.stack([read(images, window.widened(2**scale), n) for scale in range(self.config.scales)], dim=1)


class GlimpseEncoder(nn.Module):
    """What the glimpse shows and where it lies, as features for the LSTM: a normalised two-layer network plus a linear map.

    Args:
        pixels: Numbers in a glimpse.
        features: Size of the result.
        place: Numbers that say where it lies.
    """

    def __init__(self, pixels: int, features: int, place: int) -> None:
        super().__init__()
        self.what = nn.Sequential(
            Linear(pixels, 2 * features),
            nn.LayerNorm(2 * features),
            nn.ReLU(),
            Linear(2 * features, features),
            nn.LayerNorm(features),
        )
        self.where = nn.Linear(place, features)

    def forward(self, glimpse: Tensor, place: Tensor) -> Tensor:
        """Returns features of shape (B, features) for what was seen, (B, ...), and where, (B, place)."""
        features: Tensor = F.relu(self.what(glimpse.flatten(1)) + self.where(place))
        return features


def check_input(images: Tensor, channels: int, glimpses: int, uniforms: Tensor | None) -> int:
    """Returns the number of glimpses, when what a model that looks through windows was given fits it.

    Raises:
        ValueError: If the images have another number of channels, there are no glimpses, or the noise has another shape.
    """
    if images.ndim != 4 or images.shape[1] != channels:
        raise ValueError(f"images must have shape (B, {channels}, H, W), got {tuple(images.shape)}")
    if glimpses < 1:
        raise ValueError(f"glimpses must be at least 1, got {glimpses}")
    if uniforms is not None and uniforms.shape != (len(images), glimpses, 2):
        raise ValueError(f"uniforms must have shape ({len(images)}, {glimpses}, 2), got {tuple(uniforms.shape)}")
    return glimpses


def _place(window: Window, height: int, width: int) -> Tensor:
    """Returns where a window lies in an image of height x width as four numbers of order 1, shape (B, 4)."""
    place = (
        2 * window.center_x / max(width - 1, 1) - 1,
        2 * window.center_y / max(height - 1, 1) - 1,
        window.stride.log(),
        (window.sigma / window.stride).log(),
    )
    return torch.stack(place, dim=1)


def supervised_loss(logits: Tensor, labels: Tensor, supervision: Supervision) -> Tensor:
    """Returns the cross-entropy in nats, averaged over images and over the glimpses that are supervised.

    Args:
        logits: Shape (B, T, classes).
        labels: Shape (B,).
        supervision: `last` counts the last prediction alone; `linear` weights prediction t by t.

    Returns:
        A scalar.
    """
    if supervision == "last":
        return F.cross_entropy(logits[:, -1], labels)
    steps = logits.shape[1]
    nll = F.cross_entropy(logits.flatten(0, 1), labels.repeat_interleave(steps), reduction="none").view(-1, steps)  # (B, T)
    weights = torch.arange(1, steps + 1).to(nll)
    return (nll.mean(dim=0) * weights).sum() / weights.sum()
