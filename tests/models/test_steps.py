"""Models whose steps are compiled, or recomputed in the backward pass, against the same models without that."""

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from glimpse.models.base import Model
from glimpse.models.convolutional import ConvNet
from glimpse.models.draw import DRAW
from glimpse.models.glimpse_classifier import GlimpseClassifier
from glimpse.models.ram import RAM
from glimpse.settings.convolutional import ConvNetConfig
from glimpse.settings.draw import GeneratorConfig
from glimpse.settings.glimpse_classifier import ClassifierConfig
from glimpse.settings.ram import RAMConfig

pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")  # of torch's compiler, which looks at states


@pytest.fixture(autouse=True)
def quick_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiles without generating code, which is slow and tested by torch."""
    torch.compiler.reset()
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="aot_eager"))


def built(name: str) -> tuple[Model, dict[str, Any]]:
    """Returns a small model and the inputs of its call besides the images, the same at every call."""
    torch.manual_seed(0)
    if name == "draw":
        config = GeneratorConfig(height=20, width=20, glimpses=4, hidden=16, latent=3, read=3, write=3)
        return DRAW(config), {"noise": torch.randn(5, 4, 3)}
    if name == "ram":
        return RAM(RAMConfig(window=4, scales=2, features=8, hidden=16, glimpses=4)), {"uniforms": torch.rand(5, 4, 2)}
    return GlimpseClassifier(ClassifierConfig(window=4, features=8, hidden=16, glimpses=4)), {}


def results(model: Model, images: Tensor, inputs: dict[str, Any]) -> list[Tensor]:
    """Returns the tensors that a call returns, and the gradients of the parameters that they depend on."""
    outputs = [each for part in model(images, **inputs) for each in (part if isinstance(part, tuple) else (part,))]
    loss = torch.stack([each.square().sum() for each in outputs if each.requires_grad]).sum()
    parameters = list(model.parameters())
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    return [*outputs, *(each for each in gradients if each is not None)]


@pytest.mark.parametrize("change", [Model.compile_step, Model.checkpoint_activations])
@pytest.mark.parametrize("name", ["classifier", "ram", "draw"])
def test_values_and_gradients_are_those_of_the_plain_model(name: str, change: Callable[[Model], None]) -> None:
    model, inputs = built(name)
    model.double()  # so that only an error makes a difference
    inputs = {name: value.double() for name, value in inputs.items()}
    images = torch.rand(5, 1, 20, 20, dtype=torch.float64)
    expected = results(model, images, inputs)
    before = set(model.state_dict())
    change(model)
    assert set(model.state_dict()) == before
    for got, wanted in zip(results(model, images, inputs), expected, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-8, atol=1e-8)


def kept_bytes(model: Model, images: Tensor, inputs: dict[str, Any]) -> int:
    """Returns the number of bytes that a call keeps for the backward pass, counting every storage once."""
    sizes: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = model(images, **inputs)
    del output
    return sum(sizes.values())


@pytest.mark.parametrize("name", ["classifier", "ram"])
def test_recomputed_steps_keep_a_fraction_of_the_memory(name: str) -> None:
    model, inputs = built(name)
    images = torch.rand(5, 1, 20, 20)
    usual = kept_bytes(model, images, inputs)
    model.checkpoint_activations()
    assert kept_bytes(model, images, inputs) < usual / 2


def test_a_model_without_steps_cannot_recompute_them() -> None:
    with pytest.raises(ValueError, match="ConvNet has no steps"):
        ConvNet(ConvNetConfig()).checkpoint_activations()


def test_the_number_of_graphs_does_not_depend_on_the_number_of_steps() -> None:
    counts = []
    for glimpses in (4, 16):
        torch.compiler.reset()
        torch._dynamo.utils.counters.clear()
        model = GlimpseClassifier(ClassifierConfig(window=4, features=8, hidden=16, glimpses=glimpses))
        model.compile_step()
        model(torch.rand(2, 1, 20, 20))
        counts.append(torch._dynamo.utils.counters["stats"]["unique_graphs"])
    assert counts == [2, 2]  # the first step, which has no last window, and the others


def test_a_model_without_steps_is_compiled_as_a_whole() -> None:
    model = ConvNet(ConvNetConfig()).eval()
    images = torch.rand(2, 1, 40, 40)
    expected = model(images)[0]
    torch._dynamo.utils.counters.clear()
    model.compile_step()
    torch.testing.assert_close(model(images)[0], expected)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] >= 1
