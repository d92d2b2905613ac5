"""Trained models are opened by what they are, and a model of another kind is refused."""

from pathlib import Path

import pytest
import torch

from glimpse.classifier import GlimpseClassifier
from glimpse.config import ClassifierConfig, GeneratorConfig
from glimpse.generator import DRAW
from glimpse.models import open_classifier, open_generator, open_model
from glimpse.weights import save_weights

CLASSIFIER = GlimpseClassifier(ClassifierConfig(glimpses=2, window=4, hidden=6, features=5))
GENERATOR = DRAW(GeneratorConfig(glimpses=2, hidden=6, latent=3, read=2, write=3))


def saved(folder: Path, model: GlimpseClassifier | DRAW) -> Path:
    file = folder / f"{type(model).__name__}.safetensors"
    facts = {"model": type(model).__name__, "config": vars(model.config), "task": {"kind": "file", "sha256": ""}}
    save_weights(file, model.state_dict(), facts)
    return file


@pytest.mark.parametrize("model", [CLASSIFIER, GENERATOR], ids=["classifier", "generator"])
def test_a_model_comes_back_as_what_it_was_ready_to_evaluate(model: GlimpseClassifier | DRAW, tmp_path: Path) -> None:
    file = saved(tmp_path, model)
    opener = open_classifier if isinstance(model, GlimpseClassifier) else open_generator
    for opened in (open_model(file), opener(file)):
        assert type(opened) is type(model)
        assert not opened.training
        assert opened.config == model.config
        assert all(torch.equal(value, opened.state_dict()[name]) for name, value in model.state_dict().items())


def test_a_model_of_the_other_kind_or_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds a generator, which knows no classes"):
        open_classifier(saved(tmp_path, GENERATOR))
    with pytest.raises(ValueError, match="holds a classifier, which draws no images"):
        open_generator(saved(tmp_path, CLASSIFIER))
    for opener in (open_model, open_classifier, open_generator):
        with pytest.raises(ValueError, match="no run, weights file or pretrained model"):
            opener(tmp_path / "nowhere")
