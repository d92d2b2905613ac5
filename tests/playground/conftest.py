"""The playground with small files in place of onnxruntime-web and of exported models."""

from pathlib import Path

import pytest
import torch

from glimpse.datasets.digits import Digits
from glimpse.playground import runtime
from glimpse.playground.models import PageClassifier, PageGenerator
from glimpse.playground.page.page import PageContent
from glimpse.settings.clutter import ClutterRecipe


@pytest.fixture
def small_runtime(tmp_path: Path) -> Path:
    """Returns a folder with short files that have the names of onnxruntime-web's."""
    folder = tmp_path / "runtime"
    folder.mkdir()
    for name in runtime.SHA256:
        (folder / name).write_bytes(f"the file {name}".encode())
    return folder


@pytest.fixture
def content(tmp_path: Path, small_runtime: Path) -> PageContent:
    """Returns the content of a page with a classifier, a generator and three digits."""
    files = [tmp_path / "classifier.onnx", tmp_path / "generator.onnx"]
    for number, file in enumerate(files):
        file.write_bytes(bytes([number]) * 1000)
    classifier = PageClassifier(
        name="first",
        source="runs/first",
        file=files[0],
        shape=(1, 40, 40),
        steps=3,
        window=4,
        classes=("<0>", "1"),
        error=None,
        blurs=True,
    )
    generator = PageGenerator(
        name="second", source="runs/second", file=files[1], shape=(1, 8, 9), steps=2, window=3, latent=3, sliders=((0, 1), (1, 2))
    )
    digits = Digits(torch.arange(3 * 28 * 28).remainder(251).view(3, 28, 28).to(torch.uint8), torch.tensor([1, 0, 1]), "file")
    return PageContent((classifier,), (generator,), digits, ClutterRecipe(canvas=40, pieces=2), small_runtime)
