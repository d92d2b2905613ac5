"""Recurrent attention model: a classifier that samples where to look and learns it by reinforcement.

Locations are x and y in -1 to 1, from the center of the first pixel to that of the last one. Dimensions: B images, C channels,
H rows, W columns, T glimpses.

References:
    V. Mnih, N. Heess, A. Graves, K. Kavukcuoglu, "Recurrent Models of Visual Attention", 2014, arXiv:1406.6247.
    R. J. Williams, "Simple statistical gradient-following algorithms for connectionist reinforcement learning", Machine Learning 8,
    1992 (REINFORCE).
"""

import math
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glimpse.attention import Track
from glimpse.classifier import GlimpseEncoder, check_input, supervised_loss
from glimpse.config import RAMConfig, Reward
from glimpse.filterbank import at_least_float32
from glimpse.linear import Linear
from glimpse.recurrent import LSTM
from glimpse.retina import Retina
from glimpse.weights import load_model

__all__ = ["RAM", "Episode", "hybrid_loss", "reinforce_loss", "returns"]


_REINFORCE_WEIGHT = 0.1  # of the loss, so that clipping the whole gradient is not a matter of its noise alone
_LEAST_STD = 1e-6  # in the density of a policy that does not sample, which no one asks for


class Episode(NamedTuple):
    """What a recurrent attention model did with a batch of images.

    Attributes:
        logits: After every glimpse, shape (B, T, classes).
        corners: First column and row (x, y) of every finest patch in pixels, shape (B, T, 2), int64.
        log_probs: Log-density of every location that the policy sampled, that is of all but the first, shape (B, T - 1); no
            gradient passes through the locations themselves.
        baselines: Expected return before each of them, shape (B, T - 1).
    """

    logits: Tensor
    corners: Tensor
    log_probs: Tensor
    baselines: Tensor


class RAM(nn.Module):
    """Glimpse network over a retina, LSTM core, Gaussian location policy, learned baseline and a softmax after every glimpse.

    Departures from Mnih et al. (2014): the core is an LSTM, like that of the glimpse classifier it is compared with, not rectified
    units; the glimpse network is normalised, the same as the glimpse classifier's; the location policy is a network with a hidden
    layer that sees the patches and their place beside the core's state, and moves the last location; its mean is kept inside the
    image, and its standard deviation falls in training. Unless the config says `last`, cross-entropy counts after every glimpse,
    and a location's return is what its own glimpse added (`gain`), not whether the last prediction is right. The policy and the
    baseline pass no gradient into the core: it and the glimpse network learn what, they learn where.

    Args:
        config: What it is made of; its defaults if None.
    """

    def __init__(self, config: RAMConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or RAMConfig()
        pixels = config.scales * config.channels * config.window**2
        self.encoder = GlimpseEncoder(pixels, config.features, place=2)
        self.lstm = LSTM(config.features, config.hidden)
        self.locate = nn.Sequential(Linear(config.hidden + pixels + 2, config.hidden), nn.ReLU(), nn.Linear(config.hidden, 2))
        self.baseline = nn.Linear(config.hidden, 1)
        self.classify = nn.Linear(config.hidden, config.classes)

    @classmethod
    def from_pretrained(cls, path: str | Path) -> "RAM":
        """Returns the trained model of a run's folder, a weights file or `pretrained:NAME`, ready to evaluate.

        Raises:
            ValueError: If there is no such model, or it is no recurrent attention model.
            OSError: If the file cannot be read.
        """
        return load_model(cls, RAMConfig, path)

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
                noise is for a random first location alone.

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

    def _first(self, batch: int, uniforms: Tensor | None, images: Tensor) -> Tensor:
        """Returns the first locations, shape (B, 2): the middle, or anywhere."""
        if uniforms is None or self.config.first_glimpse == "centered":
            return at_least_float32(images.new_zeros(batch, 2))
        return 2 * at_least_float32(uniforms[:, 0]) - 1

    def _next(self, known: Tensor, last: Tensor, std: Tensor, uniforms: Tensor | None) -> tuple[Tensor, Tensor]:
        """Returns the next locations, shape (B, 2), free of gradients, and the log-density (B,) of exactly these numbers.

        Args:
            known: What the policy sees, shape (B, hidden + pixels + 2).
            last: The locations before, shape (B, 2).
            std: Standard deviation of the policy, shape (B,).
            uniforms: Noise, shape (B, 2); None takes the means.
        """
        with torch.autocast(known.device.type, enabled=False):
            mean = last + self.locate(known)
            mean = mean + (mean.clamp(-1, 1) - mean).detach()
            noise = torch.zeros_like(mean) if uniforms is None else _normal(uniforms)
            location = (mean + std[:, None] * noise).detach()
            wide = std.clamp(min=_LEAST_STD)[:, None]
            log_density = -(((location - mean) / wide) ** 2) / 2 - torch.log(wide * math.sqrt(2 * math.pi))
            return location, log_density.sum(dim=1)


def returns(logits: Tensor, labels: Tensor, reward: Reward) -> Tensor:
    """Returns what the locations brought, shape (B, T - 1), free of gradients.

    Args:
        logits: After every glimpse, shape (B, T, classes).
        labels: Shape (B,).
        reward: With `last` all locations get 1 if the last prediction is right, else 0, as in the paper; with `every` a location
            gets the share of right ones among the predictions that follow it; with `gain` it gets what its glimpse added to the
            log-probability of the label, in nats, so that none is praised for what another saw.
    """
    if reward == "gain":
        believed = torch.log_softmax(logits.detach(), dim=2).gather(2, labels[:, None, None].expand(-1, logits.shape[1], 1))[..., 0]
        return believed.diff(dim=1)
    right = (logits.detach().argmax(dim=2) == labels[:, None]).to(at_least_float32(logits.detach()))[:, 1:]  # (B, T - 1)
    if reward == "last":
        return right[:, -1:].expand_as(right)
    steps = torch.arange(right.shape[1], 0, -1, device=right.device)
    return right.flip(1).cumsum(1).flip(1) / steps


def reinforce_loss(log_probs: Tensor, advantages: Tensor) -> Tensor:
    r"""Returns a scalar whose gradient is minus REINFORCE's estimate of the expected return's: the advantages pass none.

    .. math:: -\frac{1}{B} \sum_b \sum_t \log \pi(l_{bt}) \, (R_{bt} - b_{bt})

    Williams (1992); Mnih et al. (2014), arXiv:1406.6247, eq. 2.

    Args:
        log_probs: Log-densities of what was sampled, shape (B, T).
        advantages: Returns less their baselines, shape (B, T).
    """
    return -(log_probs * advantages.detach()).sum(dim=1).mean()


def hybrid_loss(episode: Episode, labels: Tensor, config: RAMConfig) -> tuple[Tensor, dict[str, Tensor]]:
    """Returns the loss in training, a scalar, and its further parts by name: cross-entropy for what, REINFORCE for where.

    Args:
        episode: Of B images.
        labels: Shape (B,).
        config: Its reward and supervision.
    """
    what = supervised_loss(episode.logits, labels, config.supervision)
    if not episode.log_probs.numel():
        return what, {"reward": what.new_zeros(())}
    gained = returns(episode.logits, labels, config.reward)
    where = reinforce_loss(episode.log_probs, gained - episode.baselines)
    baseline = F.mse_loss(episode.baselines, gained)
    return what + _REINFORCE_WEIGHT / gained.shape[1] * where + baseline, {"reward": gained.mean()}


def _normal(uniforms: Tensor) -> Tensor:
    """Returns standard normal numbers for uniform ones, by the inverse of the distribution function."""
    normal: Tensor = torch.special.ndtri(at_least_float32(uniforms).clamp(2**-24, 1 - 2**-24))
    return normal
