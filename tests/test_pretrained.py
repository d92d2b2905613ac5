"""The shipped models are what their facts say."""

import json
from pathlib import Path

import pytest
import torch

from glimpse import pretrained
from glimpse.classification import predictions
from glimpse.classifier import GlimpseClassifier
from glimpse.datasets.clutter import ClutteredMNIST, ClutterRecipe
from glimpse.datasets.digits import open_digits
from glimpse.weights import load_weights

NAMES = ("classifier-4", "classifier-8")


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_model_has_weights_facts_card_and_licence(name: str) -> None:
    facts = pretrained.available()[name]
    weights, stored = load_weights(pretrained.PREFIX + name)
    assert facts["glimpses"] == stored["config"]["glimpses"] == int(name[-1])
    assert facts["parameters"] == sum(tensor.numel() for tensor in weights.values())
    assert facts["licence"] == "MIT"
    card = pretrained.find(name).with_suffix(".md").read_text(encoding="utf-8")
    assert f"{facts['test_error_percent']:.2f} %" in card
    assert stored["task"] == {"kind": "cluttered", "digits": "mnist", "recipe": vars(ClutterRecipe())}


def test_an_unknown_model_is_answered_with_the_names_there_are() -> None:
    with pytest.raises(ValueError, match="classifier-4, classifier-8"):
        pretrained.find("pretrained:classifier-5")


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_model_makes_the_stated_error_on_the_pinned_test_set(name: str, mnist_folder: Path) -> None:
    facts = json.loads(pretrained.find(name).with_suffix(".json").read_text(encoding="utf-8"))
    data = ClutteredMNIST(open_digits("mnist", data_dir=mnist_folder).test, "test")
    model = GlimpseClassifier.from_pretrained(pretrained.PREFIX + name)
    with torch.no_grad():
        wrong = sum(int((logits[:, -1].argmax(dim=-1) != labels).sum()) for logits, labels in predictions(model, data))
    assert len(data) == facts["n"] == 10_000
    assert 100 * wrong / len(data) == pytest.approx(facts["test_error_percent"], abs=0.05)  # a few images lie on the border
