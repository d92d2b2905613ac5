"""Images of a wrong type, weights of low precision, and exported models: refused in words, or the same numbers."""

import re
import warnings
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from glimpse.models.draw import DRAW
from glimpse.settings.draw import GeneratorConfig
from tests.helpers.classifiers import GLIMPSE, RECURRENT, SEARCH, SIDE, WHOLE, built

CONV, CONVNET, TRANSFORMER = WHOLE
CLASSIFIERS = [GLIMPSE, RECURRENT, SEARCH, *WHOLE]
GENERATOR = GeneratorConfig(glimpses=2, hidden=6, latent=3, read=2, write=3, height=SIDE, width=SIDE)


def name(config: object) -> str:
    return type(config).__name__


def made(config: Any) -> Any:
    return DRAW(config).eval() if isinstance(config, GeneratorConfig) else built(config)


def images(count: int = 3, height: int = SIDE, width: int = SIDE) -> Tensor:
    return torch.rand(count, 1, height, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.usefixtures("no_gradients")
@pytest.mark.parametrize("config", [*CLASSIFIERS, GENERATOR], ids=name)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool])
def test_images_of_integers_are_refused_in_words(config: Any, dtype: torch.dtype) -> None:
    model = made(config)
    arguments = (torch.zeros(3, 2, 3),) if isinstance(config, GeneratorConfig) else ()
    with pytest.raises(ValueError, match=rf"must be floating point in 0 to 1, got {dtype}: divide pixels of 0 to 255 by 255"):
        model((255 * images()).to(dtype), *arguments)


@pytest.mark.usefixtures("no_gradients")
@pytest.mark.parametrize("config", [GLIMPSE, RECURRENT, SEARCH, TRANSFORMER, GENERATOR], ids=name)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_model_with_positions_is_not_run_in_sixteen_bits(config: Any, dtype: torch.dtype) -> None:
    model = made(config).to(dtype)
    arguments = (torch.zeros(3, 2, 3, dtype=dtype),) if isinstance(config, GeneratorConfig) else ()
    with pytest.raises(ValueError, match=re.escape("instead of half() or bfloat16(), run the float32 model within torch.autocast")):
        model(images().to(dtype), *arguments)


@pytest.mark.usefixtures("no_gradients")
@pytest.mark.parametrize("config", [CONV, CONVNET], ids=name)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float16, 0.01), (torch.bfloat16, 0.08)])
def test_a_model_without_positions_runs_in_sixteen_bits(config: Any, dtype: torch.dtype, tolerance: float) -> None:
    expected = built(config)(images())[0]
    found = built(config).to(dtype)(images().to(dtype))[0]
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=0, atol=tolerance * float(expected.abs().max()))


@pytest.mark.usefixtures("no_gradients")
@pytest.mark.parametrize("config", CLASSIFIERS, ids=name)
def test_autocast_to_bfloat16_stays_close_to_float32(config: Any) -> None:
    model = built(config, moved=0.1)
    expected = model(images())[0].softmax(dim=-1)
    with torch.autocast("cpu", torch.bfloat16):
        found = model(images())[0].softmax(dim=-1)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=0, atol=0.03)


class Logits(nn.Module):
    """The logits of a model, whose other outputs are of types that an export does not have."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model(images)[0]
        return logits


LATER = [pytest.param(config, marks=pytest.mark.slow, id=name(config)) for config in (RECURRENT, SEARCH, TRANSFORMER)]


@pytest.mark.parametrize("config", [replace(GLIMPSE, glimpses=2), CONVNET, *LATER], ids=name)
def test_a_model_is_exported_for_images_of_any_number_and_size(config: Any) -> None:
    dynamic = torch.export.Dim.DYNAMIC
    model = built(config)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter
        exported = torch.export.export(Logits(model), (images(3, 24, 20),), dynamic_shapes=[{0: dynamic, 2: dynamic, 3: dynamic}])
    for count, height, width in ((3, 24, 20), (2, 20, 24), (5, 30, 30), (1, 41, 17)):
        with torch.no_grad():
            found, expected = (each(images(count, height, width)) for each in (exported.module(), Logits(model)))
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
