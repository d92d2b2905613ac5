"""Models captured by torch.export and torch.jit.trace: saved, read back, and run on another number of images."""

import io
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim
from torch.utils._pytree import tree_leaves

from glimpse.attention.window import Window
from glimpse.models.draw import Bound
from glimpse.settings.glimpse_classifier import ClassifierConfig
from tests.helpers.classifiers import built
from tests.helpers.draw import small

SMALL = ClassifierConfig(glimpses=2, window=3, hidden=5, features=4)


def inputs(model: nn.Module, batch: int) -> tuple[Tensor, ...]:
    """Returns seeded inputs of the classifier or of the generator."""
    generator = torch.Generator().manual_seed(0)
    if model.config == SMALL:
        return (torch.rand(batch, 1, 9, 11, generator=generator),)
    return torch.rand(batch, 1, 7, 9, generator=generator).round(), torch.randn(batch, 2, 4, generator=generator)


MODELS = [pytest.param(lambda: built(SMALL), id="GlimpseClassifier"), pytest.param(lambda: small(glimpses=2).float(), id="DRAW")]


def assert_equal(found: Any, expected: Any) -> None:
    """Asserts that two structures have the same tensors, up to rounding."""
    for one, other in zip(tree_leaves(found), tree_leaves(expected), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("build", MODELS)
def test_a_program_of_torch_export_is_saved_with_its_named_tuples(build: Any) -> None:
    model = build()
    example, buffer = inputs(model, 3), io.BytesIO()
    shapes = tuple({0: Dim("batch", min=1)} for _ in example)
    torch.export.save(torch.export.export(model, example, dynamic_shapes=shapes), buffer)
    buffer.seek(0)
    found = torch.export.load(buffer).module()(*inputs(model, 5))
    assert isinstance(found[1] if model.config == SMALL else found, (Window, Bound))
    assert_equal(found, model(*inputs(model, 5)))


@pytest.mark.filterwarnings("ignore:.*torch.jit.*is deprecated:FutureWarning", "ignore::torch.jit.TracerWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit.*is deprecated:DeprecationWarning")
@pytest.mark.parametrize("build", MODELS)
def test_a_trace_is_saved_and_takes_another_number_of_images(build: Any) -> None:
    model, buffer = build(), io.BytesIO()
    torch.jit.save(torch.jit.trace(model, inputs(model, 3), check_trace=False), buffer)  # type: ignore[no-untyped-call]
    buffer.seek(0)
    loaded = torch.jit.load(buffer)  # type: ignore[no-untyped-call]
    assert_equal(loaded(*inputs(model, 5)), model(*inputs(model, 5)))
