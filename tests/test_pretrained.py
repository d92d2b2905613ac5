"""The shipped models match their facts."""

import hashlib
import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from glimpse import pretrained
from glimpse.datasets.batches import Batch, PositionalDataset
from glimpse.datasets.binarized_mnist import find_binarized_mnist
from glimpse.datasets.clutter import ClutteredMNIST
from glimpse.datasets.digits import open_digits
from glimpse.datasets.generative import open_generative
from glimpse.evaluation.classifier import predictions
from glimpse.evaluation.generator import measure_generator
from glimpse.models.catalog import open_classifier
from glimpse.models.draw import DRAW
from glimpse.models.glimpse_classifier import GlimpseClassifier
from glimpse.models.weights import load_weights
from glimpse.settings.clutter import ClutterRecipe

GLIMPSES = ("glimpse-4", "glimpse-8")
GENERATORS = ("draw-mnist", "draw-two-digit")
LARGE = ("convnet", "ram-8", "spatial-transformer")  # the slowest on the whole test set
NAMES = tuple(name for name in pretrained.available() if name not in GENERATORS)


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_model_has_weights_facts_card_and_license(name: str) -> None:
    facts = pretrained.available()[name]
    weights, stored = load_weights(pretrained.PREFIX + name)
    assert facts.get("glimpses") == stored["config"].get("glimpses")
    if "glimpses" in facts:
        assert facts["glimpses"] == int(name[-1])
    assert facts["parameters"] == sum(parameter.numel() for parameter in open_classifier(pretrained.PREFIX + name).parameters())
    assert len(weights) >= 4
    assert facts["licence"] == "MIT"
    card = pretrained.find(name).with_suffix(".md").read_text(encoding="utf-8")
    assert f"{facts['test_error_percent']:.2f} %" in card
    assert stored["task"] == {"kind": "cluttered", "digits": "mnist", "recipe": vars(ClutterRecipe())}


@pytest.mark.parametrize("name", GENERATORS)
def test_a_shipped_generator_has_weights_facts_card_and_license(name: str) -> None:
    facts = pretrained.available()[name]
    weights, stored = load_weights(pretrained.PREFIX + name)
    assert facts["glimpses"] == stored["config"]["glimpses"]
    assert facts["parameters"] == sum(tensor.numel() for tensor in weights.values())
    assert facts["licence"] == "MIT"
    card = pretrained.find(name).with_suffix(".md").read_text(encoding="utf-8")
    assert f"{facts['bound_nats']:.2f} nats" in card
    sets = {"draw-mnist": ("binarized-mnist", "fixed"), "draw-two-digit": ("two-digit", "dynamic")}
    assert (stored["task"]["name"], stored["task"]["binarization"]) == sets[name]


@pytest.mark.parametrize("name", pretrained.available())
def test_a_byte_of_damage_in_a_shipped_model_is_noticed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = pretrained.available()[name]
    content = bytearray(pretrained.find(name).read_bytes())
    assert facts["sha256"] == hashlib.sha256(content).hexdigest()
    content[-1] ^= 1
    (tmp_path / f"{name}.safetensors").write_bytes(content)
    (tmp_path / f"{name}.json").write_text(json.dumps(facts))
    monkeypatch.setattr("glimpse.pretrained._FOLDER", tmp_path)
    with pytest.raises(ValueError, match=r"is damaged .*: install the package again"):
        load_weights(pretrained.PREFIX + name)


def test_the_shipped_generator_of_digits_has_the_stated_bound(data_folder: Path) -> None:
    facts = pretrained.available()["draw-mnist"]
    data = open_generative("binarized-mnist", data_dir=data_folder)
    result = measure_generator(DRAW.from_pretrained("pretrained:draw-mnist"), Head(data.test, 1000))
    assert result.bound_nats == pytest.approx(facts["bound_nats"], abs=3 * result.standard_error)  # of 1,000 images


class Head(PositionalDataset):
    """The first images of a set in random order, hence a fair sample of it."""

    def __init__(self, data: PositionalDataset, count: int) -> None:
        self.data, self.count = data, count

    def __len__(self) -> int:
        return self.count

    def batch(self, positions: Tensor) -> Batch:
        return self.data.batch(positions)


@pytest.fixture
def data_folder(mnist_folder: Path) -> Path:
    """Returns the folder with MNIST if it has the fixed binarization, too."""
    if find_binarized_mnist([mnist_folder]) is None:
        pytest.skip("GLIMPSE_DATA names no folder with binarized MNIST")
    return mnist_folder


def test_the_error_of_an_unknown_model_lists_the_names() -> None:
    with pytest.raises(ValueError, match=r"classifier-4, classifier-8, .*draw-mnist, draw-two-digit, glimpse-4, glimpse-8"):
        pretrained.find("pretrained:classifier-5")


def test_the_baselines_are_shipped() -> None:
    assert {*GLIMPSES, "classifier-8", "classifier-4", "ram-8", "ram-4", "conv", "convnet", "spatial-transformer"} == {*NAMES}


@pytest.mark.parametrize("name", GLIMPSES)
def test_weights_from_before_there_were_scales_have_one(name: str) -> None:
    _, stored = load_weights(pretrained.PREFIX + name)
    assert "scales" not in stored["config"]
    model = GlimpseClassifier.from_pretrained(pretrained.PREFIX + name)
    assert model.config.scales == 1
    assert len(model.look(torch.rand(1, 1, 40, 40))[1]) == 1


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in LARGE)) for name in NAMES])
def test_a_shipped_model_makes_the_stated_error_on_the_pinned_test_set(name: str, mnist_folder: Path) -> None:
    facts = json.loads(pretrained.find(name).with_suffix(".json").read_text(encoding="utf-8"))
    data = ClutteredMNIST(open_digits("mnist", data_dir=mnist_folder).test, "test")
    model = open_classifier(pretrained.PREFIX + name)
    with torch.no_grad():
        wrong = sum(int((logits[:, -1].argmax(dim=-1) != labels).sum()) for logits, labels in predictions(model, data))
    assert len(data) == facts["n"] == 10_000
    assert 100 * wrong / len(data) == pytest.approx(
        facts["test_error_percent"], abs=0.05
    )  # a few images are on a decision boundary
