"""DRAW: a recurrent variational autoencoder that reads an image and writes a canvas through windows it moves itself.

Positions are pixels counted from 0, x before y. Dimensions: B images, C channels, H rows, W columns, T steps, Z latent numbers a
step, windows of n x n filters. Divergences and likelihoods are in nats.

References:
    K. Gregor, I. Danihelka, A. Graves, D. J. Rezende, D. Wierstra, "DRAW: A Recurrent Neural Network For Image Generation", 2015,
    arXiv:1502.04623.
    J. Chung et al., "A Recurrent Latent Variable Model for Sequential Data", 2015, arXiv:1506.02216 (the learned prior).
    Y. Burda, R. Grosse, R. Salakhutdinov, "Importance Weighted Autoencoders", 2016, arXiv:1509.00519 (`importance_bound`).
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from glimpse.attention.precision import at_least_float32, in_float32
from glimpse.attention.track import Track
from glimpse.attention.window import Window, read, write
from glimpse.models.base import Model
from glimpse.models.latent import Gaussian
from glimpse.models.likelihood import bernoulli, discretized_logistic
from glimpse.models.linear import Linear
from glimpse.models.lstm import LSTM, LSTMState
from glimpse.settings.draw import GeneratorConfig

__all__ = ["DRAW", "Bound", "Drawing"]

_LOG_SCALE = -2.0  # of the logistic observation at the start: pixels spread by about 0.25


class Bound(NamedTuple):
    """Upper bound on an image's negative log-likelihood, with one sample of the latents, in nats.

    Attributes:
        reconstruction: -log D(x | c_T), shape (B,).
        kl: Divergence of every step's latent from its prior, shape (B, T).
    """

    reconstruction: Tensor
    kl: Tensor

    @property
    def total(self) -> Tensor:
        """The bound, eq. 12 of DRAW (arXiv:1502.04623): shape (B,)."""
        return self.reconstruction + self.kl.sum(dim=1)


class Drawing(NamedTuple):
    """How canvases came about.

    Attributes:
        canvases: Logits before the first step and after every one, shape (B, T + 1, C, H, W); `DRAW.means` makes pixels of them.
        write: Where every step wrote, fields of shape (B, T), in pixels; None without attention.
        read: Where every step read, fields of shape (B, T), in pixels; None without attention or where nothing was read.
    """

    canvases: Tensor
    write: Window | None
    read: Window | None = None


class _Step(NamedTuple):
    """A step's canvas (B, C, H, W) after it, the patch that was added to it, and its windows with fields of shape (B,)."""

    canvas: Tensor
    patch: Tensor
    write: Window | None
    read: Window | None = None


class DRAW(Model):
    """Encoder and decoder LSTM that pass T latents of Z numbers, and a canvas that the decoder adds to at every step.

    The initial states and the initial canvas are learned. The model keeps nothing between calls, and all noise is an argument.

    With a learned prior, which the paper does not have, P(Z_t | h_dec_{t-1}) is a Gaussian whose mean and log sigma are a linear
    map of the decoder's last state. The map starts at 0, so that the prior starts as the paper's. Latents are in units of the prior
    at their step: those of the model's samples are standard normal whatever the prior, and the decoder's input is the prior's mean
    plus its standard deviation times the latent.

    Args:
        config: Settings; the defaults if None.
    """

    config_class = GeneratorConfig
    config: GeneratorConfig

    def __init__(self, config: GeneratorConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or GeneratorConfig()
        seen = 2 * config.channels * config.read**2 if config.attention else 2 * config.pixels
        drawn = config.channels * config.write**2 if config.attention else config.pixels
        self.encoder = LSTM(seen + config.hidden, config.hidden)
        self.decoder = LSTM(config.latent, config.hidden)
        self.posterior = Linear(config.hidden, 2 * config.latent)
        self.patch = Linear(config.hidden, drawn)
        self.read_window = _window_map(config, config.read) if config.attention else None
        self.write_window = _window_map(config, config.write, writes=True) if config.attention else None
        self.initial_canvas = nn.Parameter(torch.zeros(config.pixels))  # flat, as biases are: weight decay spares those
        self.log_scale = nn.Parameter(torch.full((config.channels,), _LOG_SCALE)) if config.observation == "logistic" else None
        self.prior = _prior_map(config) if config.prior == "learned" else None

    @torch.no_grad()
    def set_initial_canvas(self, means: Tensor) -> None:
        """Lets the first canvas start from the mean of the training images, which it is slow to learn.

        Args:
            means: Mean of every pixel, shape (C, H, W), taken as 0.001 to 0.999.
        """
        self.initial_canvas.copy_(means.flatten().logit(eps=1e-3))

    @property
    def shows_windows(self) -> bool:
        """Whether it reads and writes through windows: not without attention."""
        return self.config.attention

    def noise(self, count: int, generator: torch.Generator) -> Tensor:
        """Returns standard normal noise for `count` images, shape (count, T, Z), on the generator's device."""
        shape = (count, self.config.glimpses, self.config.latent)
        return torch.randn(shape, generator=generator, device=generator.device)

    def forward(self, images: Tensor, noise: Tensor) -> Bound:
        """Returns the bound on the images' negative log-likelihood, eqs. 1-12 of DRAW (arXiv:1502.04623).

        Args:
            images: Shape (B, C, H, W), 0 to 1, of the config's size.
            noise: Standard normal, shape (B, T, Z), as `noise` makes it.

        Raises:
            ValueError: If the images or the noise have another shape.
        """
        canvas, posterior = self.infer(images, noise)
        return Bound(-self._log_likelihood(images, canvas), posterior.kl())

    def infer(self, images: Tensor, noise: Tensor) -> tuple[Tensor, Gaussian]:
        """Returns the last canvas and how all latents are distributed, eqs. 1-8 of DRAW (arXiv:1502.04623).

        Args:
            images: Shape (B, C, H, W), 0 to 1, of the config's size.
            noise: Standard normal, shape (B, T, Z).

        Returns:
            Logits of shape (B, C, H, W), and the posterior in units of the prior, with fields of shape (B, T, Z).
        """
        posteriors = []
        for posterior, step in self._steps(images, noise):
            posteriors.append(posterior)
            canvas = step.canvas
        return canvas, Gaussian.stacked(posteriors)

    def log_weights(self, images: Tensor, noise: Tensor) -> Tensor:
        """Returns log p(x | z) + log p(z) - log q(z | x) at the sample that the noise makes, in nats, shape (B,).

        The mean of their exponentials over the noise is p(x); the mean of themselves is minus the bound.
        """
        canvas, posterior = self.infer(images, noise)
        return self._log_likelihood(images, canvas) + posterior.log_ratio(noise).sum(dim=1)

    @torch.no_grad()
    def importance_bound(
        self, images: Tensor, noise: Tensor | torch.Generator, samples: int | None = None, *, rows: int = 1000
    ) -> Tensor:
        """Returns the logarithm of the mean importance weight: a lower bound on log p(x) that more samples tighten.

        Args:
            images: Shape (B, C, H, W).
            noise: Standard normal, shape (S, B, T, Z), or a generator to draw it with, one sample after another.
            samples: How many samples S; needed with a generator.
            rows: Images that run at once, whatever the number of samples, or B if that is more; the result does not depend on it.

        Returns:
            Nats, shape (B,): a log-likelihood, so below 0 for pixels that are black or white.

        Raises:
            ValueError: If there is no sample.
        """
        samples = len(noise) if isinstance(noise, Tensor) else samples
        if samples is None or samples < 1:
            raise ValueError(f"samples must be at least 1, got {samples}")
        share, sums = max(1, rows // max(1, len(images))), []
        for first in range(0, samples, share):
            numbers = range(first, min(first + share, samples))
            drawn = [noise[s] if isinstance(noise, Tensor) else self.noise(len(images), noise) for s in numbers]
            weights = self.log_weights(images.repeat(len(numbers), 1, 1, 1), torch.cat(drawn))
            sums.append(weights.view(len(numbers), -1).logsumexp(dim=0))
        return torch.stack(sums).logsumexp(dim=0) - math.log(samples)

    def draw(self, latents: Tensor) -> Drawing:
        """Returns what the decoder draws from given latents, eqs. 13-16 of DRAW (arXiv:1502.04623).

        Args:
            latents: Shape (B, T, Z), in units of the prior: noise for samples of the model, the same scaled down for tamer ones,
                those of `reconstruct`, or a way from one to another.

        Raises:
            ValueError: If the latents have another shape.
        """
        self._check_steps(latents, "latents", len(latents))
        state, canvas = self.decoder.initial(len(latents)), self._canvas(len(latents))
        steps = []
        for latent in latents.unbind(dim=1):
            state, step = self._decode(latent, self._prior(state), state, canvas)
            canvas = step.canvas
            steps.append(step)
        return self._drawing(steps)

    def reconstruct(self, images: Tensor, noise: Tensor) -> tuple[Drawing, Tensor]:
        """Returns how the images are drawn again, and from which latents.

        Args:
            images: Shape (B, C, H, W), 0 to 1.
            noise: Standard normal, shape (B, T, Z); zeros take the posterior's mean.

        Returns:
            The drawing, with both windows, and the latents in units of the prior, shape (B, T, Z): `draw` draws the same from them.
        """
        posteriors, steps = zip(*self._steps(images, noise), strict=True)
        return self._drawing(steps), Gaussian.stacked(posteriors).sample(noise)

    def look(self, images: Tensor, glimpses: int | None = None, *, patches: bool = False) -> tuple[None, tuple[Track, Track]]:
        """Returns where the model reads and writes: what every model that looks through windows answers alike.

        The latents are the posterior's means: the noise is zero.

        Args:
            images: Shape (B, C, H, W), 0 to 1.
            glimpses: The config's number of steps, or None.
            patches: Whether the tracks are to hold what was read of the image, and what was written before the division by the
                window's intensity.

        Returns:
            None, for there are no classes, and two tracks, of reading and of writing.

        Raises:
            ValueError: If the model has no windows, or another number of steps.
        """
        config = self.config
        if not config.attention:
            raise ValueError("this model has no windows to look at: it was made without attention")
        if glimpses not in (None, config.glimpses):
            raise ValueError(f"this model takes {config.glimpses} glimpses, got {glimpses}")
        steps = [step for _, step in self._steps(images, images.new_zeros(len(images), config.glimpses, config.latent))]
        reads, writes = ([window for step in steps if (window := getattr(step, kind))] for kind in ("read", "write"))
        seen = torch.stack([read(images, window, config.read) for window in reads], dim=1) if patches else None
        written = torch.stack([step.patch for step in steps], dim=1) if patches else None
        return None, (
            Track("read", 0, config.read, Window.stacked(reads), seen),
            Track("write", 0, config.write, Window.stacked(writes), written),
        )

    def means(self, canvas: Tensor) -> Tensor:
        """Returns the expected pixels, 0 to 1, of canvases of any shape."""
        return torch.sigmoid(at_least_float32(canvas))

    def _steps(self, images: Tensor, noise: Tensor) -> Iterator[tuple[Gaussian, _Step]]:
        """Yields every step of eqs. 3-8: how its latent is distributed, and what was done with the sample."""
        config, batch = self.config, len(images)
        shape = (config.channels, config.height, config.width)
        if images.shape[1:] != shape:
            raise ValueError(f"images must have shape (B, {', '.join(map(str, shape))}), got {tuple(images.shape)}")
        self._check_steps(noise, "noise", batch)
        encoder, decoder, canvas = self.encoder.initial(batch), self.decoder.initial(batch), self._canvas(batch)
        for noise_t in noise.unbind(dim=1):
            window = self._window(self.read_window, decoder.output, config.read)
            both = torch.cat([images.to(canvas.dtype), images - self.means(canvas)], dim=1)  # (B, 2 C, H, W): one read for the two
            seen = both if window is None else read(both, window, config.read)
            encoder = self.encoder(torch.cat([seen.flatten(1), decoder.output], dim=1), encoder)
            posterior, prior = Gaussian.from_raw(self.posterior(encoder.output)), self._prior(decoder)
            posterior = posterior if prior is None else posterior.relative_to(prior)
            decoder, step = self._decode(posterior.sample(noise_t), prior, decoder, canvas)
            canvas = step.canvas
            yield posterior, step._replace(read=window)

    def _prior(self, state: LSTMState) -> Gaussian | None:
        """Returns the prior of the latent after a decoder's state, fields of shape (B, Z); None for a standard normal."""
        return None if self.prior is None else Gaussian.from_raw(self.prior(state.output))

    def _decode(self, latent: Tensor, prior: Gaussian | None, state: LSTMState, canvas: Tensor) -> tuple[LSTMState, _Step]:
        """Returns the decoder's next state and what it adds to the canvas, eqs. 7, 8, 28 and 29, or 18 without attention."""
        state = self.decoder(latent if prior is None else prior.sample(latent), state)
        window = self._window(self.write_window, state.output, self.config.write)
        side = canvas.shape[-2:] if window is None else (self.config.write, self.config.write)
        patch = at_least_float32(self.patch(state.output)).view(len(latent), self.config.channels, *side)
        added = patch if window is None else write(patch, window, self.config.height, self.config.width)
        return state, _Step(canvas + added, patch, window)

    @in_float32
    def _window(self, raw: nn.Module | None, state: Tensor, n: int) -> Window | None:
        """Returns the window that a state (B, hidden) asks for, eqs. 21-24, in float32 at least; None without attention."""
        if raw is None:
            return None
        return Window.from_raw(raw(state), n=n, height=self.config.height, width=self.config.width)

    def _canvas(self, batch: int) -> Tensor:
        """Returns the learned canvas before the first step for a batch of that size."""
        config = self.config
        return self.initial_canvas.view(config.channels, config.height, config.width).expand(batch, -1, -1, -1)

    def _log_likelihood(self, images: Tensor, canvas: Tensor) -> Tensor:
        """Returns log D(x | c) in nats, shape (B,)."""
        if self.log_scale is None:
            return bernoulli(images, canvas)
        return discretized_logistic(images, self.means(canvas), self.log_scale)

    def _drawing(self, steps: Sequence[_Step]) -> Drawing:
        """Returns what the steps have drawn, the initial canvas before them."""
        canvases = torch.stack([self._canvas(len(steps[0].canvas)), *(step.canvas for step in steps)], dim=1)
        writes = [step.write for step in steps if step.write is not None]
        reads = [step.read for step in steps if step.read is not None]
        return Drawing(canvases, Window.stacked(writes) if writes else None, Window.stacked(reads) if reads else None)

    def _check_steps(self, numbers: Tensor, name: str, batch: int) -> None:
        """Raises ValueError unless there are Z numbers for every step of every image."""
        shape = (batch, self.config.glimpses, self.config.latent)
        if numbers.shape != shape:
            raise ValueError(f"{name} must have shape {shape}, got {tuple(numbers.shape)}")


def _prior_map(config: GeneratorConfig) -> nn.Linear:
    """Returns the map from the decoder's state to mean and log sigma of the next latent's prior, 0 at first: a standard normal."""
    raw = Linear(config.hidden, 2 * config.latent)
    nn.init.zeros_(raw.weight)
    nn.init.zeros_(raw.bias)
    return raw


def _window_map(config: GeneratorConfig, n: int, *, writes: bool = False) -> nn.Linear:
    """Returns the map from a state to a window's five raw numbers, which starts with the whole image, hardly aliased.

    The filters' sigma is half their stride at the start, and the map is small, so that no window starts far off. What is written
    starts multiplied by H W / n^2, so that a patch of ones adds 1 to a pixel on average: n^2 filters share one image, and each
    sums to 1.
    """
    raw = nn.Linear(config.hidden, 5)
    stride = (max(config.height, config.width) - 1) / max(n - 1, 1)
    with torch.no_grad():
        raw.weight.mul_(0.1)
        raw.bias.zero_()
        raw.bias[2] = 2 * math.log(max(stride / 2, 0.5))
        if writes:
            raw.bias[4] = math.log(n**2 / (config.height * config.width))
    return raw
