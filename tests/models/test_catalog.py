"""Models are built from their configs and opened by their kind; a model of another kind is refused."""

from pathlib import Path

import pytest
import torch

from glimpse.models.base import ImageClassifier
from glimpse.models.catalog import (
    build_classifier,
    open_classifier,
    open_generator,
    open_looking,
    open_model,
)
from glimpse.models.draw import DRAW
from glimpse.models.glimpse_classifier import GlimpseClassifier
from glimpse.models.weights import save_weights
from glimpse.settings.catalog import CLASSIFIERS
from glimpse.settings.classifier import ClassifierSettings
from glimpse.settings.convolutional import ConvConfig, ConvNetConfig
from glimpse.settings.draw import GeneratorConfig
from glimpse.settings.glimpse_classifier import ClassifierConfig
from glimpse.settings.ram import RAMConfig
from glimpse.settings.spatial_transformer import SpatialTransformerConfig
from tests.helpers.presets import CLASSIFIER_MODELS, CLASSIFIER_PRESETS, TRAINING_PRESETS
from tests.helpers.weights import written

CLASSIFIER = GlimpseClassifier(ClassifierConfig(glimpses=2, window=4, hidden=6, features=5))
GENERATOR = DRAW(GeneratorConfig(glimpses=2, hidden=6, latent=3, read=2, write=3))
CONFIGS: tuple[ClassifierSettings, ...] = (
    ClassifierConfig(glimpses=2, window=4, hidden=6, features=5, parametrization="random", scales=2),
    RAMConfig(glimpses=2, window=4, hidden=6, features=5, scales=2),
    ConvConfig(filters=2, kernel=4, hidden=6, height=12, width=9),
    ConvNetConfig(filters=2),
    SpatialTransformerConfig(window=4, filters=2, features=5),
)
CLASSIFIERS_OF_EVERY_KIND = [CLASSIFIER, *map(build_classifier, CONFIGS)]


def saved(folder: Path, model: ImageClassifier | DRAW) -> Path:
    return written(folder / f"{type(model).__name__}.safetensors", model, {"kind": "file", "sha256": ""})


@pytest.mark.parametrize("model", [*CLASSIFIERS_OF_EVERY_KIND, GENERATOR], ids=lambda model: type(model).__name__)
def test_a_model_is_opened_as_its_kind_ready_to_evaluate(model: ImageClassifier | DRAW, tmp_path: Path) -> None:
    file = saved(tmp_path, model)
    opener = open_generator if isinstance(model, DRAW) else open_classifier
    for opened in (open_model(file), opener(file)):
        assert type(opened) is type(model)
        assert not opened.training
        assert opened.config == model.config
        assert all(torch.equal(value, opened.state_dict()[name]) for name, value in model.state_dict().items())


def test_a_model_of_the_other_kind_or_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds a generator, which has no classes"):
        open_classifier(saved(tmp_path, GENERATOR))
    with pytest.raises(ValueError, match="holds a classifier, which draws no images"):
        open_generator(saved(tmp_path, CLASSIFIER))
    for opener in (open_model, open_classifier, open_generator):
        with pytest.raises(ValueError, match="no run, weights file or pretrained model"):
            opener(tmp_path / "nowhere")


@pytest.mark.parametrize("model", [*CLASSIFIERS_OF_EVERY_KIND, GENERATOR], ids=lambda model: type(model).__name__)
def test_a_model_is_opened_to_look_only_if_it_looks(model: ImageClassifier | DRAW, tmp_path: Path) -> None:
    file = saved(tmp_path, model)
    if model.config.glimpses is not None:
        assert type(open_looking(file)) is type(model)
    else:
        with pytest.raises(ValueError, match=f"a {type(model).__name__}, which sees the whole image at once: it has no windows"):
            open_looking(file)


def test_every_preset_has_one_model_that_can_be_built_and_a_training() -> None:
    named = [preset for presets in CLASSIFIER_MODELS.values() for preset in presets]
    assert sorted(named) == sorted(CLASSIFIER_PRESETS) == sorted(TRAINING_PRESETS)
    for config in CLASSIFIER_PRESETS.values():
        model = build_classifier(config)
        assert type(model).__name__ == CLASSIFIERS[config.kind].class_name
        assert type(model).config_class is type(config)
        assert model.config == config


def test_the_error_of_weights_of_an_unknown_model_lists_the_models(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    save_weights(file, CLASSIFIER.state_dict(), {"model": "Other", "config": {}, "task": {"kind": "file", "sha256": ""}})
    with pytest.raises(ValueError, match=r"holds the weights of Other; this version has .*RAM.*DRAW"):
        open_model(file)
