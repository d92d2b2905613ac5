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
from glimpse.placing import Locator, Pointer
from glimpse.recurrent import LSTM
from glimpse.weights import load_model

__all__ = ["GlimpseClassifier", "GlimpseEncoder", "supervised_loss"]


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
        pixels = config.channels * config.window**2
        self.encoder = GlimpseEncoder(pixels, config.features) if config.encoder == "mlp" else None
        self.lstm = LSTM(pixels if self.encoder is None else config.features, config.hidden)
        self.place: Locator | Pointer = (Locator if config.parametrization == "paper" else Pointer)(config)
        self.classify = nn.Linear(config.hidden, config.classes)

    @classmethod
    def from_pretrained(cls, path: str | Path) -> "GlimpseClassifier":
        """Returns the trained model of a run's folder, a weights file or `pretrained:NAME`, ready to evaluate.

        Raises:
            ValueError: If there is no such model, or it is no glimpse classifier.
            OSError: If the file cannot be read.
        """
        return load_model(cls, ClassifierConfig, path)

    def forward(self, images: Tensor, glimpses: int | None = None) -> tuple[Tensor, Window]:
        """Returns what the model believes after every glimpse and where it looked.

        Args:
            images: Shape (B, C, H, W), 0 to 1; H and W may differ and change from call to call.
            glimpses: Number of glimpses T, at least 1; the config's if None.

        Returns:
            Logits of shape (B, T, classes) and a window whose fields have shape (B, T), in pixels.

        Raises:
            ValueError: If the images have another number of channels than the model, or there are no glimpses.
        """
        config = self.config
        if images.ndim != 4 or images.shape[1] != config.channels:
            raise ValueError(f"images must have shape (B, {config.channels}, H, W), got {tuple(images.shape)}")
        glimpses = config.glimpses if glimpses is None else glimpses
        if glimpses < 1:
            raise ValueError(f"glimpses must be at least 1, got {glimpses}")
        batch, _, height, width = images.shape
        state, window, glimpse = self.lstm.initial(batch), None, None
        logits, windows = [], []
        for _ in range(glimpses):
            window = self.place(state.output, window, glimpse, height=height, width=width)
            glimpse = read(images, window, config.window)
            seen = glimpse.flatten(1) if self.encoder is None else self.encoder(glimpse, window, height, width)
            state = self.lstm(seen, state)
            logits.append(at_least_float32(self.classify(state.output)))
            windows.append(window)
        return torch.stack(logits, dim=1), Window(*(torch.stack(field, dim=1) for field in zip(*windows, strict=True)))

    def look(self, images: Tensor, glimpses: int | None = None, *, patches: bool = False) -> tuple[Tensor, tuple[Track, ...]]:
        """Returns what `forward` does, the windows as tracks: what every model that looks through windows answers alike.

        Args:
            images: Shape (B, C, H, W), 0 to 1.
            glimpses: Number of glimpses T; the config's if None.
            patches: Whether the tracks are to hold what was seen.

        Returns:
            Logits of shape (B, T, classes) and one track.
        """
        logits, window = self(images, glimpses)
        n, steps = self.config.window, range(logits.shape[1])
        seen = [read(images, Window(*(field[:, t] for field in window)), n) for t in steps] if patches else None
        return logits, (Track("glimpse", 0, n, window, None if seen is None else torch.stack(seen, dim=1)),)


class GlimpseEncoder(nn.Module):
    """What the glimpse shows and where it lies, as features for the LSTM: a normalised two-layer network plus a linear map.

    Args:
        pixels: Numbers in a glimpse, C * n * n.
        features: Size of the result.
    """

    def __init__(self, pixels: int, features: int) -> None:
        super().__init__()
        self.what = nn.Sequential(
            nn.Linear(pixels, 2 * features),
            nn.LayerNorm(2 * features),
            nn.ReLU(),
            nn.Linear(2 * features, features),
            nn.LayerNorm(features),
        )
        self.where = nn.Linear(4, features)

    def forward(self, glimpse: Tensor, window: Window, height: int, width: int) -> Tensor:
        """Returns features of shape (B, features) for a glimpse (B, C, n, n) and its window in an image of height x width."""
        place = (
            2 * window.center_x / max(width - 1, 1) - 1,
            2 * window.center_y / max(height - 1, 1) - 1,
            window.stride.log(),
            (window.sigma / window.stride).log(),
        )
        features: Tensor = F.relu(self.what(glimpse.flatten(1)) + self.where(torch.stack(place, dim=1)))
        return features


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
