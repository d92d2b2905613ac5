"""Dropout of DRAW: against the plain loop over the equations, and only in training."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from glimpse.datasets.generative import open_generative
from glimpse.models.draw import DRAW
from glimpse.settings.draw import GeneratorConfig
from glimpse.training.generator import GenerationTask
from tests.helpers.draw import data, paper_run, small

RATES = {"encoder_dropout": 0.3, "decoder_dropout": 0.6}


@pytest.mark.parametrize("changes", [{}, {"channels": 2}, {"attention": False, "prior": "learned"}])
def test_the_model_with_dropout_equals_a_plain_loop(changes: dict[str, Any]) -> None:
    model = small(**RATES, **changes)
    images, noise = data(model)
    factors = model.dropout(len(images), torch.Generator().manual_seed(1))
    assert factors is not None
    bound = model(images, noise, factors.double())
    for row in range(len(images)):
        expected = paper_run(model, images[row].numpy(), noise[row].numpy(), factors[row].double().numpy())
        np.testing.assert_allclose(bound.reconstruction[row].detach().numpy(), expected["nats"], rtol=1e-9)
        np.testing.assert_allclose(bound.kl[row].detach().numpy(), expected["kl"], rtol=1e-9, atol=1e-9)


def test_each_part_has_its_share_and_factors_of_mean_one() -> None:
    model = DRAW(GeneratorConfig(glimpses=5, hidden=32, read=4, **RATES))  # type: ignore[arg-type]
    factors = model.dropout(200, torch.Generator().manual_seed(0))
    assert factors is not None
    assert factors.shape == (200, 5, 2 * 4 * 4 + 32)
    for part, share in zip(factors.chunk(2, dim=2), RATES.values(), strict=True):
        kept = part[part > 0]
        torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - share)))
        assert 1 - len(kept) / part.numel() == pytest.approx(share, abs=0.02)
    assert not torch.equal(factors[0, 0], factors[0, 1])
    assert not torch.equal(factors[0, 0], factors[1, 0])


@pytest.mark.parametrize(("rates", "is_dropped"), [({}, False), ({"encoder_dropout": 0.5}, True), ({"decoder_dropout": 0.5}, True)])
def test_values_are_dropped_in_training_and_not_in_validation(rates: dict[str, float], is_dropped: bool) -> None:
    digits = open_generative("digits")
    model = DRAW(GeneratorConfig(glimpses=2, hidden=8, latent=2, read=3, write=3, **rates))  # type: ignore[arg-type]
    task, given = GenerationTask(model, digits.train, digits.valid), list[bool]()
    model.register_forward_pre_hook(lambda _, inputs: given.append(len(inputs) == 3))
    generator, batch = torch.Generator().manual_seed(0), task.batch(torch.arange(4))

    def loss() -> Tensor:
        return task.loss(model, batch, generator.manual_seed(0))[0]

    assert loss() == loss()
    task.validate(model)
    assert given[:2] == [is_dropped, is_dropped]
    assert not any(given[2:])
