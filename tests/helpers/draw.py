"""Small DRAW models, their images and noise, and the paper's equations in a plain loop."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from glimpse.models.draw import DRAW
from glimpse.settings.draw import GeneratorConfig
from tests.helpers.paper import paper_filters, paper_window, sigmoid

SMALL = {"glimpses": 3, "hidden": 6, "latent": 4, "read": 3, "write": 2, "height": 7, "width": 9}
EVERY = [
    {},
    {"channels": 3, "height": 12, "width": 8},
    {"attention": False, "channels": 2},
    {"observation": "logistic", "channels": 3, "read": 1},
    {"prior": "learned"},
    {"layer_norm": True, "canvas_input": True, "channels": 2},
]


def small(*, noise: float = 0.3, **changes: Any) -> DRAW:
    """Returns a small model, seeded, in float64, every parameter moved by normal noise of that scale."""
    torch.manual_seed(0)
    model = DRAW(GeneratorConfig(**(SMALL | changes))).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(noise * torch.randn(parameter.shape, dtype=torch.float64))
    return model


def data(model: DRAW, batch: int = 3, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Returns seeded images of the kind the model observes and noise for them, in float64."""
    config, generator = model.config, torch.Generator().manual_seed(seed)
    levels = 2 if config.observation == "bernoulli" else 256
    shape = (batch, config.channels, config.height, config.width)
    images = torch.randint(levels, shape, generator=generator).double() / (levels - 1)
    return images, model.noise(batch, generator).double()


def paper_attention(raw: np.ndarray, n: int, height: int, width: int) -> tuple[list[float], np.ndarray, np.ndarray]:
    """Returns the parameters of eqs. 21-24 counted from 1, F_Y and F_X."""
    g_x, g_y, delta, sigma, gamma = paper_window(raw, n, width, height)
    filters_y, filters_x = (paper_filters(g, delta, sigma, n, size) for g, size in ((g_y, height), (g_x, width)))
    return [g_x, g_y, delta, sigma, gamma], filters_y, filters_x


def paper_run(model: DRAW, x: np.ndarray, noise: np.ndarray, dropout: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Returns the results of eqs. 1-12, or of those with a learned prior, for one image (C, H, W) and its noise (T, Z).

    Windows are counted from 0, latents are in units of the prior. Dropout has factors (T, D), of the glimpse and of the decoder's
    output.
    """
    config = model.config
    weights = {name: value.detach().numpy() for name, value in model.state_dict().items()}
    channels, height, width = x.shape

    def linear(name: str, inputs: np.ndarray) -> np.ndarray:
        return np.asarray(weights[f"{name}.weight"] @ inputs + weights[f"{name}.bias"])

    def lstm(name: str, inputs: np.ndarray, output: np.ndarray, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        enter, keep, candidate, leave = np.split(linear(f"{name}.gates", np.concatenate([inputs, output])), 4)
        cell = sigmoid(keep) * cell + sigmoid(enter) * np.tanh(candidate)
        output = sigmoid(leave) * np.tanh(cell)
        if config.layer_norm:
            output = (output - output.mean()) / np.sqrt(output.var() + 1e-5)
            output = output * weights[f"{name}.norm.weight"] + weights[f"{name}.norm.bias"]
        return output, cell

    h_enc, enc_cell = weights["encoder.initial_output"], weights["encoder.initial_cell"]
    h_dec, dec_cell = weights["decoder.initial_output"], weights["decoder.initial_cell"]
    canvas = weights["initial_canvas"].reshape(x.shape)
    kl, latents, canvases, reads, writes = [], [], [canvas], [], []
    for step in range(config.glimpses):
        error = x - sigmoid(canvas)
        if config.attention:
            parameters, f_y, f_x = paper_attention(linear("read_window", h_dec), config.read, height, width)
            reads.append(parameters)
            seen = parameters[4] * np.array([f_y @ image @ f_x.T for image in (*x, *error)])
        else:
            seen = np.array([*x, *error])
        of_glimpse, of_output = (1.0, 1.0) if dropout is None else np.split(dropout[step], [seen.size])
        h_enc, enc_cell = lstm("encoder", np.concatenate([of_glimpse * seen.ravel(), h_dec]), h_enc, enc_cell)
        raw = linear("posterior", h_enc)
        mu, sigma = raw[: config.latent], np.exp(raw[config.latent :])
        z = mu + sigma * noise[step]
        if config.prior == "learned":
            raw = linear("prior", h_dec)
            center, spread = raw[: config.latent], np.exp(raw[config.latent :])
        else:
            center, spread = np.zeros(config.latent), np.ones(config.latent)
        latents.append((z - center) / spread)
        kl.append((np.log(spread / sigma) + (sigma**2 + (mu - center) ** 2) / (2 * spread**2) - 1 / 2).sum())
        drawn = sigmoid(canvas).ravel() if config.canvas_input else np.empty(0)
        h_dec, dec_cell = lstm("decoder", np.concatenate([z, drawn]), h_dec, dec_cell)
        patch = linear("patch", of_output * h_dec)
        if config.attention:
            parameters, f_y, f_x = paper_attention(linear("write_window", h_dec), config.write, height, width)
            writes.append(parameters)
            patch = patch.reshape(channels, config.write, config.write)
            patch = 1 / parameters[4] * np.array([f_y.T @ part @ f_x for part in patch])
        canvas = canvas + patch.reshape(x.shape)
        canvases.append(canvas)
    offset = np.array([1, 1, 0, 0, 0])
    windows = {"read": np.array(reads) - offset, "write": np.array(writes) - offset} if config.attention else {}
    mean = sigmoid(canvas)
    nats = -(x * np.log(mean) + (1 - x) * np.log(1 - mean)).sum()
    return {"nats": nats, "kl": np.array(kl), "latents": np.array(latents), "canvases": np.array(canvases)} | windows
