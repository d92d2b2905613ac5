"""Recurrent attention model, RAM: a classifier whose glimpse locations are sampled and learned by REINFORCE.

Locations are x and y in -1 to 1, from the center of the first pixel to that of the last one. Dimensions: B images, C channels,
H rows, W columns, T glimpses.

References:
    V. Mnih, N. Heess, A. Graves, K. Kavukcuoglu, "Recurrent Models of Visual Attention", 2014, arXiv:1406.6247.
    R. J. Williams, "Simple statistical gradient-following algorithms for connectionist reinforcement learning", Machine Learning 8,
    1992 (REINFORCE).
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from glimpse.attention.precision import at_least_float32, in_float32
from glimpse.attention.retina import Retina, patch_window
from glimpse.attention.track import Track
from glimpse.models.base import ImageClassifier
from glimpse.models.encoder import GlimpseEncoder
from glimpse.models.inputs import check_inputs, training_noise
from glimpse.models.losses import Episode, hybrid_loss
from glimpse.models.lstm import LSTM, LSTMState
from glimpse.settings.ram import RAMConfig

__all__ = ["RAM", "Episodes"]

_LEAST_STD = 1e-6  # lower bound in the log-density, so that a standard deviation of 0 does not divide by 0


class Episodes(NamedTuple):
    """A batch of training images, with labels and the standard deviation of the location policy, both of shape (B,)."""

    images: Tensor
    labels: Tensor
    std: Tensor


class _Glimpse(NamedTuple):
    """A glimpse: its corner (B, 2), its location (B, 2), the logits after it (B, K) and the input of the policy."""

    corner: Tensor
    location: Tensor
    logits: Tensor
    policy_input: Tensor


class RAM(ImageClassifier):
    """Glimpse network over a retina, LSTM core, Gaussian location policy, learned baseline, and a class prediction per glimpse.

    Departures from Mnih et al. (2014): the core is an LSTM, as in the glimpse classifier that RAM is compared with, instead of
    rectified units. The glimpse network is normalized, and the same as that of the glimpse classifier. The location policy is a
    network with a hidden layer whose input is the core's state, the patches and their location; its output is added to the last
    location. Its mean is clamped to the image, and its standard deviation decreases in training. By default the cross-entropy
    includes the predictions after every glimpse (supervision `linear`), and the return of a location is the increase in
    log-likelihood due to its own glimpse (reward `gain`), not whether the last prediction is correct. No gradient passes from the
    policy and the baseline into the core: the core and the glimpse network are trained by the cross-entropy only.

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
        self.encoder = GlimpseEncoder(pixels, config.features, location=2)
        self.lstm = LSTM(config.features, config.hidden)
        self.locate = nn.Sequential(nn.Linear(config.hidden + pixels + 2, config.hidden), nn.ReLU(), nn.Linear(config.hidden, 2))
        self.baseline = nn.Linear(config.hidden, 1)
        self.classify = nn.Linear(config.hidden, config.classes)

    def forward(
        self, images: Tensor, glimpses: int | None = None, uniforms: Tensor | None = None, std: Tensor | float | None = None
    ) -> Episode:
        """Returns the class logits after every glimpse, the locations, their log-densities and the baselines.

        Args:
            images: Shape (B, C, H, W), 0 to 1; H and W may differ and change from call to call.
            glimpses: Number of glimpses T, at least 1; the config's if None.
            uniforms: Uniform noise in 0 to 1, shape (B, T, 2), which determines the locations; if None, every location is the
                policy's mean, and the first one the center of the image.
            std: Standard deviation of the policy, a number or shape (B,); the config's if None. With 0 the noise affects only a
                random first location.

        Raises:
            ValueError: If the number of channels is not the config's, there are no glimpses, or the noise or the standard deviation
                has another shape.
        """
        config = self.config
        glimpses = config.glimpses if glimpses is None else glimpses
        check_inputs(images, config.channels, glimpses, uniforms, self.classify.weight.dtype)
        batch = images.shape[0]
        retina = Retina(images, config.window, config.scales)
        location = self._first(batch, uniforms, images)
        is_sampled = uniforms is not None and not (isinstance(std, float) and std == 0)
        std = torch.as_tensor(config.policy_std if std is None else std, dtype=torch.float32, device=images.device)
        if std.shape not in ((), (batch,)):
            raise ValueError(f"std must be a number or have shape ({batch},), got {tuple(std.shape)}")
        std = std.expand(batch)
        state = self.lstm.initial(batch)
        logits, corners, log_probs, baselines = [], [], [], []
        for t in range(glimpses):
            state, seen = self._run_step(retina, location, state)
            logits.append(seen.logits)
            corners.append(seen.corner)
            if t + 1 < glimpses:
                noise = uniforms[:, t + 1] if uniforms is not None and is_sampled else None
                location, log_prob = self._next(seen.policy_input, seen.location, std, noise)
                log_probs.append(log_prob)
                baselines.append(at_least_float32(self.baseline(at_least_float32(state.output.detach())))[:, 0])
        empty = location.new_zeros(batch, 0)
        return Episode(
            torch.stack(logits, dim=1),
            torch.stack(corners, dim=1),
            torch.stack(log_probs, dim=1) if log_probs else empty,
            torch.stack(baselines, dim=1) if baselines else empty,
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
        """Returns the class logits after every glimpse and the windows as tracks.

        Args:
            images: Shape (B, C, H, W), 0 to 1.
            glimpses: Number of glimpses T; the config's if None.
            uniforms: Noise, as in `forward`.
            std: Standard deviation of the policy, as in `forward`.
            patches: Whether to include the patches in the tracks.

        Returns:
            Logits of shape (B, T, classes), and one track per scale.

        Raises:
            ValueError: As `forward`.
        """
        logits, corners, *_ = self(images, glimpses, uniforms, std)
        n, scales = self.config.window, self.config.scales
        x, y = corners.unbind(dim=2)  # (B, T)
        sampled: Sequence[Tensor | None] = [None] * scales
        if patches:
            retina = Retina(images, n, scales)
            sampled = torch.stack([retina.sample(x[:, t], y[:, t]) for t in range(x.shape[1])], dim=1).unbind(dim=2)
        return logits, tuple(Track("glimpse", k, n, patch_window(x, y, n, k), sampled[k]) for k in range(scales))

    @property
    def takes_noise(self) -> bool:
        """Whether predictions depend on noise: True if locations are sampled at test time or the first one is random."""
        return self.config.test_samples > 0 or self.config.first_glimpse == "random"

    @property
    def shows_windows(self) -> bool:
        """Whether the model has windows: True."""
        return True

    @property
    def capturable(self) -> bool:
        """Whether training can be captured as a CUDA graph: False, since locations are sampled in training."""
        return False

    def inputs(self, glimpses: int | None = None, uniforms: Tensor | None = None) -> dict[str, Any]:
        """Returns the keyword arguments of the call in evaluation: the number of glimpses, the noise and its standard deviation.

        The standard deviation is 0 unless predictions average over samples.
        """
        noise = {"uniforms": uniforms, "std": None if self.config.test_samples else 0.0} if self.takes_noise else {}
        return {"glimpses": glimpses} | noise

    def lesson(self, batch: Any, positions: Tensor) -> Episodes:
        """Returns the batch with the standard deviation of the policy at each position."""
        std = batch.images.new_tensor([self.config.std_at(seen) for seen in positions.tolist()])
        return Episodes(batch.images, batch.labels, std)

    def training_loss(self, network: nn.Module, batch: Any, generator: torch.Generator) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Returns the hybrid loss, the logits for every sampled location sequence, and the mean return; see the base class."""
        samples = self.config.monte_carlo
        images, labels, std = (field.repeat_interleave(samples, dim=0) for field in batch)
        noise = training_noise(len(images), self.glimpses, generator)
        episode = Episode(*network(images, None, noise, std))
        loss, parts = hybrid_loss(episode, labels, self.config)
        return loss, episode.logits, parts

    def _step(self, retina: Retina, location: Tensor, state: LSTMState) -> tuple[LSTMState, _Glimpse]:
        """Returns the state after a glimpse at a location (B, 2), -1 to 1 inside the image, and the glimpse."""
        inside = location.clamp(-1, 1)
        sides = torch.tensor([retina.width - 1, retina.height - 1], device=location.device)
        corner = retina.corner((inside + 1) / 2 * sides)
        patches = retina.sample(corner[:, 0], corner[:, 1])
        state = self.lstm(self.encoder(patches, inside), state)
        core = at_least_float32(state.output.detach())
        policy_input = torch.cat([core, patches.flatten(1), inside], dim=1)
        return state, _Glimpse(corner, inside, at_least_float32(self.classify(state.output)), policy_input)

    def _first(self, batch: int, uniforms: Tensor | None, images: Tensor) -> Tensor:
        """Returns the first locations, shape (B, 2): the center of the image, or random."""
        if uniforms is None or self.config.first_glimpse == "centered":
            return at_least_float32(images.new_zeros(batch, 2))
        return 2 * at_least_float32(uniforms[:, 0]) - 1

    @in_float32
    def _next(self, inputs: Tensor, last: Tensor, std: Tensor, uniforms: Tensor | None) -> tuple[Tensor, Tensor]:
        """Returns the next locations, shape (B, 2), without gradient, and their log-densities, shape (B,).

        Args:
            inputs: Input of the policy, shape (B, hidden + pixels + 2).
            last: Last locations, shape (B, 2).
            std: Standard deviation of the policy, shape (B,).
            uniforms: Uniform noise in 0 to 1, shape (B, 2); if None, the locations are the policy's means.
        """
        mean = last + self.locate(inputs)
        mean = mean + (mean.clamp(-1, 1) - mean).detach()
        noise = torch.zeros_like(mean) if uniforms is None else _normal(uniforms)
        location = (mean + std[:, None] * noise).detach()
        std = std.clamp(min=_LEAST_STD)[:, None]
        log_density = -(((location - mean) / std) ** 2) / 2 - torch.log(std * math.sqrt(2 * math.pi))
        return location, log_density.sum(dim=1)


def _normal(uniforms: Tensor) -> Tensor:
    """Returns standard normal values for uniform ones, by the inverse of the cumulative distribution function."""
    normal: Tensor = torch.special.ndtri(at_least_float32(uniforms).clamp(2**-24, 1 - 2**-24))
    return normal
