"""Every classifier accepts a batch without images."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from glimpse.attention.window import Window
from tests.helpers.classifiers import GLIMPSE, RECURRENT, SEARCH, SIDE, WHOLE, built

LOOKING = (GLIMPSE, replace(GLIMPSE, parametrization="random"), replace(GLIMPSE, parametrization="paper"), RECURRENT, SEARCH)
EMPTY = torch.zeros(0, 1, SIDE, SIDE)


def inputs(model: Any) -> dict[str, Any]:
    """Returns the keyword arguments of the model's call for no images."""
    found: dict[str, Any] = model.inputs(uniforms=torch.zeros(0, model.glimpses, 2))
    return found


@pytest.mark.parametrize("config", [*LOOKING, *WHOLE], ids=lambda config: config.title)
def test_an_empty_batch_has_empty_predictions(config: Any) -> None:
    model = built(config)
    logits = model(EMPTY, **inputs(model))[0]
    assert logits.shape == (0, model.glimpses, 4)
    assert logits.dtype == torch.float32


@pytest.mark.parametrize("config", LOOKING, ids=lambda config: config.title)
def test_an_empty_batch_has_empty_tracks(config: Any) -> None:
    model = built(config)
    uniforms = {"uniforms": torch.zeros(0, model.glimpses, 2)} if model.takes_noise else {}
    logits, tracks = model.look(EMPTY, **uniforms, patches=True)
    assert logits.shape == (0, model.glimpses, 4)
    for track in tracks:
        assert isinstance(track.window, Window)
        assert all(field.shape == (0, model.glimpses) for field in track.window)
        assert track.patches.shape == (0, model.glimpses, 1, 4, 4)
