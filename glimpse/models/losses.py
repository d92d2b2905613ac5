"""Losses of the classifiers: cross-entropy over glimpses, and RAM's hybrid of cross-entropy and REINFORCE.

Dimensions: B images, T glimpses.

References:
    V. Mnih, N. Heess, A. Graves, K. Kavukcuoglu, "Recurrent Models of Visual Attention", 2014, arXiv:1406.6247.
    R. J. Williams, "Simple statistical gradient-following algorithms for connectionist reinforcement learning", Machine Learning 8,
    1992 (REINFORCE).
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from glimpse.attention.precision import at_least_float32
from glimpse.settings.glimpse_classifier import Supervision
from glimpse.settings.ram import RAMConfig, Reward

__all__ = ["REINFORCE_WEIGHT", "Episode", "hybrid_loss", "reinforce_loss", "returns", "supervised_loss"]

REINFORCE_WEIGHT = 0.1
"""Of REINFORCE in the hybrid loss, so that its noise does not decide how the whole gradient is clipped."""


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


def supervised_loss(logits: Tensor, labels: Tensor, supervision: Supervision) -> Tensor:
    """Returns the cross-entropy in nats, averaged over images and over the glimpses that are supervised.

    Args:
        logits: Shape (B, T, classes).
        labels: Shape (B,).
        supervision: `last` counts the last prediction only; `linear` weights prediction t by t.

    Returns:
        A scalar.
    """
    if supervision == "last":
        return F.cross_entropy(logits[:, -1], labels)
    steps = logits.shape[1]
    nll = F.cross_entropy(logits.flatten(0, 1), labels.repeat_interleave(steps), reduction="none").view(-1, steps)  # (B, T)
    weights = torch.arange(1, steps + 1).to(nll)
    return (nll.mean(dim=0) * weights).sum() / weights.sum()


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
    return what + REINFORCE_WEIGHT / gained.shape[1] * where + baseline, {"reward": gained.mean()}
