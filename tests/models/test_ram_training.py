"""Short trainings of recurrent attention models: they learn, and their weights are restored."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from glimpse.datasets.clutter import ClutteredMNIST
from glimpse.datasets.digits import open_digits
from glimpse.models.ram import RAM
from glimpse.models.weights import save_weights
from glimpse.settings.clutter import ClutterRecipe
from glimpse.settings.ram import RAMConfig, Reward
from glimpse.settings.training import TrainingConfig
from glimpse.training.classifier import ClassificationTask
from glimpse.training.engine import fit
from tests.helpers.ram import REWARDS, small
from tests.helpers.tensors import noise
from tests.helpers.weights import ON_SKLEARN

LEARNER = RAMConfig(glimpses=3, window=8, scales=3, hidden=64, features=64, policy_std=0.1, policy_anneal=10_000)
TRAINING = TrainingConfig(images=20_000, batch_size=64, learning_rate=3e-3, warmup=1000, averaging=0, validate_every=10**9)


def trained(config: RAMConfig, training: TrainingConfig) -> tuple[RAM, ClutteredMNIST, list[dict[str, float]]]:
    """Returns a model trained on scikit-learn's digits on a small canvas, the validation set, and the rows of metrics."""
    source, recipe = open_digits("sklearn"), ClutterRecipe(canvas=32, pieces=0)
    train, valid = ClutteredMNIST(source.train, "train", recipe, seed=0), ClutteredMNIST(source.valid, "valid", recipe)
    torch.manual_seed(0)
    model = RAM(config)
    records = fit(ClassificationTask(model, train, valid), training)
    return model, valid, [record.values for record in records if record.kind == "metrics"]


def test_a_short_training_learns_and_its_weights_are_restored(tmp_path: Path) -> None:
    model, valid, rows = trained(LEARNER, TRAINING)
    assert rows[-1]["valid_error"] < 55  # chance is 90
    assert rows[-1]["reward"] > 0.2 > rows[0]["reward"]
    file = tmp_path / "weights.safetensors"
    save_weights(file, model.state_dict(), {"model": "RAM", "config": vars(LEARNER), "task": ON_SKLEARN})
    read = RAM.from_pretrained(file)
    assert not read.training
    assert read.config == LEARNER
    batch, uniforms = valid.batch(torch.arange(10)).images, noise(10, 3).float()
    torch.testing.assert_close(read(batch, None, uniforms), model.eval()(batch, None, uniforms), rtol=0, atol=0)


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    save_weights(file, small().state_dict(), {"model": "GlimpseClassifier", "config": {}, "task": ON_SKLEARN})
    with pytest.raises(ValueError, match="weights of GlimpseClassifier, not of RAM"):
        RAM.from_pretrained(file)


@pytest.mark.parametrize("reward", REWARDS)
def test_a_short_training_with_several_samples_an_image_learns(reward: Reward) -> None:
    config = replace(LEARNER, monte_carlo=2, reward=reward, test_samples=2)
    _, _, rows = trained(config, replace(TRAINING, images=6000, batch_size=32))
    assert rows[-1]["valid_error"] < 75  # chance is 90
