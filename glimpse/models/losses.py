"""Losses of the classifiers: cross-entropy over glimpses, the hybrid loss of RAM, and the loss of the search classifier.

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

from glimpse.attention.capture import saveable
from glimpse.attention.precision import at_least_float32
from glimpse.attention.window import Window
from glimpse.settings.glimpse_classifier import Supervision
from glimpse.settings.ram import RAMConfig, Reward

__all__ = [
    "REINFORCE_WEIGHT",
    "Episode",
    "SearchResult",
    "hybrid_loss",
    "reinforce_loss",
    "returns",
    "search_loss",
    "supervised_loss",
]

REINFORCE_WEIGHT = 0.1
"""Weight of REINFORCE in the hybrid loss: small, so that its noise does not dominate the norm of the gradient that is clipped."""

_EARLY = 0.3  # weight in the loss of search: of all predictions but the one after the last look and the last one from the canvas


@saveable
class Episode(NamedTuple):
    """Outputs of the recurrent attention model for a batch of images.

    Attributes:
        logits: Class logits after every glimpse, shape (B, T, classes).
        corners: First column and row (x, y) of the finest patch of every glimpse in pixels, shape (B, T, 2), int64.
        log_probs: Log-densities of the sampled locations, which are all but the first, shape (B, T - 1); the locations themselves
            are constants for the gradient.
        baselines: Return predicted before each sampled location, shape (B, T - 1).
    """

    logits: Tensor
    corners: Tensor
    log_probs: Tensor
    baselines: Tensor


class SearchResult(NamedTuple):
    """Outputs of the search classifier.

    Attributes:
        logits: Class log-probabilities after every glimpse, shape (B, T, classes). After a read they depend on the canvas only if
            it was classified for all images of the batch.
        window: Windows of the glimpses, fields of shape (B, T), in pixels.
        canvas_logits: Class log-probabilities of the canvas after each read, for the chosen candidate only: R tensors of shape
            (B', classes).
        rows: Rows of the batch whose canvas was classified after each read, R slices.
    """

    logits: Tensor
    window: Window
    canvas_logits: tuple[Tensor, ...]
    rows: tuple[slice, ...]


def supervised_loss(logits: Tensor, labels: Tensor, supervision: Supervision) -> Tensor:
    """Returns the cross-entropy in nats, averaged over images and supervised glimpses.

    Args:
        logits: Class logits after every glimpse, shape (B, T, classes).
        labels: True classes, shape (B,).
        supervision: `last` uses the last prediction only; `linear` weights prediction t, counted from 1, by t.

    Returns:
        A scalar.
    """
    if supervision == "last":
        return F.cross_entropy(logits[:, -1], labels)
    steps = logits.shape[1]
    nll = F.cross_entropy(logits.flatten(0, 1), labels.repeat_interleave(steps), reduction="none").view(-1, steps)  # (B, T)
    weights = torch.arange(1, steps + 1, dtype=nll.dtype, device=nll.device)
    return (nll.mean(dim=0) * weights).sum() / weights.sum()


def returns(logits: Tensor, labels: Tensor, reward: Reward) -> Tensor:
    """Returns the returns of the sampled locations, shape (B, T - 1), without gradient.

    Args:
        logits: Class logits after every glimpse, shape (B, T, classes).
        labels: True classes, shape (B,).
        reward: `last` is 1 for all locations if the last prediction is correct, else 0, as in the paper; `every` is the fraction of
            correct predictions from the location's glimpse on; `gain` is the increase in log-likelihood of the true class, in nats,
            due to the location's glimpse, so that no location is rewarded for another's glimpse.
    """
    if reward == "gain":
        log_p = torch.log_softmax(logits.detach(), dim=2).gather(2, labels[:, None, None].expand(-1, logits.shape[1], 1))[..., 0]
        return log_p.diff(dim=1)
    correct = (logits.detach().argmax(dim=2) == labels[:, None]).to(at_least_float32(logits.detach()))[:, 1:]  # (B, T - 1)
    if reward == "last":
        return correct[:, -1:].expand_as(correct)
    steps = torch.arange(correct.shape[1], 0, -1, device=correct.device)
    return correct.flip(1).cumsum(1).flip(1) / steps


def reinforce_loss(log_probs: Tensor, advantages: Tensor) -> Tensor:
    r"""Returns a scalar whose gradient is minus the REINFORCE estimate of the gradient of the expected return.

    .. math:: -\frac{1}{B} \sum_b \sum_t \log \pi(l_{bt}) \, (R_{bt} - b_{bt})

    Williams (1992); Mnih et al. (2014), arXiv:1406.6247, eq. 2. No gradient passes through the advantages.

    Args:
        log_probs: Log-densities of the sampled locations, shape (B, T).
        advantages: Returns minus baselines, shape (B, T).
    """
    return -(log_probs * advantages.detach()).sum(dim=1).mean()


def hybrid_loss(episode: Episode, labels: Tensor, config: RAMConfig) -> tuple[Tensor, dict[str, Tensor]]:
    """Returns the training loss of RAM, and the mean return under the name `reward`, both scalars.

    The loss is the cross-entropy, plus REINFORCE averaged over locations and weighted by `REINFORCE_WEIGHT`, plus the mean squared
    error of the baselines. With a single glimpse no location is sampled, and the loss is the cross-entropy.

    Args:
        episode: Outputs of the model for B images.
        labels: True classes, shape (B,).
        config: Settings of the model; its reward and supervision are used.
    """
    cross_entropy = supervised_loss(episode.logits, labels, config.supervision)
    if not episode.log_probs.numel():
        return cross_entropy, {"reward": cross_entropy.new_zeros(())}
    gains = returns(episode.logits, labels, config.reward)
    reinforce = reinforce_loss(episode.log_probs, gains - episode.baselines)
    baseline = F.mse_loss(episode.baselines, gains)
    return cross_entropy + REINFORCE_WEIGHT / gains.shape[1] * reinforce + baseline, {"reward": gains.mean()}


def search_loss(result: SearchResult, labels: Tensor) -> Tensor:
    """Returns the training loss in nats, a scalar.

    The loss is the cross-entropy of the prediction after the last look plus that of the last prediction from the canvas, plus 0.3
    times the cross-entropies of all earlier ones. It uses the predictions from the canvas and not the mixtures that include them,
    so that the classifier of the canvas is trained on every image.

    Args:
        result: Outputs of the model.
        labels: True classes, shape (B,).
    """
    reads = len(result.canvas_logits)
    looks = result.logits.shape[1] - 1 - reads
    loss = F.nll_loss(result.logits[:, looks], labels)
    for t in range(looks):
        loss = loss + _EARLY * F.nll_loss(result.logits[:, t], labels)
    for number, (rows, log_p) in enumerate(zip(result.rows, result.canvas_logits, strict=True)):
        loss = loss + (1.0 if number == reads - 1 else _EARLY) * F.nll_loss(log_p, labels[rows])
    return loss
