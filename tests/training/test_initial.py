"""Trainings that start from the weights of a trained model."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from glimpse.datasets.generative import open_generative
from glimpse.digest import sha256_of_bytes
from glimpse.models.weights import find_weights, load_weights
from glimpse.training.calls import train_classifier, train_generator
from tests.helpers import generator_runs
from tests.helpers.classifier_runs import refused

TINY: dict[str, Any] = {"window": 4, "hidden": 8, "features": 8, "filters": 2, "glimpses": 3, "batch_size": 16, "threads": 1}
ON: dict[str, Any] = {"digits": "sklearn", "canvas": 40, "pieces": 2, "distort": 0, "compile": False}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_classifier(out=tmp_path_factory.mktemp("base") / "run", images=160, **TINY, **ON).folder


def still(base: Path, out: Path, **options: Any) -> Path:
    """Returns the folder of a training of a single step that changes nothing but the averages of batch normalization."""
    return train_classifier(
        init=str(base), out=out, images=16, batch_size=16, learning_rate=1e-30, weight_decay=0.0, averaging=0, threads=1, **options
    ).folder


def test_a_training_starts_from_the_weights_and_settings_of_a_model(base: Path, tmp_path: Path) -> None:
    found, _ = load_weights(still(base, tmp_path / "run", **ON))
    expected, facts = load_weights(base)
    assert found.keys() == expected.keys()
    for name, tensor in found.items():
        if "running" not in name and "batches" not in name:
            torch.testing.assert_close(tensor, expected[name], rtol=0, atol=0)
    record = json.loads((tmp_path / "run" / "config.json").read_text())
    assert record["model"] == facts["config"]
    assert record["init"] == {"source": str(base), "sha256": sha256_of_bytes(find_weights(base).read_bytes())}


def test_only_layers_for_other_classes_start_at_random(base: Path, tmp_path: Path) -> None:
    file = tmp_path / "own.npz"
    np.savez(file, images=np.random.default_rng(0).integers(0, 255, (90, 40, 40), dtype=np.uint8), labels=np.arange(90) % 3)
    found, facts = load_weights(still(base, tmp_path / "run", data=file, compile=False))
    expected, _ = load_weights(base)
    assert facts["config"]["classes"] == 3
    new = {name for name in found if found[name].shape != expected[name].shape}
    assert new == {name for name in expected if 10 in expected[name].shape[:1] and found[name].shape[:1] == (3,)}
    same = [name for name in found if name not in new and "running" not in name and "batches" not in name]
    assert len(same) > len(found) / 2
    assert all(torch.equal(found[name], expected[name]) for name in same)


def test_a_resumed_run_needs_the_initial_weights_no_more(base: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(find_weights(base).read_bytes())
    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train_classifier(
            init=str(copy), out=out, images=320, validate_every=160, progress=interrupt, checkpoint_every=0.0, batch_size=16, **ON
        )
    copy.unlink()
    assert train_classifier(resume=True, out=out).images == 320
    assert "the run was started with --init" in refused("--resume", "--init=pretrained:convnet", "--out", out)


def interrupt(record: Any) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--init=pretrained:draw-mnist"], "pretrained:draw-mnist does not hold the weights of a classifier but of DRAW"),
        (["--init=pretrained:convnet", "--model=ram"], "--init pretrained:convnet is a convnet: leave out --model"),
        (["--init=pretrained:convnet", "--preset=paper"], "--init pretrained:convnet is a convnet: leave out --preset"),
        (["--init=pretrained:convnet", "--filters=5"], "do not fit the model"),
        (["--init=nowhere"], "no run, weights file or pretrained model"),
    ],
)
def test_weights_that_do_not_fit_are_refused_in_a_line(tmp_path: Path, options: list[str], said: str) -> None:
    assert said in refused("--digits=sklearn", "--canvas=40", *options, "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


GENERATOR: dict[str, Any] = {"glimpses": 2, "hidden": 16, "latent": 4, "data": "digits", "threads": 1, "compile": False}


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("base") / "run"
    return train_generator(out=out, images=64, batch_size=8, prior="standard", averaging=0, **GENERATOR).folder


def still_generator(base: Path, out: Path, **options: Any) -> dict[str, Tensor]:
    """Returns the weights after a training of a single step that changes nothing."""
    still: dict[str, Any] = {
        "images": 8,
        "batch_size": 8,
        "learning_rate": 1e-30,
        "weight_decay": 0.0,
        "averaging": 0,
        "compile": False,
    }
    return load_weights(train_generator(init=str(base), out=out, threads=1, **still, **options).folder)[0]


def test_a_generator_continues_with_more_steps_and_a_prior_that_starts_as_the_standard_one(generator: Path, tmp_path: Path) -> None:
    expected, facts = load_weights(generator)
    found = still_generator(generator, tmp_path / "run", data="digits", prior="learned", glimpses=3)
    torch.testing.assert_close({name: found[name] for name in expected}, expected, rtol=0, atol=1e-25)
    assert sorted(found.keys() - expected.keys()) == ["prior.bias", "prior.weight"]
    assert all(float(found[name].abs().max()) < 1e-25 for name in ("prior.bias", "prior.weight"))
    record = json.loads((tmp_path / "run" / "config.json").read_text())
    assert record["model"] == facts["config"] | {"prior": "learned", "glimpses": 3}
    assert record["init"] == {"source": str(generator), "sha256": sha256_of_bytes(find_weights(generator).read_bytes())}


def test_a_generator_for_images_of_another_size_starts_from_their_mean(generator: Path, tmp_path: Path) -> None:
    file = generator_runs.color_file(tmp_path, (20, 24), 20)
    found = still_generator(generator, tmp_path / "run", data=file)
    expected, _ = load_weights(generator)
    assert [name for name in found if found[name].shape != expected[name].shape] == ["initial_canvas"]
    train = open_generative(str(file)).train
    images = train.batch(torch.arange(len(train))).images.double()
    torch.testing.assert_close(found["initial_canvas"].double().sigmoid(), images.mean(dim=0).flatten(), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--init=pretrained:convnet"], "pretrained:convnet does not hold the weights of a generator but of ConvNet"),
        (["--init=pretrained:draw-mnist", "--hidden=8"], "do not fit the model"),
        (["--init=pretrained:draw-mnist", "--layer-norm"], "do not fit the model"),
    ],
)
def test_weights_that_do_not_fit_a_generator_are_refused_in_a_line(tmp_path: Path, options: list[str], said: str) -> None:
    assert said in generator_runs.refused("train-generator", "--data=digits", *options, "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()
