"""Recurrent attention model: a classifier that samples where to look and learns it by reinforcement.

Locations are x and y in -1 to 1, from the center of the first pixel to that of the last one. Dimensions: B images, C channels,
H rows, W columns, T glimpses.

References:
    V. Mnih, N. Heess, A. Graves, K. Kavukcuoglu, "Recurrent Models of Visual Attention", 2014, arXiv:1406.6247.
    R. J. Williams, "Simple statistical gradient-following algorithms for connectionist reinforcement learning", Machine Learning 8,
    1992 (REINFORCE).
"""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from glimpse.attention.precision import at_least_float32, in_float32
from glimpse.attention.retina import Retina
from glimpse.attention.track import Track
from glimpse.models.base import ImageClassifier
from glimpse.models.encoder import GlimpseEncoder, check_input, training_noise
from glimpse.models.linear import Linear
from glimpse.models.losses import Episode, hybrid_loss
from glimpse.models.lstm import LSTM
from glimpse.settings.ram import RAMConfig

__all__ = ["RAM", "Episodes"]

_LEAST_STD = 1e-6  # in the density of a policy that does not sample, which no one asks for


class Episodes(NamedTuple):
    """A batch of training images with the standard deviation of the location policy for each, shape (B,)."""

    images: Tensor
    labels: Tensor
    std: Tensor


class RAM(ImageClassifier):
    """Glimpse network over a retina, LSTM core, Gaussian location policy, learned baseline and a softmax after every glimpse.

    Departures from Mnih et al. (2014): the core is an LSTM, like that of the glimpse classifier it is compared with, not rectified
    units; the glimpse network is normalized, the same as the glimpse classifier's; the location policy is a network with a hidden
    layer that sees the patches and their place besides the core's state, and moves the last location; its mean is kept inside the
    image, and its standard deviation falls in training. Unless the config's supervision is `last`, cross-entropy counts after
    every glimpse, and a location's return is what its own glimpse added (`gain`), not whether the last prediction is right. The
    policy and the baseline pass no gradient into the core: it and the glimpse network learn what, they learn where.

    Args:
        config: Settings; the defaults if None.
    """

    config_class = RAMConfig
    config: RAMConfig
    training_metrics = ("reward",)

    def __init__(self, config: RAMConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or RAMConfig()
        pixels = config.scales * config.channels * config.window**2
        self.encoder = GlimpseEncoder(pixels, config.features, place=2)
        self.lstm = LSTM(config.features, config.hidden)
        self.locate = nn.Sequential(Linear(config.hidden + pixels + 2, config.hidden), nn.ReLU(), nn.Linear(config.hidden, 2))
        self.baseline = nn.Linear(config.hidden, 1)
        self.classify = nn.Linear(config.hidden, config.classes)

    def forward(
        self, images: Tensor, glimpses: int | None = None, uniforms: Tensor | None = None, std: Tensor | float | None = None
    ) -> Episode:
        """Returns what the model believes after every glimpse, where it looked, and how likely it was to look there.

        Args:
            images: Shape (B, C, H, W), 0 to 1; H and W may differ and change from call to call.
            glimpses: Number of glimpses T, at least 1; the config's if None.
            uniforms: The noise of the locations, uniform in 0 to 1, shape (B, T, 2); without it every location is the policy's
                mean, and the first one the middle.
            std: Standard deviation of the policy, a number or one for each image, shape (B,); the config's if None. With 0 the
                noise is used only for a random first location.

        Raises:
            ValueError: If the images have another number of channels than the model, there are no glimpses, or the noise has
                another shape.
        """
        config = self.config
        glimpses = check_input(images, config.channels, config.glimpses if glimpses is None else glimpses, uniforms)
        batch = len(images)
        retina = Retina(images, config.window, config.scales)
        sides = torch.tensor([retina.width - 1, retina.height - 1], device=images.device)
        location = self._first(batch, uniforms, images)
        std = torch.as_tensor(config.policy_std if std is None else std, dtype=torch.float32, device=images.device)
        if std.shape not in ((), (batch,)):
            raise ValueError(f"std must be a number or have shape ({batch},), got {tuple(std.shape)}")
        std = std.expand(batch)
        state = self.lstm.initial(batch)
        logits, corners, log_probs, baselines = [], [], [], []
        for t in range(glimpses):
            inside = location.clamp(-1, 1)
            corner = retina.corner((inside + 1) / 2 * sides)  # (B, 2)
            seen = retina.sample(corner[:, 0], corner[:, 1])
            state = self.lstm(self.encoder(seen, inside), state)
            logits.append(at_least_float32(self.classify(state.output)))
            corners.append(corner)
            if t + 1 < glimpses:
                core = at_least_float32(state.output.detach())
                known = torch.cat([core, seen.flatten(1), inside], dim=1)
                location, log_prob = self._next(known, inside, std, None if uniforms is None else uniforms[:, t + 1])
                log_probs.append(log_prob)
                baselines.append(at_least_float32(self.baseline(core))[:, 0])
        nothing = location.new_zeros(batch, 0)
        return Episode(
            torch.stack(logits, dim=1),
            torch.stack(corners, dim=1),
            torch.stack(log_probs, dim=1) if log_probs else nothing,
            torch.stack(baselines, dim=1) if baselines else nothing,
        )

    def look(
        self,
        images: Tensor,
        glimpses: int | None = None,
        uniforms: Tensor | None = None,
        std: Tensor | float | None = None,
        *,
        patches: bool = False,
    ) -> tuple[Tensor, tuple[Track, ...]]:
        """Returns logits of shape (B, T, classes), and the patches of every scale as tracks.

        Args:
            images: Shape (B, C, H, W), 0 to 1.
            glimpses: Number of glimpses T; the config's if None.
            uniforms: The noise of the locations, as in `forward`.
            std: Standard deviation of the policy, as there.
            patches: Whether the tracks are to hold what was seen.
        """
        logits, corners, *_ = self(images, glimpses, uniforms, std)
        retina = Retina(images, self.config.window, self.config.scales)
        x, y = corners.unbind(dim=2)  # (B, T)
        seen = torch.stack([retina.sample(x[:, t], y[:, t]) for t in range(x.shape[1])], dim=1) if patches else None
        return logits, tuple(
            Track("glimpse", scale, retina.n, retina.window(x, y, scale), None if seen is None else seen[:, :, scale])
            for scale in range(retina.scales)
        )

    @property
    def takes_noise(self) -> bool:
        """Whether it samples locations at test time, or starts anywhere."""
        return self.config.test_samples > 0 or self.config.first_glimpse == "random"

    @property
    def shows_windows(self) -> bool:
        """It looks through patches."""
        return True

    @property
    def capturable(self) -> bool:
        """It samples in training, whatever it does at test time."""
        return False

    def inputs(self, glimpses: int | None = None, uniforms: Tensor | None = None) -> dict[str, Any]:
        """Returns the number of glimpses, the noise, and a policy that does not spread unless answers average over samples."""
        noise = {"uniforms": uniforms, "std": None if self.config.test_samples else 0.0} if self.takes_noise else {}
        return {"glimpses": glimpses} | noise

    def lesson(self, batch: Any, positions: Tensor) -> Episodes:
        """Returns the batch with the policy's standard deviation at each of its positions."""
        std = batch.images.new_tensor([self.config.std_at(seen) for seen in positions.tolist()])
        return Episodes(batch.images, batch.labels, std)

    def training_loss(self, network: nn.Module, batch: Any, generator: torch.Generator) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Returns the hybrid loss, the logits of every sampled sequence, and the mean return of a location."""
        samples = self.config.monte_carlo
        images, labels, std = (field.repeat_interleave(samples, dim=0) for field in batch)
        noise = training_noise(len(images), self.glimpses, generator)
        episode = Episode(*network(images, None, noise, std))
        loss, parts = hybrid_loss(episode, labels, self.config)
        return loss, episode.logits, parts

    def _first(self, batch: int, uniforms: Tensor | None, images: Tensor) -> Tensor:
        """Returns the first locations, shape (B, 2): the middle, or anywhere."""
        if uniforms is None or self.config.first_glimpse == "centered":
            return at_least_float32(images.new_zeros(batch, 2))
        return 2 * at_least_float32(uniforms[:, 0]) - 1

    @in_float32
    def _next(self, known: Tensor, last: Tensor, std: Tensor, uniforms: Tensor | None) -> tuple[Tensor, Tensor]:
        """Returns the next locations, shape (B, 2), free of gradients, and the log-density (B,) of exactly these numbers.

        Args:
            known: What the policy sees, shape (B, hidden + pixels + 2).
            last: The locations before, shape (B, 2).
            std: Standard deviation of the policy, shape (B,).
            uniforms: Noise, shape (B, 2); None takes the means.
        """
        mean = last + self.locate(known)
        mean = mean + (mean.clamp(-1, 1) - mean).detach()
        noise = torch.zeros_like(mean) if uniforms is None else _normal(uniforms)
        location = (mean + std[:, None] * noise).detach()
        wide = std.clamp(min=_LEAST_STD)[:, None]
        log_density = -(((location - mean) / wide) ** 2) / 2 - torch.log(wide * math.sqrt(2 * math.pi))
        return location, log_density.sum(dim=1)


def _normal(uniforms: Tensor) -> Tensor:
    """Returns standard normal numbers for uniform ones, by the inverse of the distribution function."""
    normal: Tensor = torch.special.ndtri(at_least_float32(uniforms).clamp(2**-24, 1 - 2**-24))
    return normal
