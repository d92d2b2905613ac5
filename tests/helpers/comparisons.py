"""Comparisons of tiny models on the command line, and a plain loop over their test images."""

import functools
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from glimpse.commands.compare import compare_models
from glimpse.datasets.clutter import ClutteredMNIST, ClutterRecipe
from glimpse.datasets.digits import open_digits
from glimpse.models.catalog import open_classifier
from tests.helpers.weights import RECIPE

OPTIONS: dict[str, Any] = dict.fromkeys(
    ("suite", "out", "models", "images", "seeds", "csv", "markdown", "figure", "within", "precision", "compile", "data_dir")
) | {"device": "cpu", "threads": 1}


def compared(capsys: pytest.CaptureFixture[str], *sources: str | Path, **options: Any) -> dict[str, Any]:
    """Returns the object that the comparison prints."""
    capsys.readouterr()
    assert compare_models([str(source) for source in sources], OPTIONS | options, as_json=True) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    found: dict[str, Any] = json.loads(out)
    return found


def refused(*sources: str | Path, **options: Any) -> str:
    """Returns the one line that a comparison is refused with."""
    with pytest.raises((ValueError, OSError)) as caught:
        compare_models([str(source) for source in sources], OPTIONS | options, as_json=False)
    line = str(caught.value)
    assert "\n" not in line
    return line


def looped(source: Path) -> list[bool]:
    """Returns for every test image whether the model of a run gets it wrong, one image at a time."""
    model = open_classifier(source)
    with torch.no_grad():
        return [int(model(image[None])[0][0, -1].argmax()) != label for image, label in images_one_by_one()]


@functools.cache
def images_one_by_one() -> list[tuple[torch.Tensor, int]]:
    """Returns the test images with their classes."""
    data = ClutteredMNIST(open_digits("sklearn").test, "test", ClutterRecipe(**RECIPE))
    return [(image, int(label)) for image, label, _ in (data[index] for index in range(len(data)))]
