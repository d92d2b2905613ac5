"""The example of `Adding a model`: trained, evaluated and looked at like any other model, and equal to a loop over images."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import glimpse
from docs.examples.two_looks import TWO_LOOKS, TwoLooks, TwoLooksConfig
from glimpse.attention.window import Window, read
from glimpse.models.catalog import open_classifier
from glimpse.settings.catalog import CLASSIFIERS
from glimpse.trajectories import load


def test_the_example_is_trained_evaluated_and_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CLASSIFIERS, TWO_LOOKS.name, TWO_LOOKS)
    options: dict[str, Any] = {
        "digits": "sklearn",
        "canvas": 40,
        "pieces": 2,
        "window": 6,
        "hidden": 16,
        "device": "cpu",
        "threads": 1,
    }
    run = glimpse.train_classifier(model="two-looks", images=128, batch_size=32, out=tmp_path / "run", **options)
    assert isinstance(open_classifier(run.folder), TwoLooks)
    found = glimpse.evaluate(run.folder, device="cpu", threads=1)
    assert len(found.as_dict()["error_by_glimpse"]) == 2
    glimpse.trajectories.export(run.folder, out=tmp_path / "glimpses.npz", count=3, device="cpu", threads=1)
    table = load(tmp_path / "glimpses.npz")
    assert table["center_x"][::2].tolist() == pytest.approx([19.5] * 3)  # the first look is at the center


def test_the_example_equals_a_loop_over_images() -> None:
    torch.manual_seed(0)
    model = TwoLooks(TwoLooksConfig(window=5, hidden=7, classes=3)).eval()
    torch.nn.init.normal_(model.place.weight, std=0.5)
    images = torch.rand(4, 1, 20, 30)
    with torch.no_grad():
        logits, tracks = model.look(images, patches=True)
        for row, image in enumerate(images):
            state = model.first(tracks[0].patches[row, 0].flatten())  # type: ignore[index]
            window = Window.from_raw(model.place(state)[None], n=5, height=20, width=30)
            after = state + model.second(read(image[None], window, 5).flatten())
            np.testing.assert_allclose(logits[row, 0], model.classify(state), atol=1e-5)
            np.testing.assert_allclose(logits[row, 1], model.classify(after), atol=1e-5)
            np.testing.assert_allclose(tracks[0].window.center_x[row, 1], window.center_x[0], rtol=1e-5)
