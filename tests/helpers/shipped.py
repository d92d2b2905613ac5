"""What the shipped models predict for eight images, to compare versions of torch by.

`python -m tests.helpers.shipped` writes the file anew, for a newly shipped model.
"""

import json
from pathlib import Path

import torch

from glimpse import pretrained
from glimpse.datasets.clutter import ClutteredMNIST
from glimpse.datasets.digits import open_digits
from glimpse.evaluation.classifier import classify
from glimpse.models.base import ImageClassifier, Model
from glimpse.models.catalog import open_model
from glimpse.models.draw import DRAW

FILE = Path(__file__).with_name("shipped.json")

_COUNT = 8


def numbers(name: str) -> list[list[float]]:
    """Returns the class probabilities of a shipped classifier for images of scikit-learn's digits, a row for each.

    Of a generator, it returns every 49th of the means that it draws without noise. Numbers are rounded to six digits.
    """
    model: Model = open_model(pretrained.PREFIX + name)
    with torch.no_grad():
        if isinstance(model, DRAW):
            config = model.config
            found = model.means(model.draw(torch.zeros(1, config.glimpses, config.latent)).canvases[:, -1]).flatten(1)[:, ::49]
        else:
            assert isinstance(model, ImageClassifier)
            rows = torch.arange(_COUNT)
            images = ClutteredMNIST(open_digits("sklearn").test, "test").batch(rows).images
            found = classify(model, images, rows)[:, -1].softmax(dim=-1)
    return [[round(value, 6) for value in row] for row in found.tolist()]


if __name__ == "__main__":
    lines = [f"  {json.dumps(name)}: {json.dumps(numbers(name))}" for name in pretrained.available()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
