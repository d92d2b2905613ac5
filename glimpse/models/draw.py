"""DRAW: a recurrent variational autoencoder that reads an image and writes to a canvas through learned windows.

Positions are pixels counted from 0, x before y. Dimensions: B images, C channels, H rows, W columns, T steps, Z latent variables
per step, windows of n x n filters. Divergences and likelihoods are in nats.

References:
    K. Gregor, I. Danihelka, A. Graves, D. J. Rezende, D. Wierstra, "DRAW: A Recurrent Neural Network For Image Generation", 2015,
    arXiv:1502.04623.
    J. Chung et al., "A Recurrent Latent Variable Model for Sequential Data", 2015, arXiv:1506.02216 (the learned prior).
    Y. Burda, R. Grosse, R. Salakhutdinov, "Importance Weighted Autoencoders", 2016, arXiv:1509.00519 (`importance_bound`).
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from glimpse.attention.capture import saveable
from glimpse.attention.precision import at_least_float32, in_float32
from glimpse.attention.track import Track
from glimpse.attention.window import Window, read, write
from glimpse.models.base import Model
from glimpse.models.inputs import check_images
from glimpse.models.latent import Gaussian
from glimpse.models.likelihood import bernoulli, discretized_logistic
from glimpse.models.lstm import LSTM, LSTMState
from glimpse.models.noise import draw_share
from glimpse.settings.draw import GeneratorConfig

__all__ = ["DRAW", "Bound", "Drawing"]

_LOG_SCALE = -2.0  # initial log scale of the logistic distribution: a standard deviation of about 0.25


@saveable
class Bound(NamedTuple):
    """Upper bound on the negative log-likelihood of an image, estimated from one sample of the latents, in nats.

    Attributes:
        reconstruction: Reconstruction loss -log D(x | c_T), shape (B,).
        kl: KL divergence of the posterior from the prior at each step, shape (B, T).
    """

    reconstruction: Tensor
    kl: Tensor

    @property
    def total(self) -> Tensor:
        """The bound, eq. 12 of DRAW (arXiv:1502.04623), shape (B,)."""
        return self.reconstruction + self.kl.sum(dim=1)


@saveable
class Drawing(NamedTuple):
    """Canvases and windows of all steps.

    Attributes:
        canvases: Logits before the first and after every step, shape (B, T + 1, C, H, W); `DRAW.means` returns their pixels.
        write: Write windows, fields of shape (B, T), in pixels; None without attention.
        read: Read windows, fields of shape (B, T), in pixels; None without attention, or if no image was read.
    """

    canvases: Tensor
    write: Window | None
    read: Window | None = None


class _Step(NamedTuple):
    """Results of a step: the canvas after it (B, C, H, W), the decoder's patch, and the windows with fields of shape (B,)."""

    canvas: Tensor
    patch: Tensor
    write: Window | None
    read: Window | None = None


class DRAW(Model):
    """DRAW network: an encoder and a decoder LSTM with Z latent variables per step, and a canvas to which the decoder adds.

    The initial states and the initial canvas are learned. The model has no state between calls, and all noise is an argument.

    With a learned prior, which the paper does not have, P(Z_t | h_dec_{t-1}) is a Gaussian whose mean and log sigma are a linear
    map of the decoder's last state. The map is initialized to 0, so that the prior is initially that of the paper. Latents are in
    units of the prior at their step: latents sampled from the prior are standard normal for every prior, and the input of the
    decoder is the prior's mean plus its standard deviation times the latent.

    With `canvas_input`, which the paper does not have either, the decoder also gets the means of the canvas's pixels.

    Args:
        config: Settings; the defaults if None.

    Attributes:
        neutral: Names of the parameters, those of a learned prior, with whose initial values the model is the same as without them.
    """

    config_class = GeneratorConfig
    config: GeneratorConfig
    neutral: ClassVar[tuple[str, ...]] = ("prior.weight", "prior.bias")

    def __init__(self, config: GeneratorConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or GeneratorConfig()
        inputs = 2 * config.channels * config.read**2 if config.attention else 2 * config.pixels
        outputs = config.channels * config.write**2 if config.attention else config.pixels
        drawn = config.pixels if config.canvas_input else 0
        self.encoder = LSTM(inputs + config.hidden, config.hidden, layer_norm=config.layer_norm)
        self.decoder = LSTM(config.latent + drawn, config.hidden, layer_norm=config.layer_norm)
        self.posterior = nn.Linear(config.hidden, 2 * config.latent)
        self.patch = nn.Linear(config.hidden, outputs)
        self.read_window = _window_map(config, config.read) if config.attention else None
        self.write_window = _window_map(config, config.write, writes=True) if config.attention else None
        self.initial_canvas = nn.Parameter(
            torch.zeros(config.pixels)
        )  # flat like a bias: weight decay excludes one-dimensional parameters
        self.log_scale = nn.Parameter(torch.full((config.channels,), _LOG_SCALE)) if config.observation == "logistic" else None
        self.prior = _prior_map(config) if config.prior == "learned" else None

    @torch.no_grad()
    def set_initial_canvas(self, means: Tensor) -> None:
        """Sets the initial canvas to the mean of the training images, which training would learn slowly.

        Args:
            means: Mean of every pixel, shape (C, H, W), clamped to 0.001 to 0.999.
        """
        self.initial_canvas.copy_(means.flatten().logit(eps=1e-3))

    @property
    def shows_windows(self) -> bool:
        """Whether the model has windows: True with attention."""
        return self.config.attention

    def noise(self, count: int, generator: torch.Generator) -> Tensor:
        """Returns standard normal noise for `count` images, shape (count, T, Z), on the generator's device."""
        return draw_share(torch.randn, count, self.config.glimpses, self.config.latent, generator=generator)

    def dropout(self, count: int, generator: torch.Generator) -> Tensor | None:
        """Returns random dropout factors for `count` images, shape (count, T, D), on the generator's device.

        The D values are first those of the glimpse that the encoder reads, then those of the decoder's output. Their mean is 1.

        Returns:
            The factors; None if the config has no dropout.
        """
        config = self.config
        if not config.encoder_dropout and not config.decoder_dropout:
            return None
        read, hidden = self.encoder.gates.in_features - 2 * config.hidden, config.hidden
        uniforms = draw_share(torch.rand, count, config.glimpses, read + hidden, generator=generator)
        shares = uniforms.new_tensor([config.encoder_dropout] * read + [config.decoder_dropout] * hidden)
        return (uniforms >= shares) / (1 - shares)

    def forward(self, images: Tensor, noise: Tensor, dropout: Tensor | None = None) -> Bound:
        """Returns the bound on the negative log-likelihood of the images, eqs. 1-12 of DRAW (arXiv:1502.04623).

        Args:
            images: Shape (B, C, H, W), 0 to 1, of the config's size.
            noise: Standard normal noise, shape (B, T, Z), as returned by `noise`.
            dropout: Factors as returned by `dropout`; no dropout if None.

        Raises:
            ValueError: If the images or the noise have another shape.
        """
        canvas, posterior = self.infer(images, noise, dropout)
        return Bound(-self._log_likelihood(images, canvas), posterior.kl())

    def infer(self, images: Tensor, noise: Tensor, dropout: Tensor | None = None) -> tuple[Tensor, Gaussian]:
        """Returns the last canvas and the posterior of all latents, eqs. 1-8 of DRAW (arXiv:1502.04623).

        Args:
            images: Shape (B, C, H, W), 0 to 1, of the config's size.
            noise: Standard normal noise, shape (B, T, Z).
            dropout: Factors as returned by `dropout`; no dropout if None.

        Returns:
            Logits of shape (B, C, H, W), and the posterior in units of the prior, with fields of shape (B, T, Z).

        Raises:
            ValueError: If the images or the noise have another shape.
        """
        posteriors = []
        for posterior, step in self._steps(images, noise, dropout):
            posteriors.append(posterior)
            canvas = step.canvas
        return canvas, Gaussian.stacked(posteriors)

    def log_weights(self, images: Tensor, noise: Tensor) -> Tensor:
        """Returns the log importance weights log p(x | z) + log p(z) - log q(z | x) in nats, shape (B,).

        The latents z are sampled with the noise, shape (B, T, Z). Over the noise, the mean of the exponentiated log weights is
        p(x), and the mean of the log weights is minus the bound.
        """
        canvas, posterior = self.infer(images, noise)
        return self._log_likelihood(images, canvas) + posterior.log_ratio(noise).sum(dim=1)

    @torch.no_grad()
    def importance_bound(self, images: Tensor, noise: Iterable[Tensor], *, rows: int = 1000) -> Tensor:
        """Returns the logarithm of the mean importance weight: a lower bound on log p(x) that is tighter with more samples.

        Args:
            images: Shape (B, C, H, W), 0 to 1.
            noise: Standard normal noise of each sample, shape (B, T, Z): a tensor (S, B, T, Z), or an iterator that generates the
                noise as it is needed.
            rows: Batch size over images and samples, at least B; it does not affect the result.

        Returns:
            Bound on the log-likelihood in nats, shape (B,); negative for black or white pixels.

        Raises:
            ValueError: If there is no sample, or the images or the noise have another shape.
        """
        noises, share = iter(noise), max(1, rows // max(1, len(images)))
        samples, sums = 0, []
        while drawn := list(islice(noises, share)):
            weights = self.log_weights(images.repeat(len(drawn), 1, 1, 1), torch.cat(drawn))
            sums.append(weights.view(len(drawn), -1).logsumexp(dim=0))
            samples += len(drawn)
        if not samples:
            raise ValueError("expected noise of at least one sample, got none")
        return torch.stack(sums).logsumexp(dim=0) - math.log(samples)

    def draw(self, latents: Tensor) -> Drawing:
        """Returns the decoder's drawing for given latents, eqs. 13-16 of DRAW (arXiv:1502.04623).

        Args:
            latents: Shape (B, T, Z), in units of the prior: for example standard normal noise for samples of the model, scaled
                noise for less varied samples, the latents of `reconstruct`, or an interpolation.

        Raises:
            ValueError: If the latents have another shape.
        """
        self._check_steps(latents, "latents", latents.shape[0])
        state, canvas = self.decoder.initial(latents.shape[0]), self._canvas(latents.shape[0])
        steps = []
        for latent in latents.unbind(dim=1):
            state, step = self._decode(latent, self._prior(state), state, canvas)
            canvas = step.canvas
            steps.append(step)
        return self._drawing(steps)

    def reconstruct(self, images: Tensor, noise: Tensor) -> tuple[Drawing, Tensor]:
        """Returns reconstructions of the images and their latents.

        Args:
            images: Shape (B, C, H, W), 0 to 1.
            noise: Standard normal noise, shape (B, T, Z); with zeros the latents are the posterior's means.

        Returns:
            The drawing with both windows, and the latents in units of the prior, shape (B, T, Z); `draw` returns the same canvases
            for them.

        Raises:
            ValueError: If the images or the noise have another shape.
        """
        posteriors, steps = zip(*self._steps(images, noise), strict=True)
        return self._drawing(steps), Gaussian.stacked(posteriors).sample(noise)

    def look(self, images: Tensor, glimpses: int | None = None, *, patches: bool = False) -> tuple[None, tuple[Track, Track]]:
        """Returns the read and the write windows as tracks, with the posterior's means as latents.

        Args:
            images: Shape (B, C, H, W), 0 to 1.
            glimpses: Number of steps T, which must be the config's, or None.
            patches: Whether to include the patches: those read from the image, and those written, before the division by the
                window's intensity; and the canvas after every step.

        Returns:
            None, since there are no classes, and two tracks: of the read windows and of the write windows.

        Raises:
            ValueError: If the model has no windows, the number of steps is not the config's, or the images have another shape.
        """
        config = self.config
        if not config.attention:
            raise ValueError("this model has no windows to show: it was built without attention")
        if glimpses not in (None, config.glimpses):
            raise ValueError(f"this model has {config.glimpses} glimpses, got {glimpses}")
        steps = [step for _, step in self._steps(images, images.new_zeros(images.shape[0], config.glimpses, config.latent))]
        reads, writes = [step.read for step in steps if step.read], [step.write for step in steps if step.write]
        read_patches = torch.stack([read(images, window, config.read) for window in reads], dim=1) if patches else None
        written = torch.stack([step.patch for step in steps], dim=1) if patches else None
        canvases = self.means(torch.stack([step.canvas for step in steps], dim=1)) if patches else None
        return None, (
            Track("read", 0, config.read, Window.stacked(reads), read_patches),
            Track("write", 0, config.write, Window.stacked(writes), written, canvases),
        )

    def means(self, canvas: Tensor) -> Tensor:
        """Returns the means of the pixels, 0 to 1, for canvases of any shape."""
        return torch.sigmoid(at_least_float32(canvas))

    def _steps(self, images: Tensor, noise: Tensor, dropout: Tensor | None = None) -> Iterator[tuple[Gaussian, _Step]]:
        """Yields, for each step of eqs. 3-8, the posterior of its latents and the results for a sample of them."""
        config, batch = self.config, images.shape[0]
        check_images(images, config.channels, (config.height, config.width), self.patch.weight.dtype)
        self._check_steps(noise, "noise", batch)
        encoder, decoder, canvas = self.encoder.initial(batch), self.decoder.initial(batch), self._canvas(batch)
        factors = [None] * config.glimpses if dropout is None else dropout.unbind(dim=1)
        for noise_t, factors_t in zip(noise.unbind(dim=1), factors, strict=True):
            encoder, decoder, posterior, step = self._run_step(images, noise_t, encoder, decoder, canvas, factors_t)
            canvas = step.canvas
            yield posterior, step

    def _step(
        self, images: Tensor, noise: Tensor, encoder: LSTMState, decoder: LSTMState, canvas: Tensor, dropout: Tensor | None
    ) -> tuple[LSTMState, LSTMState, Gaussian, _Step]:
        """Returns the states of the encoder and the decoder, the posterior of the latents and the results of a step, eqs. 3-8."""
        window = self._window(self.read_window, decoder.output, self.config.read)
        both = torch.cat([images.to(canvas.dtype), images - self.means(canvas)], dim=1)  # (B, 2 C, H, W): one read for both
        glimpse = both if window is None else read(both, window, self.config.read)
        seen, of_output = glimpse.flatten(1), None
        if dropout is not None:
            seen, of_output = seen * dropout[:, : seen.shape[1]], dropout[:, seen.shape[1] :]
        encoder = self.encoder(torch.cat([seen, decoder.output], dim=1), encoder)
        posterior, prior = Gaussian.from_raw(self.posterior(encoder.output)), self._prior(decoder)
        posterior = posterior if prior is None else posterior.relative_to(prior)
        decoder, step = self._decode(posterior.sample(noise), prior, decoder, canvas, of_output)
        return encoder, decoder, posterior, _Step(step.canvas, step.patch, step.write, window)

    def _prior(self, state: LSTMState) -> Gaussian | None:
        """Returns the prior of the next latents for a state of the decoder, fields of shape (B, Z); None for a standard normal."""
        return None if self.prior is None else Gaussian.from_raw(self.prior(state.output))

    def _decode(
        self, latent: Tensor, prior: Gaussian | None, state: LSTMState, canvas: Tensor, dropout: Tensor | None = None
    ) -> tuple[LSTMState, _Step]:
        """Returns the decoder's next state and the results of the step, eqs. 7, 8, 28 and 29, or 18 without attention."""
        inputs = latent if prior is None else prior.sample(latent)
        if self.config.canvas_input:
            inputs = torch.cat([inputs, self.means(canvas).flatten(1)], dim=1)
        state = self.decoder(inputs, state)
        window = self._window(self.write_window, state.output, self.config.write)
        side = canvas.shape[-2:] if window is None else (self.config.write, self.config.write)
        output = state.output if dropout is None else state.output * dropout
        patch = at_least_float32(self.patch(output)).view(latent.shape[0], self.config.channels, *side)
        added = patch if window is None else write(patch, window, self.config.height, self.config.width)
        return state, _Step(canvas + added, patch, window)

    @in_float32
    def _window(self, raw: nn.Module | None, state: Tensor, n: int) -> Window | None:
        """Returns the window decoded from a state (B, hidden), eqs. 21-24, at least float32; None without attention."""
        if raw is None:
            return None
        return Window.from_raw(raw(state), n=n, height=self.config.height, width=self.config.width)

    def _canvas(self, batch: int) -> Tensor:
        """Returns the learned initial canvas for a batch of this size."""
        config = self.config
        return self.initial_canvas.view(config.channels, config.height, config.width).expand(batch, -1, -1, -1)

    def _log_likelihood(self, images: Tensor, canvas: Tensor) -> Tensor:
        """Returns log D(x | c) in nats, shape (B,)."""
        if self.log_scale is None:
            return bernoulli(images, canvas)
        return discretized_logistic(images, self.means(canvas), self.log_scale)

    def _drawing(self, steps: Sequence[_Step]) -> Drawing:
        """Returns the drawing of the steps, starting with the initial canvas."""
        canvases = torch.stack([self._canvas(steps[0].canvas.shape[0]), *(step.canvas for step in steps)], dim=1)
        writes = [step.write for step in steps if step.write is not None]
        reads = [step.read for step in steps if step.read is not None]
        return Drawing(canvases, Window.stacked(writes) if writes else None, Window.stacked(reads) if reads else None)

    def _check_steps(self, values: Tensor, name: str, batch: int) -> None:
        """Raises ValueError unless the values have shape (B, T, Z)."""
        shape = (batch, self.config.glimpses, self.config.latent)
        if values.shape != shape:
            raise ValueError(f"{name} must have shape {shape}, got {tuple(values.shape)}")


def _prior_map(config: GeneratorConfig) -> nn.Linear:
    """Returns the map from the decoder's state to mean and log sigma of the prior, initialized to a standard normal."""
    raw = nn.Linear(config.hidden, 2 * config.latent)
    nn.init.zeros_(raw.weight)
    nn.init.zeros_(raw.bias)
    return raw


def _window_map(config: GeneratorConfig, n: int, *, writes: bool = False) -> nn.Linear:
    """Returns the map from a state to the five raw parameters of a window, which initially covers the whole image.

    Initially sigma is half the stride, so that there is little aliasing, and the weights are small, so that windows are close to
    the whole image. Written patches are initially multiplied by H W / n^2, so that a patch of ones adds 1 to a pixel on average:
    each of the n^2 filters sums to 1 over the image.
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
